"""Spelling: one text for one computation in every process, and none for what a text does not decide."""

import dataclasses
import enum
import functools
import json
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from featviz.common import spelling
from featviz.common.spelling import Identified, Spelled, UnspelledError, spell
from featviz.objectives import channel, direction
from featviz.optimizers import Adam
from featviz.recipes import resolve
from featviz.zoo.registry import load

plain = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.floats(allow_nan=False) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner, max_size=3),
    max_leaves=6,
)


@given(plain, plain)
def test_plain_values_have_one_text_each(one, other):
    as_json = [json.dumps(each, sort_keys=True) for each in (one, other)]
    assert (spell(one, []) == spell(other, [])) == (as_json[0] == as_json[1])


@given(st.floats(0.001, 1), st.floats(0.001, 1))
def test_pieces_are_spelled_by_all_fields(rate, other):
    assert (spell(Adam(rate), []) == spell(Adam(other), [])) == (rate == other)
    assert spell(Adam(rate), []) != spell(Adam(rate, b1=0.123), [])


def test_arguments_count_by_their_shapes_and_constants_by_their_values():
    shape = jax.ShapeDtypeStruct((2, 3), jnp.float32)
    texts = {
        spell(each, [])
        for each in (
            shape,
            jax.ShapeDtypeStruct((3, 2), jnp.float32),
            jax.ShapeDtypeStruct((2, 3), jnp.bfloat16),
            np.zeros((2, 3), np.float32),
            np.ones((2, 3), np.float32),
            np.ones((2, 3), np.int32),
            jnp.ones((2, 3), jnp.float32),
        )
    }
    # An array of JAX's and the same of NumPy's are one constant.
    assert len(texts) == 6
    with pytest.raises(UnspelledError):
        spell(np.array([object()]), [])


def test_objectives_are_spelled_by_kind_and_layer():
    trees = [
        jax.tree.structure(each) for each in (channel("a", 0), channel("a", 3), channel("b", 0), channel("a", 0) * 2)
    ]
    one, unit, layer, scaled = (spell(tree, []) for tree in trees)
    assert one == unit == scaled and one != layer
    assert spell(jax.tree.structure(direction("a", np.ones(4, np.float32))), []) != one


@dataclasses.dataclass(frozen=True)
class Mine:
    """A piece of a user's."""

    number: int = 0


class Color(enum.Enum):
    """Colors of a user's."""

    RED = 1


def mine(x):
    return x


@pytest.mark.parametrize(
    "value",
    [
        mine,
        lambda x: x,
        Mine(),
        Mine,
        Color.RED,
        object(),
        functools.partial(mine, 1),
        jax.jit(mine),
        (1, [{"a": mine}]),
        iter(()),
        "<function at 0x7f00>",
    ],
)
def test_what_a_text_does_not_decide_has_none(value):
    with pytest.raises(UnspelledError):
        spell(value, [])


def test_a_replaced_function_has_no_text(monkeypatch):
    original = spelling.spell
    assert spell(original, []) == "featviz.common.spelling.spell"
    monkeypatch.setattr(spelling, "spell", lambda *args: "")
    with pytest.raises(UnspelledError):
        original(original, [])


def test_networks_within_are_found():
    network = Spelled(("a", 1))
    found: list[Identified] = []
    assert spell((2, {"b": network}), found) != spell((2, {"b": Spelled(("a", 2))}), []) and found == [network]


def test_texts_are_the_same_in_another_process():
    program = (
        "from featviz.common.spelling import spell; from featviz.recipes import resolve; import featviz as fv\n"
        "print(spell((resolve(None, fv.load('patterns')), fv.load('patterns').apply), []))"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=300)
    model = load("patterns")
    assert result.stdout.strip() == spell((resolve(None, model), model.apply), [])
