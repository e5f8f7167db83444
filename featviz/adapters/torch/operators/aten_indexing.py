"""ATen's operators that read or replace parts of an array: slices, indices, gathers and scatters."""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax


def _select(x: jax.Array, dim: int, index: Any) -> jax.Array:
    if isinstance(index, int):
        start = index % x.shape[dim]
        return jnp.squeeze(lax.slice_in_dim(x, start, start + 1, axis=dim % x.ndim), dim)
    return jnp.take(x, index, dim)


def _bounds(size: int, start: int | None, end: int | None) -> tuple[int, int]:
    first, last, _ = slice(start, end).indices(size)
    return first, max(first, last)


def _slice(x: jax.Array, dim: int = 0, start: int | None = None, end: int | None = None, step: int = 1) -> jax.Array:
    first, last = _bounds(x.shape[dim], start, end)
    if (first, last, step) == (0, x.shape[dim], 1):
        return x
    return lax.slice_in_dim(x, first, last, step, dim % x.ndim)


def _narrow(x: jax.Array, dim: int, start: int, length: int) -> jax.Array:
    start = start % x.shape[dim] if start < 0 else start
    return lax.slice_in_dim(x, start, start + length, axis=dim % x.ndim)


def _along(dim: int, rank: int, index: Any) -> tuple[Any, ...]:
    return (slice(None),) * (dim % rank) + (index,)


def _replace_slice(
    x: jax.Array, src: jax.Array, dim: int = 0, start: int | None = None, end: int | None = None, step: int = 1
) -> jax.Array:
    first, last = _bounds(x.shape[dim], start, end)
    return x.at[_along(dim, x.ndim, slice(first, last, step))].set(src)


def _replace_selected(x: jax.Array, src: jax.Array, dim: int, index: int) -> jax.Array:
    return x.at[_along(dim, x.ndim, index)].set(src)


def _key(indices: Sequence[Any]) -> tuple[Any, ...]:
    return tuple(slice(None) if index is None else index for index in indices)


def _index(x: jax.Array, indices: Sequence[Any]) -> jax.Array:
    if any(index is not None and index.dtype == bool for index in indices):
        raise NotImplementedError("an index of booleans, whose number of results depends on the values")
    return x[_key(indices)]


def _index_put(x: jax.Array, indices: Sequence[Any], values: jax.Array, accumulate: bool = False) -> jax.Array:
    masks = [index for index in indices if index is not None and index.dtype == bool]
    if masks and (len(masks) > 1 or values.size != 1 or accumulate or indices[0] is None):
        raise NotImplementedError("assignment to an index of booleans, whose number depends on the values")
    if masks:
        mask = masks[0].reshape(*masks[0].shape, *(1,) * (x.ndim - masks[0].ndim))
        return jnp.where(mask, values.reshape(()).astype(x.dtype), x)
    target = x.at[_key(indices)]
    return target.add(values) if accumulate else target.set(values)


def _index_select(x: jax.Array, dim: int, index: jax.Array) -> jax.Array:
    return jnp.take(x, index, dim) if x.ndim else x


def _grid(index: jax.Array, dim: int) -> tuple[Any, ...]:
    axis = dim % index.ndim
    places = [
        np.arange(size).reshape([-1 if other == own else 1 for other in range(index.ndim)])
        for own, size in enumerate(index.shape)
    ]
    return (*places[:axis], index, *places[axis + 1 :])


def _gather(x: jax.Array, dim: int, index: jax.Array, **ignored: Any) -> jax.Array:
    return x[_grid(index, dim)] if index.ndim else x


def _scatter(x: jax.Array, dim: int, index: jax.Array, src: Any, reduce: str | None = None, **kwargs: Any) -> jax.Array:
    if isinstance(src, jax.Array) and src.ndim:
        src = src[tuple(slice(size) for size in index.shape)]
    target = x.at[_grid(index, dim)]
    if reduce is None:
        return target.set(src)
    ways: dict[str, Callable[..., jax.Array]] = {
        **dict.fromkeys(("add", "sum"), target.add),
        **dict.fromkeys(("multiply", "prod"), target.multiply),
    }
    ways |= {"amax": target.max, "amin": target.min}
    if reduce not in ways or kwargs.get("include_self") is False:
        raise NotImplementedError(f"scatter with reduce={reduce!r} of these options")
    return ways[reduce](src)


def _scatter_add(x: jax.Array, dim: int, index: jax.Array, src: jax.Array) -> jax.Array:
    return _scatter(x, dim, index, src, "add")


def _index_add(x: jax.Array, dim: int, index: jax.Array, source: jax.Array, *, alpha: float = 1) -> jax.Array:
    return x.at[_along(dim, x.ndim, index)].add(source * alpha)


def _index_fill(x: jax.Array, dim: int, index: jax.Array, value: Any) -> jax.Array:
    return x.at[_along(dim, x.ndim, index)].set(value)


def _index_copy(x: jax.Array, dim: int, index: jax.Array, source: jax.Array) -> jax.Array:
    return x.at[_along(dim, x.ndim, index)].set(source)


def _embed(weight: jax.Array, indices: jax.Array, *rest: Any, **ignored: Any) -> jax.Array:
    return jnp.take(weight, indices, 0)


def _one_hot(x: jax.Array, num_classes: int = -1) -> jax.Array:
    if num_classes < 0:
        raise NotImplementedError("one_hot whose number of classes depends on the values")
    return jax.nn.one_hot(x, num_classes, dtype=jnp.int32)


def _diagonal(x: jax.Array, offset: int = 0, dim1: int = 0, dim2: int = 1) -> jax.Array:
    return jnp.diagonal(x, offset, dim1, dim2)


def _diag_embed(x: jax.Array, offset: int = 0, dim1: int = -2, dim2: int = -1) -> jax.Array:
    size = x.shape[-1] + abs(offset)
    rows = np.arange(x.shape[-1]) + max(0, -offset)
    matrix = jnp.zeros((*x.shape[:-1], size, size), x.dtype)
    matrix = matrix.at[..., rows, rows + offset].set(x)
    return jnp.moveaxis(matrix, (-2, -1), (dim1, dim2))


def _unfold(x: jax.Array, dimension: int, size: int, step: int) -> jax.Array:
    axis = dimension % x.ndim
    starts = np.arange(0, x.shape[axis] - size + 1, step)
    return jnp.moveaxis(jnp.take(x, starts[:, None] + np.arange(size), axis), axis + 1, -1)


def _take(x: jax.Array, index: jax.Array) -> jax.Array:
    return x.reshape(-1)[index]


def _bucketize(x: jax.Array, boundaries: jax.Array, *, right: bool = False, **ignored: Any) -> jax.Array:
    return jnp.searchsorted(boundaries, x, side="right" if right else "left")


INDEXING: dict[str, Callable[..., Any]] = {
    "select": _select,
    "slice": _slice,
    "narrow": _narrow,
    "slice_scatter": _replace_slice,
    "select_scatter": _replace_selected,
    "index": _index,
    "_unsafe_index": _index,
    "index_put": _index_put,
    "_unsafe_index_put": _index_put,
    "index_select": _index_select,
    "gather": _gather,
    "take_along_dim": lambda x, index, dim=None: _take(x, index) if dim is None else jnp.take_along_axis(x, index, dim),
    "scatter": _scatter,
    "scatter_add": _scatter_add,
    "scatter_reduce": _scatter,
    "index_add": _index_add,
    "index_fill": _index_fill,
    "index_copy": _index_copy,
    "embedding": _embed,
    "one_hot": _one_hot,
    "diagonal": _diagonal,
    "diag": lambda x, diagonal=0: jnp.diag(x, diagonal),
    "diag_embed": _diag_embed,
    "unfold": _unfold,
    "take": _take,
    "bucketize": _bucketize,
    "tril": lambda x, diagonal=0: jnp.tril(x, diagonal),
    "triu": lambda x, diagonal=0: jnp.triu(x, diagonal),
}
