"""Torchvision's convolutions whose kernels are displaced at every position."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np


def _read(x: jax.Array, rows: jax.Array, columns: jax.Array) -> jax.Array:
    """The pixels (n, groups, c, ...) of (n, groups, c, height, width) at whole positions (n, groups, ...)."""
    height, width = x.shape[-2:]
    inside = (rows >= 0) & (rows < height) & (columns >= 0) & (columns < width)
    index = [jnp.clip(part, 0, size - 1).astype(jnp.int32) for part, size in ((rows, height), (columns, width))]
    pixels = jax.vmap(jax.vmap(lambda image, row, column: image[:, row, column]))(x, *index)
    return jnp.where(inside[:, :, None], pixels, 0.0)


def _interpolate(x: jax.Array, rows: jax.Array, columns: jax.Array) -> jax.Array:
    top, left = jnp.floor(rows), jnp.floor(columns)
    down, right = rows - top, columns - left
    corners = (
        (0, 0, (1 - down) * (1 - right)), (0, 1, (1 - down) * right), (1, 0, down * (1 - right)), (1, 1, down * right),
    )  # fmt: skip
    parts = [weight[:, :, None] * _read(x, top + row, left + column) for row, column, weight in corners]
    return jax.tree.reduce(jnp.add, parts)


def _convolve_deformed(
    x: jax.Array,
    weight: jax.Array,
    offset: jax.Array,
    mask: jax.Array,
    bias: jax.Array,
    stride_h: int,
    stride_w: int,
    pad_h: int,
    pad_w: int,
    dilation_h: int,
    dilation_w: int,
    groups: int,
    offset_groups: int,
    use_mask: bool,
) -> jax.Array:
    """`torchvision.ops.deform_conv2d`: each tap of the kernel reads where its offset says, between pixels."""
    n, channels, _, _ = x.shape
    outgoing, _, height, width = weight.shape
    side, other = offset.shape[-2:]
    taps = height * width
    tap_rows, tap_columns = (part.reshape(-1, 1, 1) for part in np.mgrid[:height, :width])
    rows = np.float32(np.arange(side).reshape(-1, 1) * stride_h - pad_h + tap_rows * dilation_h)
    columns = np.float32(np.arange(other) * stride_w - pad_w + tap_columns * dilation_w)
    moved = offset.reshape(n, offset_groups, taps, 2, side, other)
    grouped = x.reshape(n, offset_groups, channels // offset_groups, *x.shape[2:])
    read = _interpolate(grouped, rows + moved[:, :, :, 0], columns + moved[:, :, :, 1])
    if use_mask:
        read = read * mask.reshape(n, offset_groups, 1, taps, side, other)
    read = read.reshape(n, groups, channels // groups, taps, side, other)
    kernel = weight.reshape(groups, outgoing // groups, channels // groups, taps)
    output = jnp.einsum("ngctij,goct->ngoij", read, kernel).reshape(n, outgoing, side, other)
    return output + bias.reshape(-1, 1, 1)


DEFORMABLE: dict[str, Callable[..., Any]] = {"deform_conv2d": _convolve_deformed}
