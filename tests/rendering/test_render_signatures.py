"""Every function that renders or dreams writes its options out, the same option everywhere alike."""

import inspect

import pytest

import featviz as fv
from featviz.dreaming.prepared_dream import prepare_dream
from featviz.rendering.request import make_request

RENDERING = set(inspect.signature(make_request).parameters) - {"model", "objectives", "group_size"}
DREAMING = set(inspect.signature(prepare_dream).parameters) - {"model", "size", "objective"}
# Functions for notebooks and training loops show no progress bar by default.
QUIET = {"progress": False}


@pytest.mark.parametrize(
    ("function", "names", "reference", "different"),
    [
        (fv.render, RENDERING, make_request, {}),
        (fv.render_each, RENDERING, make_request, {}),
        (fv.render_group, RENDERING, make_request, {}),
        # `compare` takes the weights from its checkpoints, `Watch` from the training, with the lanes and the start.
        (fv.compare, RENDERING - {"weights"}, make_request, {}),
        (fv.stream, RENDERING, make_request, QUIET),
        (fv.Watch, RENDERING - {"weights", "start", "keep", "lanes"}, make_request, QUIET),
        (fv.dream, DREAMING, prepare_dream, {}),
        (fv.dream_film, DREAMING, prepare_dream, {}),
        # Its `keep` is the share of the change that the next frame starts with, its `keep_channels` what others keep.
        (fv.dream_frames, DREAMING - {"keep"}, prepare_dream, {}),
    ],
)
def test_every_option_is_in_the_signature(function, names, reference, different):
    shown = inspect.signature(function).parameters
    expected = inspect.signature(reference).parameters
    assert names <= set(shown) and "options" not in shown
    assert not any(parameter.kind is inspect.Parameter.VAR_KEYWORD for parameter in shown.values())
    assert all(shown[name].kind is inspect.Parameter.KEYWORD_ONLY for name in names)
    defaults = {name: expected[name].default for name in names} | different
    assert {name: shown[name].default for name in defaults} == defaults
    # As text: jaxtyping makes a new type each time one is written.
    annotations = {name: str(expected[name].annotation) for name in names}
    assert {name: str(shown[name].annotation) for name in names} == annotations


def test_an_unknown_option_is_refused(tiny):
    with pytest.raises(TypeError, match="unexpected keyword argument 'sise'"):
        fv.render(tiny, fv.logit(0), sise=16)
