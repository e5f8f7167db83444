"""Layers whose names differ in case alone: their files do not, so that disks that ignore case keep all of them."""

import jax
import numpy as np

import featviz as fv
from featviz.atlas.build import build_atlas
from featviz.atlas.export import export
from featviz.pictures.file_names import file_stems
from featviz.surveys.survey_store import layer_paths

SPEC = fv.InputSpec(size=12)
KERNEL = np.random.default_rng(0).normal(size=(3, 3, 3, 3)).astype(np.float32)
NAMES = ["conv", "Conv", "CONV", "pool"]


def network(weights, images):
    x = images
    for name in NAMES:
        with jax.named_scope(name):
            x = jax.lax.conv_general_dilated(
                x, weights["kernel"], (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")
            )
    return x


def test_no_two_files_differ_in_case_alone(tmp_path):
    model = fv.from_function(network, {"kernel": KERNEL}, input=SPEC)
    assert {layer.name for layer in model.layers} >= set(NAMES)
    images = np.random.default_rng(1).integers(0, 256, (6, 12, 12, 3), dtype=np.uint8)
    survey = fv.survey(model, images, out=tmp_path / "survey", layers=NAMES, progress=False)
    atlas = build_atlas(
        model, out=tmp_path / "atlas", layers=NAMES, units=[0, 1], steps=2, size=12, survey=survey, progress=False
    )
    export(atlas, tmp_path / "pictures", progress=False)
    for folder in ("survey", "atlas", "pictures"):
        # The folders of layers on their way, too.
        files = [path.relative_to(tmp_path).as_posix() for path in (tmp_path / folder).rglob("*")]
        assert len({file.lower() for file in files}) == len(files)
        assert any("Conv~" in file for file in files) and any("/conv" in file and "~" not in file for file in files)
    # Each has its own numbers and pictures.
    values = model.apply(model.weights, images.astype(np.float32) / 255, layers=NAMES)
    for name in NAMES:
        assert np.all(survey.maxima(name) <= np.asarray(values[name]).max((1, 2)) + 1e-3)
        assert atlas.picture(f"{name}:1").score == next(row.score for row in atlas.rows(layers=[name]) if row.unit == 1)
    scores = {atlas.picture(f"{name}:1").score for name in NAMES}
    assert len(scores) == len(NAMES)
    pages = {page.read_text() for page in (tmp_path / "atlas" / "site" / "layers").glob("*.html")}
    assert len(pages) == len(NAMES)
    assert fv.open_survey(tmp_path / "survey", model).maxima("Conv").shape == (6, 3)


def test_pictures_of_such_layers_have_names_of_their_own():
    model = fv.from_function(network, {"kernel": KERNEL}, input=SPEC)
    stems = file_stems(model, [fv.channel(name, 1) for name in NAMES])
    assert len({stem.lower() for stem in stems}) == len(NAMES)
    assert stems[0] == "conv-1" and stems[3] == "pool-1" and stems[1].startswith("Conv-1-")


def test_other_layers_keep_their_paths():
    assert layer_paths(["Conv_0", "a/b", "conv_1"]) == {
        "Conv_0": "layers/Conv_0", "a/b": "layers/a%2Fb", "conv_1": "layers/conv_1"
    }  # fmt: skip
