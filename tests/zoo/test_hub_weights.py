"""Weights from repositories of Hugging Face, on a local server: safetensors only, with their normalization."""

import dataclasses
import json
from functools import partial

import numpy as np
import pytest
from support.server import serving

from featviz.errors import FeatvizError
from featviz.pictures.command import network_words
from featviz.zoo.registry import find, load
from featviz.zoo.weights import hub_weights
from featviz.zoo.weights.hub_weights import fetch_hub_weights

TIMM = {"pretrained_cfg": {"mean": [0.1, 0.2, 0.3], "std": [0.4, 0.5, 0.6]}}
TRANSFORMERS = {"image_mean": [0.5, 0.5, 0.5], "image_std": [0.25, 0.25, 0.25]}


@pytest.fixture
def hub(tmp_path, monkeypatch):
    monkeypatch.setenv("FEATVIZ_CACHE", str(tmp_path))
    with serving() as server:
        fetch = partial(fetch_hub_weights, server=server.address, loopback=True)
        monkeypatch.setattr(hub_weights, "fetch_hub_weights", fetch)
        server.fetch = fetch
        yield server


def put(server, repository, files, *, revision="main", listed=()):
    listed = json.dumps({"siblings": [{"rfilename": name} for name in (*files, *listed)]}).encode()
    server.files[f"/api/models/{repository}/revision/{revision}"] = listed
    for name, data in files.items():
        whole = data if isinstance(data, bytes) else json.dumps(data).encode()
        server.files[f"/{repository}/resolve/{revision}/{name}"] = whole


def weights():
    path = find("patterns").bundled_path
    assert path is not None
    return path.read_bytes()


@pytest.mark.parametrize(
    ("configs", "mean", "std"),
    [
        ({"config.json": TIMM}, (0.1, 0.2, 0.3), (0.4, 0.5, 0.6)),
        ({"preprocessor_config.json": TRANSFORMERS}, (0.5, 0.5, 0.5), (0.25, 0.25, 0.25)),
        ({"config.json": {"hidden_size": 3}, "preprocessor_config.json": TRANSFORMERS}, (0.5,) * 3, (0.25,) * 3),
        ({"preprocessor_config.json": TRANSFORMERS | {"do_normalize": False}}, (0.0,), (1.0,)),
        ({}, (0.5,), (0.25,)),
    ],
)
def test_a_network_gets_the_weights_and_the_normalization_of_a_repository(hub, configs, mean, std):
    put(hub, "lab/net", {"model.safetensors": weights(), "pytorch_model.bin": b"never asked for", **configs})
    model = load("patterns", weights="hf-hub:lab/net")
    assert (model.input.mean, model.input.std) == (mean, std)
    expected = load("patterns")
    for one, other in zip(*(jax_leaves(each.weights) for each in (model, expected)), strict=True):
        np.testing.assert_array_equal(one, other)
    assert model.source == {"model": "patterns", "weights": "hf-hub:lab/net"}
    assert network_words(model.source) == ["patterns", "--weights", "hf-hub:lab/net"]
    assert not any(path.endswith(".bin") for path, _ in hub.asked)


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        (TRANSFORMERS, lambda x: (x / 255 - 0.5) / 0.25),
        (TRANSFORMERS | {"do_rescale": True, "rescale_factor": 1 / 255}, lambda x: (x / 255 - 0.5) / 0.25),
        (TRANSFORMERS | {"do_rescale": False}, lambda x: (x - 0.5) / 0.25),
        (TRANSFORMERS | {"rescale_factor": 1 / 127.5}, lambda x: (x / 127.5 - 0.5) / 0.25),
        ({"do_normalize": False, "do_rescale": False}, lambda x: x),
        ({"do_normalize": False, "do_flip_channel_order": True}, lambda x: x[..., ::-1] / 255),
    ],
)
def test_a_network_gets_the_values_that_the_image_processor_makes(hub, config, expected):
    put(hub, "lab/net", {"model.safetensors": b"", "preprocessor_config.json": config})
    spec = hub.fetch("hf-hub:lab/net").adapted(find("patterns").input)
    image = np.random.default_rng(0).integers(0, 256, (1, 4, 4, 3)).astype(np.float32)
    found = dataclasses.replace(spec, channels_first=False, multiple=1).encode(image / 255)
    np.testing.assert_allclose(found, expected(image), rtol=1e-5, atol=1e-5)


def jax_leaves(tree):
    import jax

    return jax.tree.leaves(tree)


def test_a_file_and_a_revision_may_be_named_and_are_fetched_once(hub):
    put(hub, "lab/net", {"a/one.safetensors": weights(), "a/two.safetensors": b"another"}, revision="v2")
    first = hub.fetch("hf-hub:lab/net/a/one.safetensors@v2")
    assert first.file.read_bytes() == weights()
    asked = len(hub.asked)
    assert hub.fetch("hf-hub:lab/net/a/one.safetensors@v2") == first and len(hub.asked) == asked
    with pytest.raises(FeatvizError, match=r"several files of weights; expected .*`a/one.safetensors`, `a/two"):
        hub.fetch("hf-hub:lab/net/a@v2")


def test_what_was_fetched_needs_no_network(hub):
    put(hub, "lab/net", {"model.safetensors": weights(), "preprocessor_config.json": TRANSFORMERS})
    first = hub.fetch("hf-hub:lab/net")
    hub.status = 503
    asked = len(hub.asked)
    assert hub.fetch("hf-hub:lab/net") == first and len(hub.asked) == asked
    # A file that the list lacks is looked for anew.
    hub.status = None
    put(hub, "lab/net", {"b/more.safetensors": weights()}, listed=["model.safetensors", "preprocessor_config.json"])
    assert hub.fetch("hf-hub:lab/net/b").file.read_bytes() == weights()
    # A list that is damaged is asked for again.
    (listed,) = (path for path in first.file.parents[4].rglob("main") if path.is_file())
    listed.write_bytes(b"{")
    assert hub.fetch("hf-hub:lab/net") == first and listed.stat().st_size > 1


def test_files_beside_weights_are_none(hub):
    put(hub, "lab/net", {"net.safetensors": weights(), "optimizer.safetensors": b"not asked for"})
    assert hub.fetch("hf-hub:lab/net").file.name == "net.safetensors"
    # The only file below a repository's folder is meant by the folder.
    put(hub, "lab/deep", {"a/b/net.safetensors": weights(), "README.md": b""})
    assert hub.fetch("hf-hub:lab/deep/a").file.name == "net.safetensors"


def test_other_kinds_of_files_are_not_asked_for(hub):
    put(hub, "lab/pickles", {"pytorch_model.bin": b"\x80\x02", "model.pt": b"\x80\x02"})
    with pytest.raises(FeatvizError, match="`hf-hub:lab/pickles` has no .safetensors file, the only kind"):
        load("patterns", weights="hf-hub:lab/pickles")
    with pytest.raises(FeatvizError, match="`hf-hub:lab/pickles/model.pt` is no .safetensors file"):
        load("patterns", weights="hf-hub:lab/pickles/model.pt")
    assert [path for path, _ in hub.asked] == ["/api/models/lab/pickles/revision/main"] * 2


@pytest.mark.parametrize(
    ("files", "says"),
    [
        ({"model.safetensors": b"not weights"}, "`model.safetensors`"),
        ({"model.safetensors": b"", "config.json": b"{"}, "`config.json` of lab/bad cannot be read"),
        ({"model.safetensors": b"", "config.json": {"pretrained_cfg": {"mean": "x", "std": 1}}}, "`mean` of lab/bad"),
        ({"model.safetensors": b"", "preprocessor_config.json": b"[" * 100_000}, "cannot be read"),
        (
            {"model.safetensors": b"", "preprocessor_config.json": {"rescale_factor": "x"}},
            "`rescale_factor` of lab/bad",
        ),
        ({"model.safetensors": b"", "preprocessor_config.json": {"rescale_offset": True}}, "`rescale_offset` of lab/"),
    ],
)
def test_what_a_repository_holds_is_refused_in_one_line(hub, files, says):
    put(hub, "lab/bad", files)
    with pytest.raises(FeatvizError, match=says) as refused:
        load("patterns", weights="hf-hub:lab/bad")
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("name", ["hf-hub:", "hf-hub:lab", "hf-hub:lab/", "hf-hub:lab//x", "hf-hub:lab/../x"])
def test_names_of_no_repository_are_refused(hub, name):
    with pytest.raises(FeatvizError, match="names no repository"):
        hub.fetch(name)
    assert hub.asked == []
