"""The JumpReLU and the step, whose thresholds get gradients from values near them (Rajamanoharan et al. 2024)."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

# Values as near as half of this to the threshold give it a gradient; for inputs of unit variance (SAELens).
BANDWIDTH = 0.05


@jax.custom_vjp
def jump_relu(values: Float[Array, "n latents"], threshold: Float[Array, " latents"]) -> Float[Array, "n latents"]:
    """The values that exceed the threshold, and 0 for the others.

    >>> jump_relu(jnp.array([[1.0, 3.0]]), jnp.array([2.0, 2.0])).tolist()
    [[0.0, 3.0]]
    """
    return jnp.where(values > threshold[None], values, 0)


@jax.custom_vjp
def step_at(values: Float[Array, "n latents"], threshold: Float[Array, " latents"]) -> Float[Array, "n latents"]:
    """1 where values exceed the threshold, else 0; a gradient goes to the threshold alone.

    >>> values, threshold = jnp.array([[2.01, 3.0]]), jnp.array([2.0, 2.0])
    >>> gradient = jax.grad(lambda threshold: step_at(values, threshold).sum())(threshold)
    >>> round(float(gradient[0]), 2), float(abs(gradient[1]))
    (-20.0, 0.0)
    """
    return (values > threshold[None]).astype(values.dtype)


def _near(values: Array, threshold: Array) -> Array:
    return (jnp.abs(values - threshold[None]) < BANDWIDTH / 2).astype(values.dtype) / BANDWIDTH


def _jump_forward(values: Array, threshold: Array) -> tuple[Array, tuple[Array, Array]]:
    return jump_relu(values, threshold), (values, threshold)


def _jump_backward(kept: tuple[Array, Array], g: Array) -> tuple[Array, Array]:
    values, threshold = kept
    return jnp.where(values > threshold[None], g, 0), -jnp.sum(threshold[None] * _near(values, threshold) * g, axis=0)


def _step_forward(values: Array, threshold: Array) -> tuple[Array, tuple[Array, Array]]:
    return step_at(values, threshold), (values, threshold)


def _step_backward(kept: tuple[Array, Array], g: Array) -> tuple[Array, Array]:
    values, threshold = kept
    return jnp.zeros_like(values), -jnp.sum(_near(values, threshold) * g, axis=0)


jump_relu.defvjp(_jump_forward, _jump_backward)
step_at.defvjp(_step_forward, _step_backward)
