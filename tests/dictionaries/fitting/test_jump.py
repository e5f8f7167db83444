"""The gradients of thresholds, by the formulas of Rajamanoharan et al. 2024."""

import jax
import jax.numpy as jnp
import numpy as np

from featviz.dictionaries.fitting.jump import BANDWIDTH, jump_relu, step_at

RNG = np.random.default_rng(0)
VALUES = RNG.uniform(0.9, 1.1, (50, 3)).astype(np.float32)
THRESHOLD = np.full(3, 1.0, np.float32)
WEIGHTS = RNG.normal(size=(50, 3)).astype(np.float32)
NEAR = (np.abs(VALUES - THRESHOLD) < BANDWIDTH / 2) / BANDWIDTH


def test_of_the_latents():
    def weighed(values, threshold):
        return jnp.sum(WEIGHTS * jump_relu(values, threshold))

    of_values, of_threshold = jax.grad(weighed, (0, 1))(VALUES, THRESHOLD)
    np.testing.assert_allclose(of_values, np.where(VALUES > 1, WEIGHTS, 0))
    np.testing.assert_allclose(of_threshold, -(THRESHOLD * NEAR * WEIGHTS).sum(axis=0), rtol=1e-5)


def test_of_how_many_fire():
    def weighed(values, threshold):
        return jnp.sum(WEIGHTS * step_at(values, threshold))

    of_values, of_threshold = jax.grad(weighed, (0, 1))(VALUES, THRESHOLD)
    assert not np.asarray(of_values).any()
    np.testing.assert_allclose(of_threshold, -(NEAR * WEIGHTS).sum(axis=0), rtol=1e-5)
