"""The gradient of max pooling by comparisons, in place of XLA's scatter."""

from functools import partial

import jax
import jax.numpy as jnp
from jax import lax

from featviz.trace import Program, Replacement, Step


def compared_max_pool(program: Program, step: Step) -> Replacement | None:
    """A rule for max pooling: the gradient of each window goes to its first maximum, found by comparing.

    Equal to XLA's gradient (`select_and_scatter_add`, where the first maximum in row-major order wins), ties
    included, but for the order in which overlapping windows are summed. XLA's runs on the CPU one window
    after another; shifted comparisons run as plain vector code.
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

    def pool(x: jax.Array) -> tuple[jax.Array]:
        # One axis at a time, the last first: 3 + 3 comparisons in place of 9. The first maximum of the first row
        # that holds the maximum is the first in row-major order, so that ties fall as in XLA.
        for axis in reversed(range(x.ndim)):
            if (sizes[axis], strides[axis], padding[axis]) != (1, 1, (0, 0)):
                x = max_pool_axis(axis, sizes[axis], strides[axis], padding[axis], x)
        return (x,)

    return Replacement(step.inputs, pool)


@partial(jax.custom_vjp, nondiff_argnums=(0, 1, 2, 3))
def max_pool_axis(axis: int, size: int, stride: int, padding: tuple[int, int], x: jax.Array) -> jax.Array:
    """Max pooling along one axis, padded with -inf; its gradient goes to each window's first maximum.

    >>> x = jnp.array([1.0, 3.0, 3.0, 2.0])
    >>> jax.grad(lambda x: jnp.sum(max_pool_axis(0, 2, 1, (0, 0), x)))(x).tolist()
    [0.0, 2.0, 1.0, 0.0]
    """
    slices = _slices(axis, size, stride, _pad(axis, padding, x))
    return jax.tree.reduce(jnp.maximum, slices)


def _forward(
    axis: int, size: int, stride: int, padding: tuple[int, int], x: jax.Array
) -> tuple[jax.Array, tuple[jax.Array, jax.Array]]:
    y = max_pool_axis(axis, size, stride, padding, x)
    return y, (x, y)


def _backward(
    axis: int,
    size: int,
    stride: int,
    padding: tuple[int, int],
    residual: tuple[jax.Array, jax.Array],
    g: jax.Array,
) -> tuple[jax.Array]:
    x, y = residual
    zero = jnp.zeros((), g.dtype)
    windows, span = y.shape[axis], x.shape[axis] + sum(padding)
    cells = -(-max(span, windows * stride) // stride)
    taken = jnp.zeros(y.shape, bool)
    phases: list[jax.Array | None] = [None] * stride
    for offset, part in enumerate(_slices(axis, size, stride, _pad(axis, padding, x))):
        hit = (part == y) & ~taken
        taken = taken | hit
        shift, phase = divmod(offset, stride)
        config = [(0, 0, 0)] * x.ndim
        config[axis] = (shift, cells - windows - shift, 0)
        share = lax.pad(jnp.where(hit, g, zero), zero, config)
        before = phases[phase]
        phases[phase] = share if before is None else before + share
    # The phases of a stride interleave: a stack and a reshape, where padding between elements would crawl.
    shape = list(x.shape)
    shape[axis] = cells * stride
    empty = jnp.zeros([*shape[:axis], cells, *shape[axis + 1 :]], g.dtype)
    stacked = jnp.stack([empty if phase is None else phase for phase in phases], axis=axis + 1)
    total = stacked.reshape(shape)
    return (lax.slice_in_dim(total, padding[0], padding[0] + x.shape[axis], axis=axis),)


max_pool_axis.defvjp(_forward, _backward)


def _pad(axis: int, padding: tuple[int, int], x: jax.Array) -> jax.Array:
    config = [(0, 0, 0)] * x.ndim
    config[axis] = (*padding, 0)
    return lax.pad(x, jnp.array(-jnp.inf, x.dtype), config)


def _slices(axis: int, size: int, stride: int, padded: jax.Array) -> list[jax.Array]:
    """The windows' first elements, their second ones, and so on."""
    last = padded.shape[axis] - size
    return [lax.slice_in_dim(padded, offset, last + offset + 1, stride, axis) for offset in range(size)]
