"""ATen's activation functions, by the formulas that PyTorch documents."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp


def _gelu(x: jax.Array, approximate: str = "none") -> jax.Array:
    return jax.nn.gelu(x, approximate=approximate == "tanh")


def _leaky_relu(x: jax.Array, negative_slope: float = 0.01) -> jax.Array:
    return jnp.where(x > 0, x, x * negative_slope)


def _elu(x: jax.Array, alpha: float = 1, scale: float = 1, input_scale: float = 1) -> jax.Array:
    negative = jnp.where(x > 0, 0.0, x)
    return jnp.where(x > 0, x * scale, alpha * scale * jnp.expm1(negative * input_scale))


def _celu(x: jax.Array, alpha: float = 1.0) -> jax.Array:
    return _elu(x, alpha, 1.0, 1.0 / alpha)


def _selu(x: jax.Array) -> jax.Array:
    return _elu(x, 1.6732632423543772, 1.0507009873554805)


def _prelu(x: jax.Array, weight: jax.Array) -> jax.Array:
    shape = [weight.size if axis == 1 else 1 for axis in range(x.ndim)] if weight.size > 1 else [1] * x.ndim
    return jnp.where(x > 0, x, x * weight.reshape(shape))


def _softplus(x: jax.Array, beta: float = 1, threshold: float = 20) -> jax.Array:
    return jnp.where(x * beta > threshold, x, jax.nn.softplus(jnp.minimum(x * beta, threshold)) / beta)


def _hardtanh(x: jax.Array, min_val: float = -1, max_val: float = 1) -> jax.Array:
    """A clamp whose slope at its ends is zero."""
    if min_val == 0:
        return jax.nn.relu6(x) if max_val == 6 else jnp.minimum(jax.nn.relu(x), jnp.asarray(max_val, x.dtype))
    low, high = jnp.asarray(min_val, x.dtype), jnp.asarray(max_val, x.dtype)
    return jnp.where(x <= low, low, jnp.where(x >= high, high, x))


def _hardsigmoid(x: jax.Array) -> jax.Array:
    # Not by a ReLU, which would be taken for a layer of its own.
    return jnp.where(x <= -3, 0.0, jnp.where(x >= 3, 1.0, x / 6 + 0.5))


def _hardswish(x: jax.Array) -> jax.Array:
    return x * _hardsigmoid(x)


def _threshold(x: jax.Array, threshold: float, value: float) -> jax.Array:
    return jnp.where(x > threshold, x, jnp.asarray(value, x.dtype))


def _softshrink(x: jax.Array, lambd: float = 0.5) -> jax.Array:
    return jnp.where(x > lambd, x - lambd, jnp.where(x < -lambd, x + lambd, x * 0))


def _hardshrink(x: jax.Array, lambd: float = 0.5) -> jax.Array:
    return jnp.where((x >= -lambd) & (x <= lambd), 0.0, x)


def _sigmoid(x: jax.Array) -> jax.Array:
    return jax.nn.sigmoid(x if jnp.issubdtype(x.dtype, jnp.inexact) else x.astype(jnp.float32))


def _glu(x: jax.Array, dim: int = -1) -> jax.Array:
    first, second = jnp.split(x, 2, dim)
    return first * jax.nn.sigmoid(second)


def _softmax(x: jax.Array, dim: int, *rest: Any, **ignored: Any) -> jax.Array:
    return jax.nn.softmax(x.astype(jnp.float32), axis=dim if x.ndim else None)


def safe_softmax(x: jax.Array, dim: int, *rest: Any, **ignored: Any) -> jax.Array:
    """Softmax that is zero where everything is minus infinity."""
    nothing = jnp.all(jnp.isneginf(x), dim, keepdims=True)
    return jnp.where(nothing, 0.0, jax.nn.softmax(jnp.where(nothing, 0.0, x), axis=dim))


def _log_softmax(x: jax.Array, dim: int, *rest: Any, **ignored: Any) -> jax.Array:
    return jax.nn.log_softmax(x.astype(jnp.float32), axis=dim if x.ndim else None)


ACTIVATIONS: dict[str, Callable[..., Any]] = {
    "relu": jax.nn.relu,
    "relu6": jax.nn.relu6,
    "gelu": _gelu,
    "silu": jax.nn.silu,
    "mish": jax.nn.mish,
    "sigmoid": _sigmoid,
    "special_expit": _sigmoid,
    "tanh": jnp.tanh,
    "leaky_relu": _leaky_relu,
    "elu": _elu,
    "celu": _celu,
    "selu": _selu,
    "prelu": _prelu,
    "_prelu_kernel": lambda x, weight: jnp.where(x > 0, x, x * weight),
    "softplus": _softplus,
    "softsign": jax.nn.soft_sign,
    "hardtanh": _hardtanh,
    "hardsigmoid": _hardsigmoid,
    "hardswish": _hardswish,
    "log_sigmoid": jax.nn.log_sigmoid,
    "threshold": _threshold,
    "softshrink": _softshrink,
    "hardshrink": _hardshrink,
    "glu": _glu,
    "softmax": _softmax,
    "_softmax": _softmax,
    "_safe_softmax": safe_softmax,
    "log_softmax": _log_softmax,
    "_log_softmax": _log_softmax,
}
