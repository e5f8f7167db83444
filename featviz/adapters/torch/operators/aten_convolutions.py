"""ATen's convolutions of one to three dimensions, plain, grouped, dilated and transposed."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

Sizes = int | Sequence[int]


def spread(sizes: Sizes, rank: int) -> tuple[int, ...]:
    """One size for each dimension.

    >>> spread(2, 3), spread([1], 2), spread([3, 4], 2)
    ((2, 2, 2), (1, 1), (3, 4))
    """
    values = (sizes,) if isinstance(sizes, int) else tuple(sizes)
    return values * rank if len(values) == 1 else values


def _dimensions(rank: int) -> tuple[str, str, str]:
    space = "HWD"[:rank]
    return f"NC{space}", f"OI{space}", f"NC{space}"


def _finish(output: jax.Array, bias: jax.Array | None, x: jax.Array) -> jax.Array:
    """The output with its bias added, without the axis of the images where the input `x` has none."""
    if bias is not None:
        output = output + bias.reshape(-1, *(1,) * (output.ndim - 2))
    return output if x.ndim == output.ndim else output[0]


def _convolve(
    x: jax.Array,
    weight: jax.Array,
    bias: jax.Array | None = None,
    stride: Sizes = 1,
    padding: Sizes | str = 0,
    dilation: Sizes = 1,
    groups: int = 1,
) -> jax.Array:
    rank = weight.ndim - 2
    batched = x if x.ndim == weight.ndim else x[None]
    dilations = spread(dilation, rank)
    if padding == "same":
        totals = [step * (size - 1) for step, size in zip(dilations, weight.shape[2:], strict=True)]
        pads = [(total // 2, total - total // 2) for total in totals]
    else:
        pads = [(pad, pad) for pad in spread(0 if isinstance(padding, str) else padding, rank)]
    output = lax.conv_general_dilated(
        batched,
        weight,
        spread(stride, rank),
        pads,
        rhs_dilation=dilations,
        dimension_numbers=_dimensions(rank),
        feature_group_count=groups,
    )
    return _finish(output, bias, x)


def _convolve_transposed(
    x: jax.Array,
    weight: jax.Array,
    bias: jax.Array | None = None,
    stride: Sizes = 1,
    padding: Sizes = 0,
    output_padding: Sizes = 0,
    groups: int = 1,
    dilation: Sizes = 1,
) -> jax.Array:
    """The gradient of a convolution: its input is spread by `stride`, its kernel turned around."""
    rank = weight.ndim - 2
    batched = x if x.ndim == weight.ndim else x[None]
    incoming, outgoing, *window = weight.shape
    # (in, out / groups, ...) as PyTorch has it becomes (out, in / groups, ...).
    kernel = weight.reshape(groups, incoming // groups, outgoing, *window).swapaxes(1, 2)
    kernel = jnp.flip(kernel.reshape(groups * outgoing, incoming // groups, *window), range(2, rank + 2))
    dilations = spread(dilation, rank)
    pads = [
        (step * (size - 1) - pad, step * (size - 1) - pad + extra)
        for step, size, pad, extra in zip(
            dilations, window, spread(padding, rank), spread(output_padding, rank), strict=True
        )
    ]
    output = lax.conv_general_dilated(
        batched,
        kernel,
        (1,) * rank,
        pads,
        lhs_dilation=spread(stride, rank),
        rhs_dilation=dilations,
        dimension_numbers=_dimensions(rank),
        feature_group_count=groups,
    )
    return _finish(output, bias, x)


def _convolution(
    x: jax.Array,
    weight: jax.Array,
    bias: jax.Array | None,
    stride: Sizes,
    padding: Sizes,
    dilation: Sizes,
    transposed: bool,
    output_padding: Sizes,
    groups: int,
    *rest: Any,
) -> jax.Array:
    if transposed:
        return _convolve_transposed(x, weight, bias, stride, padding, output_padding, groups, dilation)
    return _convolve(x, weight, bias, stride, padding, dilation, groups)


def _patches(x: jax.Array, kernel_size: Sizes, dilation: Sizes = 1, padding: Sizes = 0, stride: Sizes = 1) -> jax.Array:
    """`nn.Unfold`: the windows side by side, (n, channels * window, positions)."""
    (height, width), (down, right) = spread(kernel_size, 2), spread(padding, 2)
    (row_step, column_step), (row_gap, column_gap) = spread(stride, 2), spread(dilation, 2)
    batched = jnp.pad(x if x.ndim == 4 else x[None], ((0, 0), (0, 0), (down, down), (right, right)))
    # Slices, not a convolution: they keep channels and places of the window apart.
    rows = _shifted(batched, 2, height, row_step, row_gap)
    patches = _shifted(rows, 4, width, column_step, column_gap)
    # (n, channels, height, positions, width, positions)
    patches = jnp.swapaxes(patches, 3, 4)
    flat = patches.reshape(len(patches), -1, patches.shape[4] * patches.shape[5])
    return flat if x.ndim == 4 else flat[0]


def _shifted(x: jax.Array, axis: int, count: int, step: int, gap: int) -> jax.Array:
    """Every `step`-th place of an axis, from 0, `gap`, 2 `gap` and so on; the shifts are the axis before it."""
    places = (x.shape[axis] - gap * (count - 1) - 1) // step + 1
    ends = [gap * shift + step * (places - 1) + 1 for shift in range(count)]
    return jnp.stack([lax.slice_in_dim(x, gap * shift, end, step, axis) for shift, end in enumerate(ends)], axis)


def _sum_patches(
    x: jax.Array, output_size: Sizes, kernel_size: Sizes, dilation: Sizes = 1, padding: Sizes = 0, stride: Sizes = 1
) -> jax.Array:
    """`nn.Fold`: the sum of overlapping windows, the transpose of `nn.Unfold`."""
    batched = x if x.ndim == 3 else x[None]
    rows, columns = spread(kernel_size, 2)
    shape = (batched.shape[0], batched.shape[1] // (rows * columns), *spread(output_size, 2))
    unfold = partial(_patches, kernel_size=kernel_size, dilation=dilation, padding=padding, stride=stride)
    (image,) = jax.linear_transpose(unfold, jax.ShapeDtypeStruct(shape, x.dtype))(batched)
    return image if x.ndim == 3 else image[0]


CONVOLUTIONS: dict[str, Callable[..., Any]] = {
    "conv1d": _convolve,
    "conv2d": _convolve,
    "conv3d": _convolve,
    "conv_transpose1d": _convolve_transposed,
    "conv_transpose2d": _convolve_transposed,
    "conv_transpose3d": _convolve_transposed,
    "convolution": _convolution,
    "_convolution": _convolution,
    "im2col": _patches,
    "col2im": _sum_patches,
}
