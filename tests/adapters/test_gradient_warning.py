"""Networks whose images have no gradient are named with the reason; others are not."""

import warnings

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import featviz as fv

SPEC = fv.InputSpec(size=(8, 8), scale=255.0)
WEIGHTS = np.random.default_rng(0).normal(size=(3, 4)).astype(np.float32)


def adapt(prepare):
    with jax.numpy_rank_promotion("allow"), jax.numpy_dtype_promotion("standard"):
        return fv.from_function(lambda weights, images: {"h": prepare(images) @ weights}, WEIGHTS, input=SPEC)


def gradient(model):
    def total(images):
        return jnp.sum(jnp.square(model.apply(model.weights, images, layers=["h"])["h"]))

    return np.asarray(jax.grad(total)(jnp.full((1, 8, 8, 3), 0.3)))


@pytest.mark.parametrize(
    ("prepare", "reason"),
    [
        (lambda x: x.astype(jnp.uint8) / 255.0, "they become uint8"),
        (lambda x: jnp.round(x), "they pass `round`"),
        (lambda x: jax.lax.floor(x) + 1.0, "they pass `floor`"),
        (lambda x: (x > 100).astype(jnp.float32), "they become bool"),
        (lambda x: jnp.eye(256)[x.astype(jnp.int32)][..., :3].sum(-2), "they become int32"),
    ],
)
def test_the_reason_is_said(prepare, reason):
    with pytest.warns(UserWarning, match=f"no gradient reaches the images of .*, since {reason}"):
        model = adapt(prepare)
    assert not gradient(model).any()


@pytest.mark.parametrize(
    "prepare",
    [
        lambda x: x.astype(jnp.float32) / 255.0,
        lambda x: x - jax.lax.stop_gradient(x) + jax.lax.stop_gradient(jnp.round(x)),
        lambda x: jnp.where(x > 10, x, 0.0),
        lambda x: x + jnp.round(x),
        lambda x: x.astype(jnp.bfloat16).astype(jnp.float32),
    ],
)
def test_networks_with_a_gradient_are_taken_without_a_word(prepare):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = adapt(prepare)
    assert gradient(model).any()
