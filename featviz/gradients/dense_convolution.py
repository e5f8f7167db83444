"""Convolutions whose gradient has its kernel turned by a step of its own, and those of one place as products."""

from functools import partial

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

from featviz.gradients.channels_last import (
    Geometry,
    convolve,
    geometry_of,
    in_channels_last,
    kernel_shape,
    with_input_gradient,
)
from featviz.tracing.evaluation import Replacement
from featviz.tracing.program import Program, Step


def dense_convolution(program: Program, step: Step) -> Replacement | None:
    """A rule for convolutions, transposed ones too: channels last, forward and back, the kernel turned explicitly.

    XLA's convolutions on a CPU want images and kernels with their channels last, and rearrange a kernel that lies
    otherwise each time they run, twice a step: in ResNet-50 from PyTorch that was half of the step. Written as steps
    of the program, which depend on weights alone, these rearrangements run once (`ascent/prepared_weights.py`).

    Returns:
      The replacement; None for other steps, and where image and output are both strided.
    """
    geometry = geometry_of(step)
    if geometry is None or max(geometry.stride) > 1 < max(geometry.input_dilation):
        return None
    return in_channels_last(step, partial(turned_convolution, geometry))


def pointwise_convolution(program: Program, step: Step) -> Replacement | None:
    """A rule for dense kernels of one place, without padding: a matrix product, which takes its kernel as it lies.

    Returns:
      The replacement; None for other steps.
    """
    geometry = geometry_of(step)
    if geometry is None or geometry.groups > 1 or max(geometry.input_dilation) > 1:
        return None
    if set(kernel_shape(step)[:-2]) != {1} or any(map(any, geometry.padding)):
        return None
    return in_channels_last(step, partial(product, geometry))


def product(
    geometry: Geometry, x: Float[Array, "n *sizes c"], kernel: Float[Array, "*window c c2"]
) -> Float[Array, "n *sizes2 c2"]:
    """Every `stride`-th place of an image by the matrix of a kernel of one place.

    >>> geometry = Geometry((2,), ((0, 0),), (1,), (1,))
    >>> product(geometry, jnp.array([[[1.0], [2.0], [3.0]]]), jnp.array([[[10.0]]])).tolist()
    [[[10.0], [30.0]]]
    """
    strided = lax.slice(x, (0,) * x.ndim, x.shape, (1, *geometry.stride, 1))
    matrix = kernel.reshape(kernel.shape[-2:])
    return lax.dot_general(strided, matrix, (((x.ndim - 1,), (0,)), ((), ())), precision=geometry.precision)


def _input_gradient(
    geometry: Geometry,
    shape: tuple[int, ...],
    kernel: Float[Array, "*window inputs c2"],
    g: Float[Array, "n *sizes2 c2"],
) -> Float[Array, "n *sizes c"]:
    """The convolution of the output's gradient by the turned kernel."""
    *window, inputs, outputs = kernel.shape
    rank = len(window)
    groups = geometry.groups
    grouped = kernel.reshape(*window, inputs, groups, outputs // groups)
    turned = jnp.flip(jnp.swapaxes(grouped, -3, -1), range(rank)).reshape(*window, outputs // groups, groups * inputs)
    padding = []
    for axis, (low, _) in enumerate(geometry.padding):
        extent = geometry.kernel_dilation[axis] * (window[axis] - 1)
        last_in = geometry.input_dilation[axis] * (shape[axis + 1] - 1)
        last_out = geometry.stride[axis] * (g.shape[axis + 1] - 1)
        padding.append((extent - low, last_in + low - last_out))
    back = geometry._replace(stride=geometry.input_dilation, padding=tuple(padding), input_dilation=geometry.stride)
    return convolve(back, g, turned)


# A convolution whose input gradient is a convolution by the turned kernel.
turned_convolution = with_input_gradient(convolve, _input_gradient)
