"""Faster gradients of strided convolutions, by output phases."""

from functools import partial
from math import prod

import jax.numpy as jnp
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

# How much larger a kernel may become when it is padded to a multiple of the stride (benchmarks/rules.py: 7x7 with
# stride 2 becomes 1.3 times larger and gains, 3x3 with stride 2 becomes 1.8 times larger and loses).
MAX_PADDING_RATIO = 4 / 3


def phased_convolution(program: Program, step: Step) -> Replacement | None:
    """A rule for strided convolutions: the gradient of the input as one dense convolution over phases.

    XLA's own gradient convolves a gradient that is dilated with zeros. With stride s, the input positions of one phase
    ((i + padding) mod s) depend on every s-th row and column of the kernel only, so s^2 small dense kernels side by
    side compute all phases at once, which are then interleaved. Exact but for the order of summation.

    Returns:
      The replacement; None for other steps, and where the kernel pads badly: 3x3 with stride 2 would become 4x4,
      and run slower than XLA's.
    """
    geometry = geometry_of(step)
    if geometry is None or max(geometry.stride) == 1 or geometry.is_dilated or geometry.groups > 1:
        return None
    if len(geometry.stride) != 2 or min(map(min, geometry.padding)) < 0:
        return None
    sizes = kernel_shape(step)[:2]
    padded = [-(-size // stride) * stride for size, stride in zip(sizes, geometry.stride, strict=True)]
    if prod(padded) > MAX_PADDING_RATIO * prod(sizes):
        return None
    return in_channels_last(step, partial(strided_conv, geometry))


def _input_gradient(
    geometry: Geometry, shape: tuple[int, ...], kernel: Float[Array, "kh kw c c2"], g: Float[Array, "n h2 w2 c2"]
) -> Float[Array, "n h w c"]:
    """dx[s q + p - low] = sum_m g[q - m] kernel[p + s m], for every phase p at once."""
    (sh, sw), ((low_h, _), (low_w, _)) = geometry.stride, geometry.padding
    taps = [-(-size // s) for size, s in zip(kernel.shape, geometry.stride, strict=False)]
    cells = [-(-(shape[1] + low_h) // sh), -(-(shape[2] + low_w) // sw)]
    inputs, outputs = kernel.shape[2:]
    missing = [(0, count * s - size) for count, s, size in zip(taps, geometry.stride, kernel.shape, strict=False)]
    padded = jnp.pad(kernel, [*missing, (0, 0), (0, 0)])
    split = padded.reshape(taps[0], sh, taps[1], sw, inputs, outputs)[::-1, :, ::-1]
    phased = split.transpose(0, 2, 5, 1, 3, 4).reshape(*taps, outputs, sh * sw * inputs)
    padding = tuple((count - 1, cell - size) for count, cell, size in zip(taps, cells, g.shape[1:3], strict=True))
    dense = convolve(geometry._replace(stride=(1, 1), padding=padding), g, phased)
    phases = dense.reshape(-1, *cells, sh, sw, inputs).transpose(0, 1, 3, 2, 4, 5)
    interleaved = phases.reshape(-1, cells[0] * sh, cells[1] * sw, inputs)
    return interleaved[:, low_h : low_h + shape[1], low_w : low_w + shape[2]]


# A convolution whose input gradient is computed phase by phase.
strided_conv = with_input_gradient(convolve, _input_gradient)
