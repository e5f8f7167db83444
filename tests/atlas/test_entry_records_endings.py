"""Units whose pictures mean little, in an atlas: its table, its report, its pages and their data."""

import json

import jax.numpy as jnp
import numpy as np
import pytest

import featviz as fv
from featviz.atlas.build import build_atlas
from featviz.atlas.entry_records import picture_faults
from featviz.pictures.picture import Outcome

CONSTANT = "its score changed by 0 of its size 1 in 8 steps: it hardly depends on the image"
UNMOVED = "in 8 steps, and they hardly moved the picture off its starting noise"


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    def network(weights, images):
        return {"u": jnp.einsum("nhwc,cu->nhwu", images, weights) + jnp.array([0.0, 1.0, 0.0])}

    weights = np.full((3, 3), [1, 1e-9, 1e-25], np.float32)
    model = fv.from_function(network, weights, input=fv.InputSpec(size=16), axes={"u": -1})
    return build_atlas(model, out=tmp_path_factory.mktemp("told") / "a", size=16, steps=8, progress=False)


def test_the_table_and_the_report(made):
    assert made.table()["outcome"].tolist() == ["out of steps", "constant", "unmoved"]
    report = "\n".join(made.report())
    assert "constant: u:1" in report and "unmoved: u:2" in report and "u:0" not in report
    assert CONSTANT in made.picture("u:1").ending and UNMOVED in made.picture("u:2").ending


@pytest.mark.parametrize(("unit", "word", "sentence"), [(1, "constant", CONSTANT), (2, "unmoved", UNMOVED)])
def test_pages_say_it_with_figures(made, unit, word, sentence):
    page = made.store.folder / "site" / "units" / "u" / str(unit)
    text = (page / "index.html").read_text("utf-8")
    assert word in text and sentence[1:] in " ".join(text.split())
    record = json.loads((page / "unit.json").read_text("utf-8"))
    assert word in record["faults"] and record["pictures"][0]["outcome"] == word


def test_a_picture_rises_by_itself_or_in_its_views():
    noise = np.random.default_rng(0).integers(0, 256, (8, 8, 3)).astype(np.uint8)
    views, clean = np.array([1.0, 0.5, 0.2]), np.array([0.0, 0.4, 0.9])
    assert picture_faults(noise, Outcome.OUT_OF_STEPS, views) == ("never rises",)
    assert picture_faults(noise, Outcome.OUT_OF_STEPS, views, clean_scores=clean) == ()
    assert picture_faults(noise, Outcome.OUT_OF_STEPS, clean, clean_scores=views) == ()
    assert picture_faults(noise, Outcome.OUT_OF_STEPS, views, clean_scores=views) == ("never rises",)
