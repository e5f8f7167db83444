"""The key of an entry names everything that can change its pixels."""

import dataclasses

from support.atlases import PLAN

import featviz as fv
from featviz.atlas.plan import make_plan


def test_a_key_names_everything_that_can_change_the_pixels(tiny, other_weights):
    def key(model=tiny, **options):
        return make_plan(model, **{**PLAN, **options}).tasks[0].series.key(0)

    same = key()
    changed = {
        "weights": key(dataclasses.replace(tiny, weights=other_weights)),
        "input": key(dataclasses.replace(tiny, input=dataclasses.replace(tiny.input, mean=(0.1,)))),
        "recipe": key(recipe=fv.recipes.lucid),
        "size": key(size=24),
        "sides": key(size=(16, 24)),
        "steps": key(steps=5),
        "seed": key(seed=1),
        "dtype": key(dtype="bfloat16"),
    }
    assert len({same, *changed.values()}) == len(changed) + 1
    assert key() == same and key(units=[3]) == same and key(layers=["conv1"]) == same
    renamed = dataclasses.replace(tiny, name="other", source={"weights": "elsewhere.safetensors"})
    assert key(renamed) == same
    series = make_plan(tiny, **PLAN).tasks[0].series
    assert series.key(1) != same
    for computation in ({"routine": 0}, {"architecture": "another"}):
        assert dataclasses.replace(series, computation={**series.computation, **computation}).key(0) != same
    versions = {**series.run["versions"], "jax": "0.0"}
    for run in ({"versions": versions}, {"device": {"platform": "cpu", "kind": "other"}}):
        assert dataclasses.replace(series, run={**series.run, **run}).key(0) != same
