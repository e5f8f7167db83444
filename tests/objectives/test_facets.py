"""Diverse groups: pulled apart, scored by their unit alone."""

import jax
import jax.numpy as jnp
import numpy as np

import featviz as fv


def test_a_diverse_group_is_pulled_apart_and_scored_by_the_unit_alone():
    h = jax.random.normal(jax.random.key(0), (3, 4, 5))

    def total(h):
        v, apart = jnp.mean(h[..., 2], axis=1), fv.diversity("layer")({"layer": h}) / 2
        return jnp.sum(v + 0.5 * jnp.abs(jax.lax.stop_gradient(v)) * apart)

    objective = fv.diverse(fv.channel("layer", 2), weight=0.5)
    np.testing.assert_allclose(objective({"layer": h}), jnp.mean(h[..., 2], axis=1), rtol=1e-5, atol=1e-6)
    found = jax.jit(jax.grad(lambda h: jnp.sum(objective({"layer": h}))))(h)
    np.testing.assert_allclose(found, jax.jit(jax.grad(total))(h), rtol=1e-4, atol=1e-6)
    assert objective.label == "layer:2"
