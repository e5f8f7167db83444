"""ATen's normalizations, and norms of vectors."""

from collections.abc import Callable, Sequence
from math import prod
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

Optional = jax.Array | None


def _along(vector: jax.Array, axis: int, rank: int) -> jax.Array:
    return vector.reshape([-1 if other == axis else 1 for other in range(rank)])


def _scale(x: jax.Array, weight: Optional, bias: Optional, axis: int = 1) -> jax.Array:
    if weight is not None:
        x = x * _along(weight, axis, x.ndim)
    return x if bias is None else x + _along(bias, axis, x.ndim)


def _standardize(x: jax.Array, axes: Sequence[int], eps: float) -> jax.Array:
    centered = x - jnp.mean(x, axes, keepdims=True)
    return centered * lax.rsqrt(jnp.mean(centered * centered, axes, keepdims=True) + eps)


def _batch_norm(
    x: jax.Array,
    weight: Optional,
    bias: Optional,
    running_mean: Optional,
    running_var: Optional,
    training: bool,
    momentum: float,
    eps: float,
    *rest: Any,
) -> jax.Array:
    if training or running_mean is None or running_var is None:
        return _scale(_standardize(x, [axis for axis in range(x.ndim) if axis != 1], eps), weight, bias)
    factor = lax.rsqrt(running_var + eps)
    factor = factor if weight is None else factor * weight
    return _scale(x - _along(running_mean, 1, x.ndim), factor, bias)


def _batch_norm_of_statistics(
    x: jax.Array, weight: Optional, bias: Optional, mean: jax.Array, var: jax.Array, momentum: float, eps: float
) -> tuple[jax.Array, jax.Array, jax.Array]:
    return _batch_norm(x, weight, bias, mean, var, False, momentum, eps), jnp.zeros(0), jnp.zeros(0)


def _batch_norm_of_batch(x: jax.Array, weight: Optional, bias: Optional, *rest: Any) -> tuple[jax.Array, ...]:
    # With statistics (mean, var, training, momentum, eps) or without (training, momentum, eps).
    training, momentum, eps = rest[-3:]
    mean, var = rest[:2] if len(rest) > 3 else (None, None)
    axes = [axis for axis in range(x.ndim) if axis != 1]
    used = jnp.mean(x, axes), lax.rsqrt(jnp.var(x, axes) + eps)
    return _batch_norm(x, weight, bias, mean, var, training, momentum, eps), *used, jnp.mean(x, axes), jnp.var(x, axes)


def _layer_norm(
    x: jax.Array,
    normalized_shape: Sequence[int],
    weight: Optional = None,
    bias: Optional = None,
    eps: float = 1e-5,
    *rest: Any,
) -> jax.Array:
    y = _standardize(x, range(x.ndim - len(normalized_shape), x.ndim), eps)
    y = y if weight is None else y * weight
    return y if bias is None else y + bias


def _native_layer_norm(x: jax.Array, shape: Sequence[int], *rest: Any) -> tuple[jax.Array, jax.Array, jax.Array]:
    return _layer_norm(x, shape, *rest), jnp.zeros(0), jnp.zeros(0)


def _rms_norm(
    x: jax.Array, normalized_shape: Sequence[int], weight: Optional = None, eps: float | None = None
) -> jax.Array:
    axes = range(x.ndim - len(normalized_shape), x.ndim)
    tiny = float(jnp.finfo(x.dtype).eps) if eps is None else eps
    y = x * lax.rsqrt(jnp.mean(x * x, axes, keepdims=True) + tiny)
    return y if weight is None else y * weight


def _group_norm(
    x: jax.Array, num_groups: int, weight: Optional = None, bias: Optional = None, eps: float = 1e-5, *rest: Any
) -> jax.Array:
    grouped = x.reshape(x.shape[0], num_groups, x.shape[1] // num_groups, *x.shape[2:])
    return _scale(_standardize(grouped, range(2, grouped.ndim), eps).reshape(x.shape), weight, bias)


def _native_group_norm(
    x: jax.Array, weight: Optional, bias: Optional, n: int, channels: int, positions: int, group: int, eps: float
) -> tuple[jax.Array, jax.Array, jax.Array]:
    return _group_norm(x, group, weight, bias, eps), jnp.zeros(0), jnp.zeros(0)


def _instance_norm(
    x: jax.Array,
    weight: Optional,
    bias: Optional,
    running_mean: Optional,
    running_var: Optional,
    use_input_stats: bool,
    momentum: float,
    eps: float,
    *rest: Any,
) -> jax.Array:
    if not use_input_stats:
        return _batch_norm(x, weight, bias, running_mean, running_var, False, momentum, eps)
    return _scale(_standardize(x, range(2, x.ndim), eps), weight, bias)


def _linalg_vector_norm(
    x: jax.Array, ord: float = 2, dim: Any = None, keepdim: bool = False, dtype: Any = None
) -> jax.Array:
    return vector_norm(x, ord=ord, dim=dim, keepdim=keepdim)


def vector_norm(x: jax.Array, *, ord: float = 2, dim: Any = None, keepdim: bool = False) -> jax.Array:
    """The norm of PyTorch's `torch.linalg.vector_norm`.

    >>> vector_norm(jnp.array([[3.0, 4.0], [0.0, 0.0]]), dim=1).tolist()
    [5.0, 0.0]
    """
    everything = dim is None or dim == [] or x.ndim == 0
    axes = tuple(range(x.ndim)) if everything else (dim,) if isinstance(dim, int) else tuple(dim)
    if ord == 2:
        squares = jnp.sum(jnp.square(jnp.abs(x)), axes, keepdims=keepdim)
        # At zero PyTorch takes the subgradient zero.
        return jnp.where(squares > 0, jnp.sqrt(jnp.where(squares > 0, squares, 1.0)), 0.0)
    if ord == float("inf"):
        return jnp.max(jnp.abs(x), axes, keepdims=keepdim)
    if ord == float("-inf"):
        return jnp.min(jnp.abs(x), axes, keepdims=keepdim)
    if ord == 0:
        return jnp.sum(x != 0, axes, keepdims=keepdim).astype(jnp.float32)
    # At zero PyTorch takes the subgradient zero of powers below one as well.
    total = jnp.sum(jnp.abs(x) ** ord, axes, keepdims=keepdim)
    return jnp.where(total > 0, jnp.where(total > 0, total, 1.0) ** (1 / ord), 0.0)


def _norm(x: jax.Array, p: float | None = 2, dim: Any = None, keepdim: bool = False, dtype: Any = None) -> jax.Array:
    return vector_norm(x, ord=2 if p is None else p, dim=dim, keepdim=keepdim)


def _weight_norm(v: jax.Array, g: jax.Array, dim: int = 0) -> jax.Array:
    return v * (g / vector_norm(v, dim=[axis for axis in range(v.ndim) if axis != dim % v.ndim], keepdim=True))


def _channel_shuffle(x: jax.Array, groups: int) -> jax.Array:
    n, channels, *space = x.shape
    return x.reshape(n, groups, channels // groups, prod(space)).swapaxes(1, 2).reshape(x.shape)


NORMS: dict[str, Callable[..., Any]] = {
    "batch_norm": _batch_norm,
    "_native_batch_norm_legit_no_training": _batch_norm_of_statistics,
    "_native_batch_norm_legit": lambda *args: _batch_norm_of_batch(*args)[:3],
    "_native_batch_norm_legit_functional": _batch_norm_of_batch,
    "native_batch_norm": lambda *args: _batch_norm_of_batch(*args)[:3],
    "layer_norm": _layer_norm,
    "native_layer_norm": _native_layer_norm,
    "rms_norm": _rms_norm,
    "_fused_rms_norm": lambda *args: (_rms_norm(*args), jnp.zeros(0)),
    "group_norm": _group_norm,
    "native_group_norm": _native_group_norm,
    "instance_norm": _instance_norm,
    "linalg_vector_norm": _linalg_vector_norm,
    "dist": lambda x, y, p=2: vector_norm(x - y, ord=p),
    "norm": _norm,
    "_weight_norm": _weight_norm,
    "channel_shuffle": _channel_shuffle,
    "native_channel_shuffle": _channel_shuffle,
}
