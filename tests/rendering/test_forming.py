"""In a notebook pictures are shown as they form, and are the same as without."""

import sys
import types

import numpy as np
import pytest
from support.tiny import SMALL

import featviz as fv
from featviz.rendering.forming import notebook_screen, render_shown
from featviz.rendering.request import make_request

TARGETS = [fv.channel("conv1", 3), fv.channel("conv1", 7)]


def test_what_is_shown_changes_and_goes_and_the_pictures_are_those_of_render(tiny):
    shown = []
    options = {**SMALL, "steps": 40, "seed": 3}
    groups = render_shown(make_request(tiny, TARGETS, **options), screen=shown.append, after=0.0, between=0.0)
    whole = fv.render(tiny, TARGETS, **options)
    for index, picture in enumerate(whole):
        np.testing.assert_array_equal(groups[index][0].pixels, picture.pixels)
        np.testing.assert_array_equal(groups[index][0].clean_history, picture.clean_history)
    assert len(set(shown)) > 2 and shown[-1] == ""
    assert whole._repr_html_().count("<img ") == len(TARGETS) and isinstance(whole, list)
    assert all("conv1:" in each for each in shown[:-1])


def test_what_is_quickly_done_is_not_shown(tiny):
    shown = []
    render_shown(make_request(tiny, TARGETS, **{**SMALL, "steps": 2}), screen=shown.append, after=3600.0)
    assert shown == []


class Handle:
    def __init__(self, calls):
        self.calls = calls

    def display(self, html):
        self.calls.append(("display", html))

    def update(self, html):
        self.calls.append(("update", html))


@pytest.fixture
def notebook(monkeypatch):
    """Stands in for IPython with a kernel."""
    calls = []
    ipython = types.ModuleType("IPython")
    ipython.get_ipython = lambda: object()
    display = types.ModuleType("IPython.display")
    display.DisplayHandle, display.HTML = lambda: Handle(calls), str
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    monkeypatch.setitem(sys.modules, "IPython.display", display)
    monkeypatch.setitem(sys.modules, "ipykernel", types.ModuleType("ipykernel"))
    return calls


def test_a_notebook_shows_each_time_in_place_of_the_last(notebook, monkeypatch):
    screen = notebook_screen()
    for text in ("a", "b"):
        screen(text)
    assert notebook == [("display", "a"), ("update", "b")]
    monkeypatch.setattr(sys.modules["IPython"], "get_ipython", lambda: None)
    assert notebook_screen() is None
    monkeypatch.delitem(sys.modules, "IPython")
    assert notebook_screen() is None
