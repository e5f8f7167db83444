"""Depthwise convolutions and those of narrow groups, as sums of shifted images."""

from functools import partial
from itertools import product
from math import prod

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

from featviz.gradients.channels_last import (
    Geometry,
    geometry_of,
    in_channels_last,
    kernel_shape,
    with_input_gradient,
)
from featviz.tracing.evaluation import Replacement
from featviz.tracing.program import Program, Step

# The widest group that is summed by shifts, in inputs and in outputs (benchmarks/rules.py: groups of 4 gain on maps of
# 32 x 32 and lose on maps of 8 x 8, groups of 16 lose).
MAX_GROUP = 4
# Groups of more than one channel are summed by shifts on maps of at least this many places.
MIN_PLACES = 196
# Terms of one sum; a larger kernel is added up in parts, so that compilation stays short.
MAX_TERMS = 64


def shifted_convolution(program: Program, step: Step) -> Replacement | None:
    """A rule for convolutions of narrow groups, depthwise ones above all: a product for each place of the kernel.

    y[o] = sum_t x[s o + d t - low] k[t], with an image that is shifted for each place t of the kernel; the gradient of
    the image is the same sum of the gradient, for each phase of the stride by itself. Exact but for the order of
    summation. XLA's own convolutions with many groups run at a fiftieth of a core's rate on a CPU.

    Returns:
      The replacement; None for other steps, for wide groups, and where image and output are both strided.
    """
    geometry = geometry_of(step)
    if geometry is None or geometry.groups == 1 or max(geometry.stride) > 1 < max(geometry.input_dilation):
        return None
    *_, inputs, outputs = kernel_shape(step)
    multiplier = outputs // geometry.groups
    if inputs > MAX_GROUP or multiplier > MAX_GROUP:
        return None
    spec = step.params["dimension_numbers"].out_spec
    places = prod(step.outputs[0].aval.shape[axis] for axis in spec[2:])
    if max(inputs, multiplier) > 1 and places < MIN_PLACES:
        return None
    return in_channels_last(step, partial(grouped_convolution, geometry))


def _shifted_sums(
    geometry: Geometry, x: Float[Array, "n *sizes c"], kernel: Float[Array, "*window inputs c2"]
) -> Float[Array, "n *sizes2 c2"]:
    """A grouped convolution by shifts.

    >>> geometry = Geometry((1,), ((1, 1),), (1,), (1,), groups=2)
    >>> x, kernel = jnp.array([[[1.0, 10.0], [2.0, 20.0], [3.0, 30.0]]]), jnp.ones((3, 1, 2))
    >>> grouped_convolution(geometry, x, kernel).tolist()
    [[[3.0, 30.0], [6.0, 60.0], [5.0, 50.0]]]
    """
    split = _split_groups(kernel, geometry.groups)
    if max(geometry.input_dilation) == 1:
        return _gather(x, split, geometry.stride, geometry.padding, geometry.kernel_dilation)
    sizes = [
        low + high + dilation * (size - 1) - spacing * (taps - 1) + 1
        for (low, high), dilation, size, spacing, taps in zip(
            geometry.padding,
            geometry.input_dilation,
            x.shape[1:-1],
            geometry.kernel_dilation,
            kernel.shape,
            strict=False,
        )
    ]
    lows = [
        spacing * (taps - 1) - low
        for (low, _), spacing, taps in zip(geometry.padding, geometry.kernel_dilation, kernel.shape, strict=False)
    ]
    flipped = jnp.flip(split, range(x.ndim - 2))
    return _spread(x, flipped, geometry.input_dilation, lows, geometry.kernel_dilation, sizes)


def _input_gradient(
    geometry: Geometry,
    shape: tuple[int, ...],
    kernel: Float[Array, "*window inputs c2"],
    g: Float[Array, "n *sizes2 c2"],
) -> Float[Array, "n *sizes c"]:
    """The shifted sums of the output's gradient, outputs and inputs of each group exchanged."""
    turned = jnp.swapaxes(_split_groups(kernel, geometry.groups), -3, -1)  # outputs become inputs
    sizes = shape[1:-1]
    if max(geometry.input_dilation) == 1:
        lows = [low for low, _ in geometry.padding]
        return _spread(g, turned, geometry.stride, lows, geometry.kernel_dilation, sizes)
    padding = []
    for axis, ((low, _), dilation, spacing) in enumerate(
        zip(geometry.padding, geometry.input_dilation, geometry.kernel_dilation, strict=True)
    ):
        before = spacing * (kernel.shape[axis] - 1) - low
        last = dilation * (sizes[axis] - 1) + spacing * (kernel.shape[axis] - 1)
        padding.append((before, last + 1 - before - g.shape[axis + 1]))
    flipped = jnp.flip(turned, range(len(sizes)))
    return _gather(g, flipped, geometry.input_dilation, padding, geometry.kernel_dilation)


grouped_convolution = with_input_gradient(_shifted_sums, _input_gradient)


def _split_groups(
    kernel: Float[Array, "*window inputs c2"], groups: int
) -> Float[Array, "*window inputs groups outputs"]:
    return kernel.reshape(*kernel.shape[:-1], groups, -1)


def _gather(
    x: Float[Array, "n *sizes c"],
    kernel: Float[Array, "*window inputs groups outputs"],
    stride: tuple[int, ...],
    padding: list[tuple[int, int]] | tuple[tuple[int, int], ...],
    dilation: tuple[int, ...],
) -> Float[Array, "n *sizes2 c2"]:
    """y[o] = sum_t x[s o + d t - low] k[t]."""
    padded = [_pad(part, padding) for part in _inputs(x, kernel)]
    window = kernel.shape[:-3]
    counts = [
        (size - spacing * (taps - 1) - 1) // step + 1
        for size, spacing, taps, step in zip(padded[0].shape[1:], dilation, window, stride, strict=False)
    ]
    weights = _broadcast_over_places(kernel, x.ndim)

    def term(tap: tuple[int, ...], index: int) -> jax.Array:
        starts = [spacing * place for spacing, place in zip(dilation, tap, strict=True)]
        return _window(padded[index], starts, counts, stride) * weights[(*tap, index)]

    return _sum([partial(term, tap, index) for tap in product(*map(range, window)) for index in range(len(padded))])


def _spread(
    g: Float[Array, "n *sizes c"],
    kernel: Float[Array, "*window inputs groups outputs"],
    stride: tuple[int, ...],
    lows: list[int],
    dilation: tuple[int, ...],
    sizes: list[int] | tuple[int, ...],
) -> Float[Array, "n *sizes2 c2"]:
    """y[u] = sum_t g[(u + low - d t) / s] k[t], over the t where s divides; each phase of the stride by itself."""
    rank = len(stride)
    window = kernel.shape[:-3]
    extent = [max(0, step * (taps - 1)) for step, taps in zip(dilation, window, strict=True)]
    before = [-(-most // step) for most, step in zip(extent, stride, strict=True)]
    cells = [max(0, -(-(size + low) // step)) for size, low, step in zip(sizes, lows, stride, strict=True)]
    after = [max(0, count - size) for count, size in zip(cells, g.shape[1:-1], strict=True)]
    padded = [_pad(part, list(zip(before, after, strict=True))) for part in _inputs(g, kernel)]
    weights = _broadcast_over_places(kernel, g.ndim)
    ones = (1,) * rank

    def term(tap: tuple[int, ...], phase: tuple[int, ...], index: int) -> jax.Array:
        starts = [
            first - (step * place - part) // pace
            for first, step, place, part, pace in zip(before, dilation, tap, phase, stride, strict=True)
        ]
        return _window(padded[index], starts, cells, ones) * weights[(*tap, index)]

    phases = []
    for phase in product(*map(range, stride)):
        taps = [
            [place for place in range(count) if (step * place - part) % pace == 0]
            for count, step, part, pace in zip(window, dilation, phase, stride, strict=True)
        ]
        terms = [partial(term, tap, phase, index) for tap in product(*taps) for index in range(len(padded))]
        nothing = jnp.zeros((len(g), *cells, weights.shape[-1]), g.dtype)
        phases.append(_sum(terms) if terms else nothing)
    if len(phases) == 1:
        whole = phases[0]
    else:
        # (phases of each axis, n, cells, c) -> n, each axis' cells and phases, c
        stacked = jnp.stack(phases).reshape(*stride, *phases[0].shape)
        order = [rank, *(axis for each in range(rank) for axis in (rank + 1 + each, each)), 2 * rank + 1]
        whole = jnp.transpose(stacked, order)
        whole = whole.reshape(len(g), *(c * s for c, s in zip(cells, stride, strict=True)), -1)
    edges = [(-low, size + low - total) for low, size, total in zip(lows, sizes, whole.shape[1:-1], strict=True)]
    return whole if not any(map(any, edges)) else _pad(whole, edges)


def _inputs(x: Float[Array, "n *sizes c"], kernel: Float[Array, "*window inputs groups outputs"]) -> list[jax.Array]:
    """For each input of a group the image of those channels, each as often as the group has outputs."""
    inputs, groups, outputs = kernel.shape[-3:]
    if inputs == outputs == 1:
        return [x]
    grouped = x.reshape(*x.shape[:-1], groups, inputs)
    return [
        jnp.broadcast_to(grouped[..., index, None], (*grouped.shape[:-1], outputs)).reshape(*x.shape[:-1], -1)
        for index in range(inputs)
    ]


def _broadcast_over_places(kernel: Float[Array, "*window inputs groups outputs"], ndim: int) -> Float[Array, "..."]:
    """The numbers of each tap in the last of `ndim` axes."""
    return kernel.reshape(*kernel.shape[:-2], *(1,) * (ndim - 1), -1)


def _pad(x: jax.Array, padding: list[tuple[int, int]] | tuple[tuple[int, int], ...]) -> jax.Array:
    """Padded with zeros, or cropped; held apart, since bounds checks within a fused loop prevent vectorization."""
    config = [(0, 0, 0), *((low, high, 0) for low, high in padding), (0, 0, 0)]
    return lax.optimization_barrier(lax.pad(x, jnp.zeros((), x.dtype), config))


def _window(x: jax.Array, starts: list[int], counts: list[int], stride: tuple[int, ...]) -> jax.Array:
    """`counts` places of each axis, from `starts` on, every `stride`-th."""
    ends = [
        start + step * (count - 1) + 1 if count else start
        for start, count, step in zip(starts, counts, stride, strict=True)
    ]
    return lax.slice(x, (0, *starts, 0), (len(x), *ends, x.shape[-1]), (1, *stride, 1))


def _sum(terms: list) -> jax.Array:
    """The sum of terms, at most `MAX_TERMS` in one loop."""
    total = None
    for start in range(0, len(terms), MAX_TERMS):
        part = terms[start]()
        for term in terms[start + 1 : start + MAX_TERMS]:
            part = part + term()
        # Held apart, or every loop that reads the sum would compute it again.
        total = lax.optimization_barrier(part if total is None else total + part)
    assert total is not None
    return total
