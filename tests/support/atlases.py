"""Options, comparisons and files of the atlases that tests share."""

import json

import numpy as np
from support.tiny import SMALL

import featviz as fv
from featviz.ascent.outcome import Outcome
from featviz.atlas.plan import make_plan
from featviz.pictures.picture import Picture

# Programs of this recipe compile fast.
RECIPE = fv.recipes.erhan_2009
RENDERED = {"recipe": RECIPE, **SMALL}
OPTIONS = {"layers": ["conv1", "conv2"], "site": False, **RENDERED}
WITH_SITE = {**OPTIONS, "site": True}
# Of a plan alone.
PLAN = {
    "layers": ["conv1", "conv2"],
    "units": None,
    "full": [],
    "recipe": fv.recipes.default,
    "size": 16,
    "steps": 4,
    "seed": 0,
    "dtype": None,
}
# An atlas of the built-in network, which other processes can load.
PATTERNS = {"layers": ["conv1", "conv2"], "recipe": RECIPE, "size": 24}
PATTERNS_STEPS = 60
ARRAYS = ("pixels", "score", "history", "outcome")


def arrays_of(atlas):
    return {(series.path, name): atlas.entries(series.path).arrays[name][:] for series in atlas.plan for name in ARRAYS}


def assert_equal(first, second):
    a, b = arrays_of(first), arrays_of(second)
    assert a.keys() == b.keys()
    assert all(np.array_equal(a[key], b[key], equal_nan=True) for key in a)


def page(site, layer, unit):
    return json.loads((site / "units" / layer / str(unit) / "unit.json").read_text())


def picture_of(pixels, name="a picture"):
    return Picture(pixels.astype(np.float32) / 255, 1.0, Outcome.CONVERGED, np.zeros(1), {"name": name})


def plan_tasks(model, steps):
    """The tasks of a plan with the options of `PATTERNS`."""
    return make_plan(model, units=None, full=[], seed=0, dtype=None, steps=steps, **PATTERNS).tasks
