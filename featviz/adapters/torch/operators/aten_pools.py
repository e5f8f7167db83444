"""ATen's pooling: averages and maxima, with the edges as PyTorch counts them; adaptive pooling; unpooling."""

from collections.abc import Callable, Sequence
from itertools import product
from math import prod
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from featviz.adapters.torch.operators.aten_convolutions import Sizes, spread


class _Windows(NamedTuple):
    """Along one axis: the positions of each window, (windows, taps), and which of them are inside the array."""

    positions: np.ndarray
    inside: np.ndarray


def _count_windows(size: int, window: int, step: int, pad: int, ceil_mode: bool) -> int:
    count = (size + 2 * pad - window + (step - 1) * ceil_mode) // step + 1
    # The last window must begin on the image or on the padding before it.
    return count - bool(ceil_mode and (count - 1) * step >= size + pad)


def _average(
    x: jax.Array,
    kernel_size: Sizes,
    stride: Sizes | None = None,
    padding: Sizes = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
    *,
    rank: int,
) -> jax.Array:
    """Average pooling over the last axes, by PyTorch's rules about what a window at the edge is divided by.

    Padding counts unless `count_include_pad` is False; what `ceil_mode` adds behind it never does.

    >>> _average(jax.numpy.arange(5.0).reshape(1, 1, 5), [2], [2], [0], True, rank=1).ravel().tolist()
    [0.5, 2.5, 4.0]
    """
    kernel = spread(kernel_size, rank)
    strides = spread(stride, rank) if stride else kernel
    pads, count = [], np.ones((), np.float32)
    for size, window, step, pad in zip(x.shape[-rank:], kernel, strides, spread(padding, rank), strict=True):
        first = np.arange(_count_windows(size, window, step, pad, ceil_mode)) * step - pad
        last = np.minimum(first + window, size + pad)
        inside = last - first if count_include_pad else np.minimum(last, size) - np.maximum(first, 0)
        count = count[..., None] * inside.astype(np.float32)
        pads.append((pad, max(0, int(first[-1]) + window - size)))
    lead = x.ndim - rank
    ones, zeros = (1,) * lead, ((0, 0),) * lead
    total = lax.reduce_window(x, 0.0, lax.add, (*ones, *kernel), (*ones, *strides), (*zeros, *pads))
    divisor = divisor_override or count.reshape(*ones, *count.shape)
    return total / (float(count.flat[0]) if not divisor_override and np.ptp(count) == 0 else divisor)


def _adaptive_windows(size: int, output: int) -> _Windows:
    """Window i reaches from floor(i size / output) to ceil((i + 1) size / output)."""
    starts = np.arange(output) * size // output
    ends = -(-(np.arange(output) + 1) * size // output)
    positions = starts[:, None] + np.arange(int(np.max(ends - starts)))
    return _Windows(positions, positions < ends[:, None])


def _taps(x: jax.Array, axis: int, windows: _Windows, fill: float) -> list[jax.Array]:
    """One array for each tap of the windows along an axis."""
    shape = [-1 if other == axis else 1 for other in range(x.ndim)]
    arrays = []
    for tap in range(windows.positions.shape[1]):
        inside = windows.inside[:, tap]
        array = jnp.take(x, np.clip(windows.positions[:, tap], 0, x.shape[axis] - 1), axis)
        arrays.append(array if inside.all() else jnp.where(inside.reshape(shape), array, fill))
    return arrays


def _largest(x: jax.Array, windows: Sequence[_Windows]) -> tuple[jax.Array, jax.Array]:
    """The first maximum of each window, and its index in the flattened image."""
    rank = len(windows)
    size = x.shape[-rank:]
    taps = [x]
    for axis, window in enumerate(windows, start=x.ndim - rank):
        taps = [tap for array in taps for tap in _taps(array, axis, window, -np.inf)]
    stacked = jnp.stack(taps, -1)
    best = jnp.argmax(stacked, -1, keepdims=True)
    indices = np.zeros((*(len(window.positions) for window in windows), len(taps)), np.int32)
    for number, offsets in enumerate(product(*(range(window.positions.shape[1]) for window in windows))):
        grid = np.meshgrid(
            *(window.positions[:, tap] for window, tap in zip(windows, offsets, strict=True)), indexing="ij"
        )
        indices[..., number] = np.ravel_multi_index(
            [np.clip(part, 0, side - 1) for part, side in zip(grid, size, strict=True)], size
        )
    full = jnp.broadcast_to(jnp.asarray(indices), stacked.shape)
    return jnp.take_along_axis(stacked, best, -1)[..., 0], jnp.take_along_axis(full, best, -1)[..., 0]


def _max_pool(
    x: jax.Array,
    kernel_size: Sizes,
    stride: Sizes | None = None,
    padding: Sizes = 0,
    dilation: Sizes = 1,
    ceil_mode: bool = False,
    *,
    rank: int,
    indices: bool = False,
) -> Any:
    kernel = spread(kernel_size, rank)
    strides = spread(stride, rank) if stride else kernel
    dilations = spread(dilation, rank)
    lead = x.ndim - rank
    around = [(0, 0)] * lead
    for size, window, step, pad, dilation in zip(
        x.shape[lead:], kernel, strides, spread(padding, rank), dilations, strict=True
    ):
        span = dilation * (window - 1) + 1
        count = _count_windows(size, span, step, pad, ceil_mode)
        around.append((pad, max(0, (count - 1) * step - pad + span - size)))
    ones = (1,) * lead
    windows = (*ones, *kernel), (*ones, *strides), around
    # JAX has no gradient of dilated windows.
    dilated = max(dilations) > 1
    if not indices and not dilated:
        return lax.reduce_window(x, _least(x.dtype), lax.max, *windows)
    best = _find_largest(x, rank, (*windows, None, (*ones, *dilations)))
    values = _read_flat(x, best, rank) if dilated else lax.reduce_window(x, _least(x.dtype), lax.max, *windows)
    return (values, best) if indices else values


def _find_largest(x: jax.Array, rank: int, windows: tuple[Any, ...]) -> jax.Array:
    """Where the first maximum of each window is in the flattened image."""
    space = x.shape[-rank:]
    places = jnp.broadcast_to(jnp.arange(prod(space), dtype=jnp.int32).reshape(space), x.shape)

    def larger(first: Any, second: Any) -> Any:
        (a, i), (b, j) = first, second
        after = (b > a) | ((b == a) & (j < i)) | (b != b)
        return lax.select(after, b, a), lax.select(after, j, i)

    starts = np.asarray(_least(x.dtype), x.dtype), np.int32(np.iinfo(np.int32).max)
    return lax.reduce_window((lax.stop_gradient(x), places), starts, larger, *windows)[1]


def _read_flat(x: jax.Array, index: jax.Array, rank: int) -> jax.Array:
    flat = x.reshape(*x.shape[:-rank], -1)
    return jnp.take_along_axis(flat, index.reshape(*flat.shape[:-1], -1), -1).reshape(index.shape)


def _least(dtype: Any) -> Any:
    return -np.inf if jnp.issubdtype(dtype, jnp.floating) else jnp.iinfo(dtype).min


def _adaptive_average(x: jax.Array, output_size: Sizes, *, rank: int) -> jax.Array:
    for axis, output in enumerate(spread(output_size, rank), start=x.ndim - rank):
        size = x.shape[axis]
        if output == 1:
            x = jnp.mean(x, axis, keepdims=True)
        elif size % output == 0:
            x = x.reshape(*x.shape[:axis], output, size // output, *x.shape[axis + 1 :]).mean(axis + 1)
        else:
            windows = _adaptive_windows(size, output)
            counts = windows.inside.sum(1).astype(np.float32)
            total = jax.tree.reduce(jnp.add, _taps(x, axis, windows, 0.0))
            x = total / counts.reshape([-1 if other == axis else 1 for other in range(x.ndim)])
    return x


def _adaptive_max(x: jax.Array, output_size: Sizes, *, rank: int) -> tuple[jax.Array, jax.Array]:
    outputs = spread(output_size, rank)
    space = x.shape[-rank:]
    if all(size % output == 0 for size, output in zip(space, outputs, strict=True)):
        kernel = [size // output for size, output in zip(space, outputs, strict=True)]
        return _max_pool(x, kernel, rank=rank, indices=True)
    return _largest(x, [_adaptive_windows(size, output) for size, output in zip(space, outputs, strict=True)])


def _max_unpool(x: jax.Array, indices: jax.Array, output_size: Sequence[int], *rest: Any, rank: int) -> jax.Array:
    lead = x.shape[:-rank]
    size = tuple(output_size[-rank:])
    flat = jnp.zeros((prod(lead), prod(size)), x.dtype)
    rows = np.arange(prod(lead))[:, None]
    flat = flat.at[rows, indices.reshape(prod(lead), -1)].set(x.reshape(prod(lead), -1))
    return flat.reshape(*lead, *size)


def _of_rank(function: Callable[..., Any], rank: int, **options: bool) -> Callable[..., Any]:
    def run(*args: Any, **kwargs: Any) -> Any:
        return function(*args, rank=rank, **options, **kwargs)

    return run


POOLS: dict[str, Callable[..., Any]] = {
    name.format(rank): _of_rank(function, rank, **options)
    for rank in (1, 2, 3)
    for name, function, options in (
        ("avg_pool{}d", _average, {}),
        ("max_pool{}d", _max_pool, {}),
        ("max_pool{}d_with_indices", _max_pool, {"indices": True}),
        ("adaptive_avg_pool{}d", _adaptive_average, {}),
        ("_adaptive_avg_pool{}d", _adaptive_average, {}),
        ("adaptive_max_pool{}d", _adaptive_max, {}),
        ("max_unpool{}d", _max_unpool, {}),
    )
}
