"""Plain values come back as they were, and no text makes anything but the classes that are allowed."""

import json

import optax
import pytest
from hypothesis import given
from hypothesis import strategies as st

from featviz.ascent import Convergence
from featviz.common.plain_json import from_json, to_json
from featviz.errors import FeatvizError
from featviz.model import Layer

PACKAGES = ("featviz", "optax")
LEAVES = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
KEYS = st.text() | st.integers() | st.tuples(st.integers(), st.text())
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner) | st.lists(inner).map(tuple) | st.dictionaries(KEYS, inner),
    max_leaves=12,
)


@given(VALUES)
def test_plain_values_come_back(value):
    found = from_json(to_json(value, ()), ())
    assert found == value
    assert repr(found) == repr(value)


def test_named_tuples_and_dataclasses_come_back():
    value = [Layer("a", (3, 4), ("b",), True), Convergence(window=8), (optax.EmptyState(), optax.TraceState(trace=1))]
    found = from_json(to_json(value, PACKAGES), PACKAGES)
    assert found == value
    assert list(map(type, found)) == list(map(type, value))


@pytest.mark.parametrize("value", [object(), {1, 2}, b"bytes", Convergence, lambda: 0, 1j])
def test_anything_else_is_refused(value):
    with pytest.raises(FeatvizError, match="plain value"):
        to_json([value], PACKAGES)


def test_a_class_of_another_package_is_refused():
    with pytest.raises(FeatvizError, match=r"optax\S* is no plain value"):
        to_json(optax.EmptyState(), ("featviz",))


@pytest.mark.parametrize(
    "value",
    [
        {"class": "subprocess:Popen", "fields": {"args": "true"}},
        {"class": "featviz.common.files:write_atomic", "fields": {}},
        {"class": "featviz.ascent.routine:Convergence", "fields": {"window": 1}},
        {"class": "featviz.errors:FeatvizError", "fields": {}},
        {"set": [1]},
        {"tuple": 1},
        {},
    ],
)
def test_other_text_makes_nothing(value):
    with pytest.raises(FeatvizError, match="is not one of"):
        from_json(json.dumps(value), PACKAGES)
    with pytest.raises(FeatvizError, match="is not one of"):
        from_json("{", PACKAGES)
