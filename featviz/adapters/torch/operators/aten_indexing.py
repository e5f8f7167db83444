"""ATen's operators that read parts of an array: slices, indices, gathers, diagonals, windows."""

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


def bounds(size: int, start: int | None, end: int | None) -> tuple[int, int]:
    """The first index of a slice and the one behind it.

    >>> bounds(5, -2, None), bounds(5, 1, 99), bounds(5, 4, 2)
    ((3, 5), (1, 5), (4, 4))
    """
    first, last, _ = slice(start, end).indices(size)
    return first, max(first, last)


def _slice(x: jax.Array, dim: int = 0, start: int | None = None, end: int | None = None, step: int = 1) -> jax.Array:
    first, last = bounds(x.shape[dim], start, end)
    if (first, last, step) == (0, x.shape[dim], 1):
        return x
    return lax.slice_in_dim(x, first, last, step, dim % x.ndim)


def _narrow(x: jax.Array, dim: int, start: int, length: int) -> jax.Array:
    start = start % x.shape[dim] if start < 0 else start
    return lax.slice_in_dim(x, start, start + length, axis=dim % x.ndim)


def along(dim: int, rank: int, index: Any) -> tuple[Any, ...]:
    """A key with the index at one axis."""
    return (slice(None),) * (dim % rank) + (index,)


def index_key(indices: Sequence[Any]) -> tuple[Any, ...]:
    """The key of a list of indices, in which None stands for all of an axis."""
    return tuple(slice(None) if index is None else index for index in indices)


def _index(x: jax.Array, indices: Sequence[Any]) -> jax.Array:
    if any(index is not None and index.dtype == bool for index in indices):
        raise NotImplementedError("an index of booleans, whose number of results depends on the values")
    used = [axis for axis, index in enumerate(indices) if index is not None]
    # Traced in a fraction of the time.
    return jnp.take(x, indices[used[0]], used[0]) if len(used) == 1 else x[index_key(indices)]


def _index_select(x: jax.Array, dim: int, index: jax.Array) -> jax.Array:
    return jnp.take(x, index, dim) if x.ndim else x


def grid_key(index: jax.Array, dim: int) -> tuple[Any, ...]:
    """The key of `gather` and `scatter`: the index along one axis, its own place along the others."""
    axis = dim % index.ndim
    places = [
        np.arange(size).reshape([-1 if other == own else 1 for other in range(index.ndim)])
        for own, size in enumerate(index.shape)
    ]
    return (*places[:axis], index, *places[axis + 1 :])


def _gather(x: jax.Array, dim: int, index: jax.Array, **ignored: Any) -> jax.Array:
    return x[grid_key(index, dim)] if index.ndim else x


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


def _search(boundaries: jax.Array, x: Any, *, right: bool = False, side: str | None = None, **kwargs: Any) -> jax.Array:
    if kwargs.get("sorter") is not None:
        boundaries = jnp.take_along_axis(boundaries, kwargs["sorter"], -1)
    side = side or ("right" if right else "left")
    if boundaries.ndim == 1:
        return jnp.searchsorted(boundaries, x, side=side)
    rows = boundaries.reshape(-1, boundaries.shape[-1]), x.reshape(-1, x.shape[-1])
    return jax.vmap(lambda row, values: jnp.searchsorted(row, values, side=side))(*rows).reshape(x.shape)


def _bucketize(x: jax.Array, boundaries: jax.Array, *, right: bool = False, **ignored: Any) -> jax.Array:
    return _search(boundaries, x, right=right)


def _is_in(elements: Any, test: Any, *, assume_unique: bool = False, invert: bool = False) -> jax.Array:
    return jnp.isin(elements, test, assume_unique=assume_unique, invert=invert)


INDEXING: dict[str, Callable[..., Any]] = {
    "select": _select,
    "slice": _slice,
    "narrow": _narrow,
    "index": _index,
    "_unsafe_index": _index,
    "index_select": _index_select,
    "gather": _gather,
    "take_along_dim": lambda x, index, dim=None: _take(x, index) if dim is None else jnp.take_along_axis(x, index, dim),
    "embedding": _embed,
    "one_hot": _one_hot,
    "diagonal": _diagonal,
    "diag": lambda x, diagonal=0: jnp.diag(x, diagonal),
    "diag_embed": _diag_embed,
    "unfold": _unfold,
    "take": _take,
    "bucketize": _bucketize,
    "searchsorted": _search,
    "isin": _is_in,
    "tril": lambda x, diagonal=0: jnp.tril(x, diagonal),
    "triu": lambda x, diagonal=0: jnp.triu(x, diagonal),
}
