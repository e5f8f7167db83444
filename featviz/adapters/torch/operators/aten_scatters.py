"""ATen's operators that replace parts of an array: slices, indices, masks, scatters."""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from featviz.adapters.torch.operators.aten_indexing import along, bounds, grid_key, index_key


def _replace_slice(
    x: jax.Array, src: jax.Array, dim: int = 0, start: int | None = None, end: int | None = None, step: int = 1
) -> jax.Array:
    first, last = bounds(x.shape[dim], start, end)
    return x.at[along(dim, x.ndim, slice(first, last, step))].set(src)


def _replace_selected(x: jax.Array, src: jax.Array, dim: int, index: int) -> jax.Array:
    return x.at[along(dim, x.ndim, index)].set(src)


def _diagonal_scatter(x: jax.Array, src: jax.Array, offset: int = 0, dim1: int = 0, dim2: int = 1) -> jax.Array:
    moved = jnp.moveaxis(x, (dim1, dim2), (-2, -1))
    places = np.arange(src.shape[-1])
    rows, columns = places + max(0, -offset), places + max(0, offset)
    return jnp.moveaxis(moved.at[..., rows, columns].set(src.astype(x.dtype)), (-2, -1), (dim1, dim2))


def _index_put(x: jax.Array, indices: Sequence[Any], values: jax.Array, accumulate: bool = False) -> jax.Array:
    if any(index is not None and index.dtype == bool for index in indices):
        return _put_where(x, indices, values, accumulate)
    target = x.at[index_key(indices)]
    values = values.astype(x.dtype)
    return target.add(values) if accumulate else target.set(values)


def _put_where(x: jax.Array, indices: Sequence[Any], values: jax.Array, accumulate: bool) -> jax.Array:
    """Assignment to `x[:, mask]` of the same values wherever the mask is true."""
    before = 0
    while indices[before] is None:
        before += 1
    mask, *others = indices[before:]
    behind = x.ndim - before - mask.ndim
    # The places where the mask is true are one axis of what is assigned.
    count = values.shape[-behind - 1] if values.ndim > behind else 1
    if count != 1 or any(index is not None for index in others):
        raise NotImplementedError("assignment to an index of booleans, whose number depends on the values")
    shape = values.shape
    if values.ndim > behind:
        place = values.ndim - behind - 1
        shape = (*shape[:place], *(1,) * mask.ndim, *shape[place + 1 :])
    spread = jnp.broadcast_to(values.reshape(shape).astype(x.dtype), x.shape)
    return jnp.where(mask.reshape(*mask.shape, *(1,) * behind), x + spread if accumulate else spread, x)


def _masked_scatter(x: jax.Array, mask: jax.Array, source: jax.Array) -> jax.Array:
    """The values of `source` one after the other where the mask is true."""
    mask = jnp.broadcast_to(mask, x.shape)
    place = jnp.cumsum(mask.reshape(-1)) - 1
    return jnp.where(mask, source.reshape(-1)[jnp.clip(place, 0, source.size - 1)].reshape(x.shape), x)


def _put(x: jax.Array, index: jax.Array, source: jax.Array, accumulate: bool = False) -> jax.Array:
    target = x.reshape(-1).at[index.reshape(-1)]
    return (target.add if accumulate else target.set)(source.reshape(-1)).reshape(x.shape)


def _reduce_at(x: jax.Array, key: tuple[Any, ...], src: Any, reduce: str, include_self: bool = True) -> jax.Array:
    """What is there and what comes there, as one number."""
    kind = x.dtype
    ends = (-np.inf, np.inf) if jnp.issubdtype(kind, jnp.floating) else (jnp.iinfo(kind).min, jnp.iinfo(kind).max)
    neutral = {"sum": 0, "add": 0, "mean": 0, "prod": 1, "multiply": 1, "amax": ends[0], "amin": ends[1]}[reduce]
    count = jnp.zeros(x.shape, jnp.int32).at[key].add(1)
    target = (x if include_self else jnp.where(count > 0, jnp.asarray(neutral, kind), x)).at[key]
    if reduce == "mean":
        total, number = target.add(src), jnp.maximum(count + include_self, 1)
        return total / number if jnp.issubdtype(kind, jnp.floating) else total // number
    ways: dict[str, Callable[..., jax.Array]] = {
        "sum": target.add, "add": target.add, "prod": target.multiply, "multiply": target.multiply,
        "amax": target.max, "amin": target.min,
    }  # fmt: skip
    return ways[reduce](src)


def _scatter(x: jax.Array, dim: int, index: jax.Array, src: Any, reduce: str | None = None, **kwargs: Any) -> jax.Array:
    if x.ndim == 0:
        return _scatter(x[None], 0, index.reshape(-1), jnp.reshape(src, -1), reduce, **kwargs)[0]
    src = src[tuple(slice(size) for size in index.shape)] if isinstance(src, jax.Array) and src.ndim else src
    src = jnp.broadcast_to(jnp.asarray(src, x.dtype), index.shape)
    key = grid_key(index, dim)
    return x.at[key].set(src) if reduce is None else _reduce_at(x, key, src, reduce, **kwargs)


def _scatter_add(x: jax.Array, dim: int, index: jax.Array, src: jax.Array) -> jax.Array:
    return _scatter(x, dim, index, src, "sum")


def _index_reduce(
    x: jax.Array, dim: int, index: jax.Array, source: jax.Array, reduce: str, *, include_self: bool = True
) -> jax.Array:
    return _reduce_at(x, along(dim, x.ndim, index), source, reduce, include_self)


def _index_add(x: jax.Array, dim: int, index: jax.Array, source: jax.Array, *, alpha: float = 1) -> jax.Array:
    return x.at[along(dim, x.ndim, index)].add(source * alpha)


def _index_fill(x: jax.Array, dim: int, index: jax.Array, value: Any) -> jax.Array:
    return x.at[along(dim, x.ndim, index)].set(value)


def _index_copy(x: jax.Array, dim: int, index: jax.Array, source: jax.Array) -> jax.Array:
    return x.at[along(dim, x.ndim, index)].set(source)


SCATTERS: dict[str, Callable[..., Any]] = {
    "slice_scatter": _replace_slice,
    "select_scatter": _replace_selected,
    "diagonal_scatter": _diagonal_scatter,
    "index_put": _index_put,
    "_unsafe_index_put": _index_put,
    "masked_scatter": _masked_scatter,
    "put": _put,
    "scatter": _scatter,
    "scatter_add": _scatter_add,
    "scatter_reduce": _scatter,
    "index_add": _index_add,
    "index_fill": _index_fill,
    "index_copy": _index_copy,
    "index_reduce": _index_reduce,
}
