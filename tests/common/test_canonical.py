"""Canonical JSON: the literal texts that hashes and provenance stand on."""

import enum
import hashlib
from dataclasses import dataclass

import jax.numpy as jnp
import numpy as np
import optax
import pytest

from featviz.common.canonical import canonical_json, describe, digest
from featviz.errors import FeatvizError
from featviz.objectives import channel, neuron
from featviz.optimizers import Adam, Custom
from featviz.recipes import RECIPES
from featviz.regularizers import Pad


class Color(enum.Enum):
    DARK_RED = 3


@dataclass(frozen=True)
class Box:
    content: object


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "null"),
        (True, "true"),
        (3, "3"),
        (np.int32(3), "3"),
        (0.1, "0.1"),
        (1e-8, "1e-08"),
        (np.float32(0.1), "0.10000000149011612"),
        ("grün", '"gr\\u00fcn"'),
        ({"b": 1, "a": {"d": 2, "c": 3}}, '{"a":{"c":3,"d":2},"b":1}'),
        ((1, [2, (3,)]), "[1,[2,[3]]]"),
        (Color.DARK_RED, '"dark_red"'),
        (Box((Color.DARK_RED, None)), '{"content":["dark_red",null],"kind":"test_canonical.Box"}'),
        (Pad(12, fill=None), '{"fill":null,"kind":"Pad","width":12}'),
        (Adam(0.05), '{"b1":0.9,"b2":0.999,"eps":1e-08,"kind":"Adam","learning_rate":0.05}'),
        (
            channel("a", 3),
            '{"kind":"Objective","terms":[{"kind":"Channel","layer":"a","unit":3}],"weights":[1.0]}',
        ),
        (
            -0.5 * neuron("a", 3, position=(1, 2)),
            '{"kind":"Objective","terms":[{"kind":"Neuron","layer":"a","position":[1,2],"unit":3}],"weights":[-0.5]}',
        ),
    ],
)
def test_literal_texts(value, text):
    assert canonical_json(value) == text
    assert digest(value) == hashlib.sha256(text.encode()).hexdigest()


def test_small_arrays_are_written_out_whatever_made_them():
    rows = [[0.0, 0.5], [1.0, -2.0]]
    for array in (np.array(rows), np.array(rows, np.float32), jnp.array(rows), np.asfortranarray(rows)):
        assert describe(array) == rows


def test_large_arrays_are_named_by_their_bytes():
    array = np.arange(20, dtype=np.float32).reshape(4, 5)
    expected = {"dtype": "float32", "shape": [4, 5], "sha256": hashlib.sha256(array.tobytes()).hexdigest()}
    for same in (array, np.asfortranarray(array), jnp.asarray(array), np.repeat(array, 2, axis=0)[::2]):
        assert describe(same) == expected
    assert describe(array.T) != expected
    assert describe(array.astype(np.float64)) != expected


def test_a_custom_optimizer_is_its_name():
    built = [Custom("sgd", lambda: optax.sgd(1.0)), Custom("sgd", lambda: optax.sgd(2.0))]
    assert [describe(each) for each in built] == [{"kind": "Custom", "name": "sgd"}] * 2


@pytest.mark.parametrize("value", [len, lambda: 0, Color, Box, object(), {1, 2}, b"bytes"])
@pytest.mark.parametrize("wrap", [lambda value: value, lambda value: Box([value])])
def test_what_no_text_can_remake_is_refused(value, wrap):
    with pytest.raises(FeatvizError, match="has no canonical form"):
        describe(wrap(value))


def test_every_recipe_has_a_text_of_its_own():
    assert len({digest(recipe) for recipe in RECIPES.values()}) == len(RECIPES)
