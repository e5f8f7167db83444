"""ATen's rounding as a quantized network has it, with the gradient that passes straight through."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax


def _round_to(
    x: jax.Array, scale: jax.Array, zero_point: jax.Array, least: int, largest: int
) -> tuple[jax.Array, jax.Array]:
    """The nearest number that an integer stands for, and where that is within the integers' range."""
    step = jnp.round(x / scale) + zero_point
    inside = (step >= least) & (step <= largest)
    rounded = (jnp.clip(step, least, largest) - zero_point) * scale
    passed = jnp.where(inside, x, lax.stop_gradient(rounded))
    return passed + lax.stop_gradient(rounded - passed), inside


def _per_tensor(x: jax.Array, scale: Any, zero_point: Any, least: int, largest: int) -> tuple[jax.Array, jax.Array]:
    return _round_to(x, scale, zero_point, least, largest)


def _per_tensor_if_enabled(
    x: jax.Array, scale: Any, zero_point: Any, enabled: jax.Array, least: int, largest: int
) -> tuple[jax.Array, jax.Array]:
    rounded, inside = _round_to(x, scale, zero_point, least, largest)
    return jnp.where(enabled > 0, rounded, x), inside | (enabled <= 0)


def _per_channel(
    x: jax.Array, scale: jax.Array, zero_point: jax.Array, axis: int, least: int, largest: int
) -> tuple[jax.Array, jax.Array]:
    shape = [-1 if other == axis else 1 for other in range(x.ndim)]
    return _round_to(x, scale.reshape(shape), zero_point.reshape(shape), least, largest)


QUANTIZATION: dict[str, Callable[..., Any]] = {
    "fake_quantize_per_tensor_affine": lambda *args: _per_tensor(*args)[0],
    "fake_quantize_per_channel_affine": lambda *args: _per_channel(*args)[0],
    "fake_quantize_per_tensor_affine_cachemask": _per_tensor,
    "fake_quantize_per_channel_affine_cachemask": _per_channel,
    "_fake_quantize_per_tensor_affine_cachemask_tensor_qparams": _per_tensor_if_enabled,
}
