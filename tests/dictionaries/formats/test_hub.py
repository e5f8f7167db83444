"""Repositories of Hugging Face, on a server of this machine."""

import json

import numpy as np
import pytest
from support.server import serving
from support.weight_files import saved

from featviz.dictionaries import load_dictionary
from featviz.dictionaries.formats.hub import fetch_dictionary
from featviz.errors import FeatvizError


@pytest.fixture
def hub(tmp_path, monkeypatch):
    monkeypatch.setenv("FEATVIZ_CACHE", str(tmp_path))
    files = {
        "blocks.9/weights.pt": saved({"W_enc": np.eye(3, 5, dtype=np.float32), "W_dec": np.eye(5, 3, dtype=np.float32),
                                      "b_enc": np.zeros(5, np.float32), "b_dec": np.zeros(3, np.float32)}),
        "blocks.9/config.json": json.dumps({"normalize_activations": "layer_norm", "cls_token_only": True}).encode(),
        "blocks.9/log_sparsity.pt": b"",
        "blocks.10/weights.pt": b"another",
    }  # fmt: skip
    listed = json.dumps({"siblings": [{"rfilename": name} for name in files]}).encode()
    with serving() as server:
        server.files["/api/models/lab/saes/revision/main"] = listed
        server.files |= {f"/lab/saes/resolve/main/{name}": data for name, data in files.items()}
        yield server


def test_a_folder_of_a_repository_is_fetched_once(hub):
    path = fetch_dictionary("hf-hub:lab/saes/blocks.9", server=hub.address, loopback=True)
    ours = load_dictionary(path)
    assert ours.record.format == "ViT-Prisma" and ours.normalization.name == "layer_norm"
    asked = len(hub.asked)
    assert fetch_dictionary("hf-hub:lab/saes/blocks.9/weights.pt", server=hub.address, loopback=True) == path
    assert len(hub.asked) == asked


def test_what_names_no_dictionary_is_refused_in_one_line(hub):
    with pytest.raises(FeatvizError, match="has several files of weights; .*`blocks.9`"):
        fetch_dictionary("hf-hub:lab/saes", server=hub.address, loopback=True)
    with pytest.raises(FeatvizError, match="has no file of weights"):
        fetch_dictionary("hf-hub:lab/saes/blocks.11", server=hub.address, loopback=True)
    with pytest.raises(FeatvizError, match="the files of `hf-hub:lab/other` cannot be listed"):
        fetch_dictionary("hf-hub:lab/other", server=hub.address, loopback=True)
    with pytest.raises(FeatvizError, match="`hf-hub:saes` names no repository"):
        load_dictionary("hf-hub:saes")
