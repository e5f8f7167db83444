"""What passes its options on shows them by name, with the defaults that they have where they arrive."""

import inspect

import pytest

import featviz as fv
from featviz.dreaming.dream import prepare
from featviz.rendering.render import render_groups

RENDERING = set(inspect.signature(render_groups).parameters) - {
    "model",
    "objectives",
    "count",
    "on_start",
    "snapshot_every",
}
DREAMING = set(inspect.signature(prepare).parameters) - {"model", "size", "objective"}
GIVEN = {"weights", "start", "lanes"}
# What a notebook or a loop of one's own does without.
SILENT = {"progress": False}


@pytest.mark.parametrize(
    ("function", "names", "arrive", "own"),
    [
        (fv.render, RENDERING, render_groups, {}),
        (fv.render_each, RENDERING, render_groups, {}),
        (fv.render_group, RENDERING, render_groups, {}),
        (fv.compare, RENDERING, render_groups, {}),
        (fv.stream, RENDERING, render_groups, SILENT),
        (fv.Watch, RENDERING - GIVEN, render_groups, SILENT),
        (fv.dream, DREAMING, prepare, {}),
        (fv.dream_film, DREAMING, prepare, {}),
        (fv.dream_frames, DREAMING, prepare, {}),
    ],
)
def test_every_option_is_in_the_signature(function, names, arrive, own):
    shown = inspect.signature(function).parameters
    assert names <= set(shown) and "options" not in shown
    assert all(shown[name].kind is inspect.Parameter.KEYWORD_ONLY for name in names)
    expected = {name: inspect.signature(arrive).parameters[name].default for name in names} | own
    assert {name: shown[name].default for name in expected} == expected


def test_an_option_that_there_is_not_is_refused(tiny):
    with pytest.raises(TypeError, match="unexpected keyword argument 'sise'"):
        fv.render(tiny, fv.logit(0), sise=16)
