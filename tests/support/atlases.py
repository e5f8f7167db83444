"""Options, comparisons and files of the atlases that tests share."""

import functools
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


# Of an atlas that no test changes, read once for all that compare with it.
kept_arrays_of = functools.cache(arrays_of)


def assert_equal(unchanging, second):
    a, b = kept_arrays_of(unchanging), arrays_of(second)
    assert a.keys() == b.keys()
    assert all(np.array_equal(a[key], b[key], equal_nan=True) for key in a)


def synthetic(unit, *, side=8, steps=5):
    """A picture whose every value is drawn for the unit."""
    drawn = np.random.default_rng(unit)
    looks = np.array([[0, drawn.normal()], [steps, drawn.normal()]], np.float32)
    history = drawn.normal(size=steps).astype(np.float32)
    pixels = drawn.random((side, side, 3), dtype=np.float32)
    return Picture(pixels, float(drawn.normal()), Outcome.OUT_OF_STEPS, history, {}, None, looks)


SYNTHETIC = "pictures/layer/main-0"


def add_synthetic(store, units, *, side=8, steps=5):
    """The series of a layer of that many synthetic units, without entries."""
    attributes = {"layer": "layer", "role": "main"}
    return store.add_series(SYNTHETIC, (side, side, 3), units, steps, attributes)


def assert_entries(found, units, seeds, *, side=8, steps=5):
    """The arrays of a series, by their names, have the synthetic pictures of these units (unit -> seed) and no more."""
    expected = {
        "pixels": np.zeros((units, side, side, 3), np.uint8),
        "score": np.full(units, np.nan, np.float32),
        "history": np.full((units, steps), -np.inf, np.float32),
        "looks/clean_history": np.full((units, 2, 2), -np.inf, np.float32),
        "outcome": np.zeros(units, np.uint8),
    }
    for unit, seed in seeds.items():
        picture = synthetic(seed, side=side, steps=steps)
        expected["pixels"][unit], expected["score"][unit] = picture.to_uint8(), picture.score
        expected["history"][unit], expected["outcome"][unit] = picture.history, 2
        expected["looks/clean_history"][unit] = picture.clean_history
    for name, values in expected.items():
        np.testing.assert_array_equal(found[name][:], values)


def count_files(folder):
    return sum(path.is_file() for path in folder.rglob("*"))


def page(site, layer, unit):
    return json.loads((site / "units" / layer / str(unit) / "unit.json").read_text())


def picture_of(pixels, name="a picture"):
    return Picture(pixels.astype(np.float32) / 255, 1.0, Outcome.CONVERGED, np.zeros(1), {"name": name})


def plan_tasks(model, steps):
    """The tasks of a plan with the options of `PATTERNS`."""
    return make_plan(model, units=None, full=[], seed=0, dtype=None, steps=steps, **PATTERNS).tasks
