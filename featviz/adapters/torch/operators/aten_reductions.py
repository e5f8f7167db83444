"""ATen's reductions, cumulative operators and sorting."""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

Axes = int | Sequence[int] | None


def axes_of(dim: Axes) -> int | tuple[int, ...] | None:
    """PyTorch's `dim` as JAX's `axis`: an empty list stands for all."""
    if dim is None or isinstance(dim, int):
        return dim
    return tuple(dim) or None


def _reduction(function: Callable[..., jax.Array]) -> Callable[..., jax.Array]:
    def run(x: jax.Array, dim: Axes = None, keepdim: bool = False, **kwargs: Any) -> jax.Array:
        dtype = kwargs.get("dtype")
        axes = axes_of(dim) if x.ndim else None
        return function(x if dtype is None else x.astype(dtype), axis=axes, keepdims=keepdim)

    return run


def _index_of(function: Callable[..., jax.Array]) -> Callable[..., jax.Array]:
    def run(x: jax.Array, dim: int | None = None, keepdim: bool = False) -> jax.Array:
        return function(x, axis=dim if x.ndim else None, keepdims=keepdim)

    return run


def _value_and_index(function: Callable[..., jax.Array]) -> Callable[..., tuple[jax.Array, jax.Array]]:
    def run(x: jax.Array, dim: int, keepdim: bool = False) -> tuple[jax.Array, jax.Array]:
        if x.ndim == 0:
            return x, jnp.zeros((), jnp.int32)
        index = function(x, axis=dim, keepdims=True)
        value = jnp.take_along_axis(x, index, dim)
        return (value, index) if keepdim else (jnp.squeeze(value, dim), jnp.squeeze(index, dim))

    return run


def _spread_of(*, root: bool, with_mean: bool = False) -> Callable[..., Any]:
    """Variance or standard deviation, by each of PyTorch's signatures."""

    def run(x: jax.Array, *args: Any, **kwargs: Any) -> Any:
        # (unbiased), (dim, unbiased, keepdim) or (dim, *, correction, keepdim).
        dim: Axes = kwargs.get("dim")
        rest = list(args)
        if rest and not isinstance(rest[0], bool):
            dim = rest.pop(0)
        unbiased = rest.pop(0) if rest else kwargs.get("unbiased", True)
        keepdim = rest.pop(0) if rest else kwargs.get("keepdim", False)
        correction = kwargs.get("correction")
        correction = (1 if unbiased else 0) if correction is None else correction
        axis = axes_of(dim) if x.ndim else None
        variance = jnp.var(x, axis=axis, ddof=correction, keepdims=keepdim)
        value = jnp.sqrt(variance) if root else variance
        return (value, jnp.mean(x, axis=axis, keepdims=keepdim)) if with_mean else value

    return run


def _cumulative(function: Callable[..., jax.Array]) -> Callable[..., jax.Array]:
    def run(x: jax.Array, dim: int, **kwargs: Any) -> jax.Array:
        dtype = kwargs.get("dtype")
        x = x if dtype is None else x.astype(dtype)
        return function(x, axis=dim) if x.ndim else x

    return run


def _cumulative_extreme(*, largest: bool) -> Callable[..., tuple[jax.Array, jax.Array]]:
    """The running maximum or minimum, and where it is: the last of equal ones."""

    def later(first: tuple[jax.Array, jax.Array], second: tuple[jax.Array, jax.Array]) -> Any:
        (a, i), (b, j) = first, second
        wins = (b >= a if largest else b <= a) | jnp.isnan(b)
        return jnp.where(wins, b, a), jnp.where(wins, j, i)

    def run(x: jax.Array, dim: int) -> tuple[jax.Array, jax.Array]:
        if x.ndim == 0:
            return x, jnp.zeros((), jnp.int32)
        axis = dim % x.ndim
        places = jnp.broadcast_to(jnp.expand_dims(jnp.arange(x.shape[axis]), range(1, x.ndim - axis)), x.shape)
        _, index = lax.associative_scan(later, (lax.stop_gradient(x), places), axis=axis)
        return jnp.take_along_axis(x, index, axis), index

    return run


def _smallest(x: jax.Array, k: int, dim: int = -1, keepdim: bool = False) -> tuple[jax.Array, jax.Array]:
    """`kthvalue`: the k-th smallest value, counted from one."""
    if x.ndim == 0:
        return x, jnp.zeros((), jnp.int32)
    values, indices = _sort(x, dim)
    found = [lax.index_in_dim(part, k - 1, dim % x.ndim, keepdim) for part in (values, indices)]
    return found[0], found[1]


def _median(x: jax.Array) -> jax.Array:
    """The lower of the two in the middle."""
    return jnp.where(jnp.isnan(x).any(), jnp.nan, jnp.sort(x.reshape(-1))[(x.size - 1) // 2]).astype(x.dtype)


def _median_along(x: jax.Array, dim: int, keepdim: bool = False) -> tuple[jax.Array, jax.Array]:
    return _smallest(x, (x.shape[dim] + 1) // 2 if x.ndim else 1, dim, keepdim)


def _mode(x: jax.Array, dim: int = -1, keepdim: bool = False) -> tuple[jax.Array, jax.Array]:
    """The commonest value, the least of equally common ones, and where it is last."""
    if x.ndim == 0:
        return x, jnp.zeros((), jnp.int32)
    moved = jnp.moveaxis(x, dim, -1)
    same = moved[..., :, None] == moved[..., None, :]
    count = jnp.sum(same, -1)
    common = count == jnp.max(count, -1, keepdims=True)
    values, order = _sort(moved, -1)
    first = jnp.argmax(jnp.take_along_axis(common, order, -1), -1, keepdims=True)
    value = jnp.take_along_axis(values, first, -1)
    place = jnp.max(jnp.where(moved == value, np.arange(moved.shape[-1]), 0), -1, keepdims=True)
    found = [jnp.moveaxis(part, -1, dim) for part in (jnp.take_along_axis(moved, place, -1), place)]
    return (found[0], found[1]) if keepdim else (jnp.squeeze(found[0], dim), jnp.squeeze(found[1], dim))


def _histogram(x: jax.Array, bins: int = 100, min: float = 0, max: float = 0) -> jax.Array:
    flat = x.reshape(-1)
    low, high = (jnp.min(flat), jnp.max(flat)) if min == max == 0 else (min, max)
    return jnp.histogram(flat, bins, (low, high))[0].astype(x.dtype)


def _top(x: jax.Array, k: int, dim: int = -1, largest: bool = True, sorted: bool = True) -> tuple[jax.Array, jax.Array]:
    if x.ndim == 0:
        return x, jnp.zeros((), jnp.int32)
    moved = jnp.moveaxis(x, dim, -1)
    _, index = lax.top_k(moved if largest else -moved, k)
    return jnp.moveaxis(jnp.take_along_axis(moved, index, -1), -1, dim), jnp.moveaxis(index, -1, dim)


def _sort(x: jax.Array, dim: int = -1, descending: bool = False, **kwargs: Any) -> tuple[jax.Array, jax.Array]:
    if x.ndim == 0:
        return x, jnp.zeros((), jnp.int32)
    index = jnp.argsort(x, axis=dim, stable=True, descending=descending)
    return jnp.take_along_axis(x, index, dim), index


def _sort_stable(
    x: jax.Array, *, stable: bool | None = None, dim: int = -1, descending: bool = False
) -> tuple[jax.Array, jax.Array]:
    return _sort(x, dim, descending)


def _log_sum_exp(x: jax.Array, dim: Axes, keepdim: bool = False) -> jax.Array:
    return jax.nn.logsumexp(x.astype(jnp.float32), axis=axes_of(dim) if x.ndim else None, keepdims=keepdim)


def _log_cumulative_sum_exp(x: jax.Array, dim: int) -> jax.Array:
    return lax.cumlogsumexp(x, axis=dim % x.ndim) if x.ndim else x


def _min_and_max(x: jax.Array, *, dim: int | None = None, keepdim: bool = False) -> tuple[jax.Array, jax.Array]:
    dim = dim if x.ndim else None
    return jnp.min(x, axis=dim, keepdims=keepdim), jnp.max(x, axis=dim, keepdims=keepdim)


REDUCTIONS: dict[str, Callable[..., Any]] = {
    "sum": _reduction(jnp.sum),
    "nansum": _reduction(jnp.nansum),
    "prod": _reduction(jnp.prod),
    "mean": _reduction(jnp.mean),
    "nanmean": _reduction(jnp.nanmean),
    "amax": _reduction(jnp.max),
    "amin": _reduction(jnp.min),
    "max": jnp.max,
    "min": jnp.min,
    "max.dim": _value_and_index(jnp.argmax),
    "min.dim": _value_and_index(jnp.argmin),
    "aminmax": _min_and_max,
    "argmax": _index_of(jnp.argmax),
    "argmin": _index_of(jnp.argmin),
    "any": _reduction(jnp.any),
    "all": _reduction(jnp.all),
    "count_nonzero": _reduction(jnp.count_nonzero),
    "var": _spread_of(root=False),
    "std": _spread_of(root=True),
    "var_mean": _spread_of(root=False, with_mean=True),
    "std_mean": _spread_of(root=True, with_mean=True),
    "logsumexp": _log_sum_exp,
    "cumsum": _cumulative(jnp.cumsum),
    "cumprod": _cumulative(jnp.cumprod),
    "cummax": _cumulative_extreme(largest=True),
    "cummin": _cumulative_extreme(largest=False),
    "logcumsumexp": _log_cumulative_sum_exp,
    "kthvalue": _smallest,
    "mode": _mode,
    "histc": _histogram,
    "median": _median,
    "median.dim": _median_along,
    "topk": _top,
    "sort": _sort,
    "sort.stable": _sort_stable,
    "argsort": lambda x, dim=-1, descending=False: _sort(x, dim, descending)[1],
}
