"""Files laid out as sparsify lays them out, against numpy."""

import json

import numpy as np
import pytest
from safetensors.numpy import save_file
from support.dictionaries import UNITS, draw_autoencoder, largest, pre, relu

from featviz.dictionaries import load_dictionary
from featviz.errors import FeatvizError

ARRAYS = draw_autoencoder(np.random.default_rng(0))
STATE = {
    "encoder.weight": np.ascontiguousarray(ARRAYS["encoder"].T),
    "encoder.bias": ARRAYS["encoder_bias"],
    "W_dec": ARRAYS["decoder"],
    "b_dec": ARRAYS["decoder_bias"],
}
X = np.random.default_rng(1).normal(size=(5, UNITS)).astype(np.float32)


def write(folder, **config):
    folder.mkdir()
    save_file(STATE, folder / "sae.safetensors")
    (folder / "cfg.json").write_text(json.dumps({"activation": "topk", "k": 3, "d_in": UNITS, **config}))
    return folder


@pytest.mark.parametrize("normalize_decoder", [True, False])
def test_the_bias_is_subtracted_whatever_the_decoder_norms(normalize_decoder, tmp_path):
    ours = load_dictionary(write(tmp_path / "a", normalize_decoder=normalize_decoder))
    assert ours.record.format == "sparsify" and ours.code.k == 3
    np.testing.assert_allclose(ours.encode(X), relu(largest(pre(ARRAYS, X, centered=True), 3)), atol=1e-5)


def test_widths_that_contradict_the_arrays_are_refused(tmp_path):
    with pytest.raises(FeatvizError, match="its configuration says `d_in` 5, its arrays have 6; expected those of one"):
        load_dictionary(write(tmp_path / "a", d_in=5))
    with pytest.raises(FeatvizError, match="its configuration says `num_latents` 8, its arrays have 9"):
        load_dictionary(write(tmp_path / "b", num_latents=8))


def test_that_of_a_transcoder_is_not(tmp_path):
    ours = load_dictionary(write(tmp_path / "a", transcode=True))
    np.testing.assert_allclose(ours.encode(X), relu(largest(pre(ARRAYS, X, centered=False), 3)), atol=1e-5)
    assert load_dictionary(write(tmp_path / "b", transcode=True), centered=True).code.centered
