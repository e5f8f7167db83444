"""Results that are kept with their owner: found again, bounded, and gone with it."""

import copy
import gc
import pickle
import weakref
from functools import partial

import jax
import numpy as np
import pytest

import featviz as fv
from featviz.common.compilation import compiled
from featviz.common.kept import Kept, kept_with_owner
from featviz.model.shapes import shapes_at


class Owner:
    pass


def test_results_are_computed_once_for_each_owner_and_arguments():
    calls = []

    @kept_with_owner(maxsize=2)
    def add(owner, number):
        calls.append(number)
        return number + 1

    one, other = Owner(), Owner()
    assert [add(owner, number) for owner in (one, other, one) for number in (1, 2, 1)] == [2, 3, 2] * 3
    assert calls == [1, 2, 1, 2]
    # The last two stay: 1, which was asked for after 2, and 3.
    assert [add(one, number) for number in (3, 1, 2)] == [4, 2, 3] and calls[4:] == [3, 2]
    # What has no attributes is computed each time.
    assert [add(None, 5), add(None, 5)] == [6, 6] and calls[6:] == [5, 5]


def test_copies_begin_with_nothing():
    owner = partial(max, 1)
    kept_with_owner(maxsize=1)(lambda owner: lambda: owner)(owner)
    for other in (pickle.loads(pickle.dumps(owner)), copy.deepcopy(owner)):
        assert other(2) == 2 and list(vars(other).values()) == [Kept()]


def network(apply_to):
    weights = {"w": np.random.default_rng(0).random((3, 4), np.float32)}
    return fv.from_function(
        lambda weights, images: apply_to(images @ weights["w"]), weights, input=fv.InputSpec(size=(16, 16))
    )


@pytest.mark.parametrize("rendered", [False, True])
def test_a_network_goes_with_all_that_was_compiled_for_it(rendered):
    def square(x):
        return jax.numpy.square(x)

    model = network(square)
    layer = model.layers[-1].name
    gone = [weakref.ref(square), weakref.ref(model), weakref.ref(model.apply), weakref.ref(model.weights["w"])]
    for size in (16, 20, 24):
        shapes_at(model, (layer,), (size, size))
        if rendered:
            picture = fv.render(model, fv.channel(layer, 0), size=size, steps=2, progress=False)
            assert picture.pixels.shape == (size, size, 3)
    program = compiled(
        jax.jit(partial(model.apply)),
        model.weights,
        np.ones((1, 16, 16, 3), np.float32),
    )
    del model, square, program
    gc.collect()
    assert [each() for each in gone] == [None] * 4
