"""ATen's operators that make arrays: ranges and constants."""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np


def _kind(dtype: Any, default: Any) -> Any:
    return default if dtype is None else dtype


def _default(value: Any) -> Any:
    return bool if isinstance(value, bool) else jnp.int32 if isinstance(value, int) else jnp.float32


def _arange(*args: Any, dtype: Any = None) -> jax.Array:
    kind = np.dtype(_kind(dtype, jnp.int32 if all(isinstance(arg, int) for arg in args) else jnp.float32))
    return jnp.asarray(np.arange(*_truncated(args, kind)), kind)


def _truncated(args: Sequence[Any], kind: np.dtype) -> list[Any]:
    """The arguments of a range, of integers where the range is."""
    return [int(arg) for arg in args] if kind.kind in "iu" else list(args)


def _linspace(start: Any, end: Any, steps: int, *, dtype: Any = None) -> jax.Array:
    kind = np.dtype(_kind(dtype, jnp.float32))
    if isinstance(start, jax.Array) or isinstance(end, jax.Array):
        return jnp.linspace(start, end, steps).astype(kind)
    start, end = _truncated((start, end), kind)
    return jnp.asarray(np.linspace(start, end, steps), kind)


def _logspace(start: float, end: float, steps: int, base: float = 10.0, *, dtype: Any = None) -> jax.Array:
    return jnp.asarray(np.logspace(start, end, steps, base=base), _kind(dtype, jnp.float32))


def _full(size: Sequence[int], value: Any, *, dtype: Any = None) -> jax.Array:
    return jnp.full(tuple(size), value, _kind(dtype, _default(value)))


def _full_like(x: jax.Array, value: Any, *, dtype: Any = None) -> jax.Array:
    return jnp.full(x.shape, value, _kind(dtype, x.dtype))


def _of_size(value: float) -> Callable[..., jax.Array]:
    def run(size: Sequence[int], *, dtype: Any = None) -> jax.Array:
        return jnp.full(tuple(size), value, _kind(dtype, jnp.float32))

    return run


def _like(value: float) -> Callable[..., jax.Array]:
    def run(x: jax.Array, *, dtype: Any = None) -> jax.Array:
        return jnp.full(x.shape, value, _kind(dtype, x.dtype))

    return run


def _new(value: float) -> Callable[..., jax.Array]:
    def run(x: jax.Array, size: Sequence[int], *, dtype: Any = None) -> jax.Array:
        return jnp.full(tuple(size), value, _kind(dtype, x.dtype))

    return run


def _new_full(x: jax.Array, size: Sequence[int], value: Any, *, dtype: Any = None) -> jax.Array:
    return jnp.full(tuple(size), value, _kind(dtype, x.dtype))


def _scalar(value: Any, *, dtype: Any = None) -> jax.Array:
    return jnp.asarray(value, _kind(dtype, _default(value)))


def _eye(n: int, m: int | None = None, *, dtype: Any = None) -> jax.Array:
    return jnp.eye(n, m, dtype=_kind(dtype, jnp.float32))


def _triangle_indices(function: Callable[..., Any]) -> Callable[..., jax.Array]:
    def run(row: int, col: int, offset: int = 0, *, dtype: Any = None) -> jax.Array:
        return jnp.asarray(np.stack(function(row, offset, col)), _kind(dtype, jnp.int32))

    return run


def _copy(x: jax.Array, src: Any, *rest: Any) -> jax.Array:
    return jnp.broadcast_to(jnp.asarray(src, x.dtype), x.shape)


CREATION: dict[str, Callable[..., Any]] = {
    "arange": _arange,
    "linspace": _linspace,
    "logspace": _logspace,
    "full": _full,
    "full_like": _full_like,
    "zeros": _of_size(0),
    "ones": _of_size(1),
    "empty": _of_size(0),
    "empty_strided": lambda size, stride, *, dtype=None: _of_size(0)(size, dtype=dtype),
    "empty_permuted": lambda size, order, *, dtype=None: _of_size(0)(size, dtype=dtype),
    "zeros_like": _like(0),
    "zero": _like(0),
    "ones_like": _like(1),
    "empty_like": _like(0),
    "new_zeros": _new(0),
    "new_ones": _new(1),
    "new_empty": _new(0),
    "new_full": _new_full,
    "new_empty_strided": lambda x, size, stride, *, dtype=None: _new(0)(x, size, dtype=dtype),
    "scalar_tensor": _scalar,
    "eye": _eye,
    "tril_indices": _triangle_indices(np.tril_indices),
    "triu_indices": _triangle_indices(np.triu_indices),
    "copy": _copy,
    "fill": lambda x, value: jnp.full(x.shape, value, x.dtype),
}
