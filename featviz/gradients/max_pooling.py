"""The gradient of max pooling from each window's first maximum, in place of XLA's scatter."""

from collections.abc import Sequence
from functools import partial
from itertools import product
from math import prod
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from featviz.tracing.evaluation import Replacement
from featviz.tracing.program import Program, Step

# A window of at most this many positions is compared at once; a larger one axis by axis, 2 k comparisons for k x k.
MAX_JOINT_WINDOW = 9


class Window(NamedTuple):
    """Pooling along `axes`: sizes, strides and padding of each."""

    axes: tuple[int, ...]
    sizes: tuple[int, ...]
    strides: tuple[int, ...]
    padding: tuple[tuple[int, int], ...]

    @property
    def offsets(self) -> list[tuple[int, ...]]:
        """The positions within a window, in row-major order."""
        return list(product(*map(range, self.sizes)))


def indexed_max_pool(program: Program, step: Step) -> Replacement | None:
    """A rule for max pooling that stores which position of each window held the first maximum.

    Equal to XLA's gradient (`select_and_scatter_add`, where the first maximum in row-major order wins), ties
    included, but for the order in which overlapping windows are summed. XLA's runs on a CPU one window after
    another; here every input position gathers from the few windows that cover it, as plain vector code.

    Returns:
      The replacement; None for other steps, and for dilated or cropped windows.
    """
    if step.primitive.name != "reduce_window_max" or not jnp.issubdtype(step.inputs[0].aval.dtype, jnp.floating):
        return None
    params = step.params
    if any(d != 1 for d in (*params["base_dilation"], *params["window_dilation"])):
        return None
    sizes, strides = params["window_dimensions"], params["window_strides"]
    padding = [tuple(pad) for pad in params["padding"]]
    if min(map(min, padding), default=0) < 0:
        return None
    axes = [a for a in range(len(sizes)) if (sizes[a], strides[a], padding[a]) != (1, 1, (0, 0))]
    if any(sizes[a] > 254 for a in axes):
        return None
    # Axis by axis the last comes first: the first maximum of the first row that holds the maximum is the first in
    # row-major order, so that ties fall as in XLA.
    groups = [axes] if prod(sizes) <= MAX_JOINT_WINDOW else [[axis] for axis in reversed(axes)]

    def window(group: list[int]) -> Window:
        return Window(
            tuple(group),
            tuple(sizes[a] for a in group),
            tuple(strides[a] for a in group),
            tuple(padding[a] for a in group),
        )

    windows = [window(group) for group in groups]

    def pool(x: jax.Array) -> tuple[jax.Array]:
        for window in windows:
            x = max_pool(window, x)
        return (x,)

    return Replacement(step.inputs, pool)


@partial(jax.custom_vjp, nondiff_argnums=(0,))
def max_pool(window: Window, x: jax.Array) -> jax.Array:
    """Max pooling, padded with -inf; its gradient goes to each window's first maximum.

    >>> x = jnp.array([1.0, 3.0, 3.0, 2.0])
    >>> jax.grad(lambda x: jnp.sum(max_pool(Window((0,), (2,), (1,), ((0, 0),)), x)))(x).tolist()
    [0.0, 2.0, 1.0, 0.0]
    """
    padded = _pad(window, x, window.padding, -jnp.inf)
    return jax.tree.reduce(jnp.maximum, [_slice(window, padded, offset) for offset in window.offsets])


def _forward(window: Window, x: jax.Array) -> tuple[jax.Array, tuple[jax.Array, Any]]:
    padded = _pad(window, x, window.padding, -jnp.inf)
    first, *others = window.offsets
    best = _slice(window, padded, first)
    index = jnp.zeros(best.shape, jnp.uint8)
    for position, offset in enumerate(others, start=1):
        part = _slice(window, padded, offset)
        index = jnp.where(part > best, jnp.uint8(position), index)
        best = jnp.maximum(best, part)
    # A barrier, or XLA would compute the window again wherever the two are used.
    best, index = lax.optimization_barrier((best, index))
    return best, (index, _Shape(x.shape))


def _backward(window: Window, residual: tuple[jax.Array, Any], g: jax.Array) -> tuple[jax.Array]:
    """dx[s q + p - low] = sum_m g[q - m] where the window q - m has its maximum at offset p + s m."""
    index, (shape,) = residual
    taps = [-(-size // stride) for size, stride in zip(window.sizes, window.strides, strict=True)]
    spans = [shape[axis] + low for axis, (low, _) in zip(window.axes, window.padding, strict=True)]
    cells = [-(-span // stride) for span, stride in zip(spans, window.strides, strict=True)]
    around = [
        (tap - 1, max(0, count - index.shape[axis])) for axis, tap, count in zip(window.axes, taps, cells, strict=True)
    ]
    # 255 is no window's offset: beyond the edge there is no window.
    indices, gradients = _pad(window, index, around, 255), _pad(window, g, around, 0)
    total: jax.Array | float = 0.0
    for shifts in product(*map(range, taps)):
        starts = [tap - 1 - shift for tap, shift in zip(taps, shifts, strict=True)]
        maxima, shares = (_spread(window, array, starts, cells) for array in (indices, gradients))
        offsets = _offset_indices(window, shifts, maxima.ndim)
        total = total + jnp.where(maxima == offsets, shares, jnp.zeros((), g.dtype))
    # The phases of a stride are axes of their own, which a reshape interleaves.
    interleaved = list(shape)
    for axis, count, stride in zip(window.axes, cells, window.strides, strict=True):
        interleaved[axis] = count * stride
    result = jnp.asarray(total).reshape(interleaved)
    for axis, (low, _) in zip(window.axes, window.padding, strict=True):
        result = lax.slice_in_dim(result, low, low + shape[axis], axis=axis)
    return (result,)


max_pool.defvjp(_forward, _backward)


@jax.tree_util.register_static
class _Shape(tuple):
    """A shape among residuals, which are a pytree."""

    def __new__(cls, shape: tuple[int, ...]) -> "_Shape":
        return super().__new__(cls, (shape,))


def _pad(window: Window, x: jax.Array, padding: Sequence[tuple[int, int]], value: float) -> jax.Array:
    config = [(0, 0, 0)] * x.ndim
    for axis, (low, high) in zip(window.axes, padding, strict=True):
        config[axis] = (low, high, 0)
    # A kernel of its own: within a fused loop its bounds checks prevent vectorization.
    return lax.optimization_barrier(lax.pad(x, jnp.array(value, x.dtype), config))


def _slice(window: Window, padded: jax.Array, offset: tuple[int, ...]) -> jax.Array:
    """The element at `offset` of every window."""
    for axis, size, stride, start in zip(window.axes, window.sizes, window.strides, offset, strict=True):
        padded = lax.slice_in_dim(padded, start, padded.shape[axis] - size + start + 1, stride, axis)
    return padded


def _spread(window: Window, padded: jax.Array, starts: list[int], cells: list[int]) -> jax.Array:
    """The windows of every cell from `starts` on, each axis followed by one for the phases of its stride."""
    for axis, start, count in zip(window.axes, starts, cells, strict=True):
        padded = lax.slice_in_dim(padded, start, start + count, axis=axis)
    return jnp.expand_dims(padded, [axis + 1 + order for order, axis in enumerate(window.axes)])


def _offset_indices(window: Window, shifts: tuple[int, ...], ndim: int) -> np.ndarray:
    """The index of the offset p + s m within a window, for every phase p; 254 where it lies outside the window."""
    offsets = [np.arange(stride) + stride * shift for stride, shift in zip(window.strides, shifts, strict=True)]
    grid = np.meshgrid(*offsets, indexing="ij")
    index = np.zeros(grid[0].shape, np.int64)
    inside = np.ones(grid[0].shape, bool)
    for offset, size in zip(grid, window.sizes, strict=True):
        index = index * size + offset
        inside &= offset < size
    shape = [1] * ndim
    for order, (axis, stride) in enumerate(zip(window.axes, window.strides, strict=True)):
        shape[axis + 1 + order] = stride
    return np.where(inside, index, 254).astype(np.uint8).reshape(shape)
