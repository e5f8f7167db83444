"""The garbage collector's thresholds while something is traced, and afterwards."""

import gc
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import jax
import numpy as np
import pytest

import featviz as fv
from featviz.common.rare_collection import THRESHOLDS, rare_collection


@pytest.fixture(autouse=True)
def usual():
    before = gc.get_threshold()
    gc.set_threshold(700, 10, 10)
    yield
    gc.set_threshold(*before)


def test_one_within_another_and_an_error_leave_what_was():
    with rare_collection(), rare_collection():
        assert gc.get_threshold() == THRESHOLDS
    with pytest.raises(KeyError), rare_collection():
        raise KeyError
    assert gc.get_threshold() == (700, 10, 10)


@pytest.mark.parametrize("own", [(0, 10, 10), (100_000, 10, 10)])
def test_who_collects_more_rarely_still_does(own):
    gc.set_threshold(*own)
    with rare_collection():
        assert gc.get_threshold() == own
    assert gc.get_threshold() == own


def test_what_the_code_within_sets_stays():
    with rare_collection():
        gc.set_threshold(900, 10, 10)
    assert gc.get_threshold() == (900, 10, 10)


def test_threads_that_end_in_any_order():
    ends = Barrier(2)

    def first():
        with rare_collection():
            ends.wait()
            ends.wait()

    with ThreadPoolExecutor() as pool:
        running = pool.submit(first)
        ends.wait()
        with rare_collection():
            ends.wait()
            running.result()
            assert gc.get_threshold() == THRESHOLDS
    assert gc.get_threshold() == (700, 10, 10)


def test_a_network_is_traced_under_it():
    found = []

    def network(weights, images):
        found.append(gc.get_threshold())
        return jax.numpy.einsum("nhwc,cd->nhwd", images, weights)

    weights = np.ones((3, 4), np.float32)
    fv.from_function(network, weights, input=fv.InputSpec(size=(8, 8)))
    assert set(found) == {THRESHOLDS}
    assert gc.get_threshold() == (700, 10, 10)
