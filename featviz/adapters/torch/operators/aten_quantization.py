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


def _by_observed_range(
    x: jax.Array,
    observing: Any,
    enabled: jax.Array,
    least_seen: jax.Array,
    largest_seen: jax.Array,
    scale: jax.Array,
    zero_point: jax.Array,
    averaging: float,
    least: int,
    largest: int,
    axis: int,
    per_row: bool = False,
    symmetric: bool = False,
) -> tuple[jax.Array, ...]:
    """With a range that is held as it is: copies of modules observe nothing (`module_copies.still_observers`)."""
    rounded, inside = _per_channel(x, scale, zero_point, axis if per_row else 0, least, largest)
    on = enabled > 0
    return jnp.where(on, rounded, x), inside | ~on, least_seen, largest_seen, scale, zero_point


QUANTIZATION: dict[str, Callable[..., Any]] = {
    "fake_quantize_per_tensor_affine": lambda *args: _per_tensor(*args)[0],
    "fake_quantize_per_channel_affine": lambda *args: _per_channel(*args)[0],
    "fake_quantize_per_tensor_affine_cachemask": _per_tensor,
    "fake_quantize_per_channel_affine_cachemask": _per_channel,
    "_fake_quantize_per_tensor_affine_cachemask_tensor_qparams": _per_tensor_if_enabled,
    "fused_moving_avg_obs_fake_quant": lambda *args: _by_observed_range(*args)[0],
    "_fused_moving_avg_obs_fq_helper": lambda *args: _by_observed_range(*args)[:2],
    "_fused_moving_avg_obs_fq_helper_functional": _by_observed_range,
}
