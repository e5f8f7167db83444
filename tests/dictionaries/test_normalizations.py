"""Normalizations against numpy, and that they are undone."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from featviz.dictionaries.normalizations import NORMALIZATIONS, ConstantNorm, Identity, LayerNorm, Standardized


def layer_norm(x):
    return (x - x.mean(-1, keepdims=True)) / (x.std(-1, ddof=1, keepdims=True) + 1e-5)


def constant_norm(x):
    return x * np.sqrt(x.shape[-1]) / np.linalg.norm(x, axis=-1, keepdims=True)


MEAN, SCALE = np.arange(5, dtype=np.float32), np.linspace(1, 2, 5).astype(np.float32)
CASES = [
    (Identity(), lambda x: x),
    (LayerNorm(), layer_norm),
    (ConstantNorm(), constant_norm),
    (Standardized(MEAN, SCALE), lambda x: (x - MEAN) / SCALE),
    (Standardized(MEAN, np.float32(3)), lambda x: (x - MEAN) / 3),
]


def test_every_normalization_is_here():
    assert {type(each) for each, _ in CASES} == set(NORMALIZATIONS.values())


@settings(max_examples=5, deadline=None)
@given(st.integers(0, 10_000), st.floats(0.01, 100))
def test_it_is_what_numpy_makes_of_it_and_is_undone(seed, scale):
    x = (np.random.default_rng(seed).normal(size=(3, 4, 5)) * scale).astype(np.float32)
    for each, expected in CASES:
        np.testing.assert_allclose(each.apply(x), expected(x), rtol=2e-5, atol=4e-5 * max(scale, 1))
        np.testing.assert_allclose(each.undo(each.apply(x), x), x, rtol=4e-3, atol=4e-5 * max(scale, 1))


@pytest.mark.parametrize("index", range(len(CASES)))
def test_an_activation_of_zeros_has_a_gradient(index):
    normalization, _ = CASES[index]
    gradient = jax.grad(lambda x: jnp.sum(normalization.apply(x) * jnp.arange(5.0)[None]))(jnp.zeros((2, 5)))
    assert np.isfinite(gradient).all()
