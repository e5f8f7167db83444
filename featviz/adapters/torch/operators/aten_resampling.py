"""ATen's changes of resolution: upsampling with and without antialias, padding by every mode, sampling on a grid."""

import math
from collections.abc import Callable, Sequence
from itertools import product
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

# Along one axis, what outputs are sums of: pairs (indices, weights) of shape (output,).
Taps = list[tuple[np.ndarray, np.ndarray]]


def _apply_taps(x: jax.Array, axis: int, taps: Taps) -> jax.Array:
    # Not a product with a matrix, which would be taken for a layer with units of its own.
    shape = [-1 if other == axis else 1 for other in range(x.ndim)]
    parts = [
        jnp.take(x, indices, axis) * weights.astype(np.float32).reshape(shape)
        for indices, weights in taps
        if weights.any()
    ]
    return jax.tree.reduce(jnp.add, parts)


def _ratio(size: int, output: int, scale: float | None, align_corners: bool) -> float:
    if align_corners:
        return (size - 1) / (output - 1) if output > 1 else 0.0
    return 1.0 / scale if scale else size / output


def _centers(output: int, ratio: float, align_corners: bool) -> np.ndarray:
    # PyTorch computes them in single precision.
    steps, ratio32 = np.arange(output, dtype=np.float32), np.float32(ratio)
    return steps * ratio32 if align_corners else ratio32 * (steps + np.float32(0.5)) - np.float32(0.5)


def _linear_taps(size: int, output: int, scale: float | None, align_corners: bool) -> Taps:
    centers = np.maximum(_centers(output, _ratio(size, output, scale, align_corners), align_corners), 0)
    low = np.minimum(np.floor(centers).astype(int), size - 1)
    weight = centers - low
    return [(low, 1 - weight), (np.minimum(low + 1, size - 1), weight)]


def _cubic(distance: np.ndarray, a: float) -> np.ndarray:
    """Keys' cubic convolution kernel."""
    near = ((a + 2) * distance - (a + 3)) * distance**2 + 1
    far = a * (((distance - 5) * distance + 8) * distance - 4)
    return np.where(distance <= 1, near, np.where(distance < 2, far, 0.0))


def _cubic_taps(size: int, output: int, scale: float | None, align_corners: bool) -> Taps:
    centers = _centers(output, _ratio(size, output, scale, align_corners), align_corners)
    low = np.floor(centers).astype(int)
    return [(np.clip(low + step, 0, size - 1), _cubic(np.abs(low + step - centers), -0.75)) for step in (-1, 0, 1, 2)]


def _smooth_taps(radius: int, kernel: Callable[[np.ndarray], np.ndarray]) -> Callable[..., Taps]:
    """Antialiased weights as Pillow has them: the kernel is widened by the ratio, and cut at the edges."""

    def taps(size: int, output: int, scale: float | None, align_corners: bool) -> Taps:
        ratio = _ratio(size, output, scale, align_corners)
        stretch = max(ratio, 1.0)
        support = radius * stretch
        centers = ratio * (np.arange(output) + 0.5)
        first = np.maximum((centers - support + 0.5).astype(int), 0)
        last = np.minimum((centers + support + 0.5).astype(int), size)
        found = []
        for tap in range(math.ceil(2 * support) + 1):
            index = first + tap
            weight = kernel(np.abs((index - centers + 0.5) / stretch)) * (index < last)
            found.append((np.clip(index, 0, size - 1), weight))
        total = sum(weight for _, weight in found)
        return [(index, weight / np.where(total == 0, 1.0, total)) for index, weight in found]

    return taps


def _nearest_taps(exact: bool) -> Callable[..., Taps]:
    def taps(size: int, output: int, scale: float | None, align_corners: bool) -> Taps:
        ratio = np.float32(_ratio(size, output, scale, False))
        index = np.floor((np.arange(output, dtype=np.float32) + np.float32(0.5 * exact)) * ratio).astype(int)
        return [(np.minimum(index, size - 1), np.ones(output))]

    return taps


def _resize(taps: Callable[..., Taps], rank: int, *, aligned: bool) -> Callable[..., jax.Array]:
    """An operator of signature (x, output_size, [align_corners], scales): one list of scales, or one by one."""

    def run(x: jax.Array, output_size: Sequence[int] | None, *rest: Any, **kwargs: Any) -> jax.Array:
        given = list(rest)
        align_corners = bool(given.pop(0) if given else kwargs.get("align_corners")) if aligned else False
        listed = kwargs.get("scale_factors")
        one_by_one = [kwargs.get(f"scales{side}") for side in ("", "_d", "_h", "_w") if f"scales{side}" in kwargs]
        if given and isinstance(given[0], list | tuple):
            listed = given[0]
        scales = list(listed or given or one_by_one)
        scales = [None] * rank if len(scales) != rank else scales
        for index, axis in enumerate(range(x.ndim - rank, x.ndim)):
            size, scale = x.shape[axis], scales[index]
            output = output_size[index] if output_size else math.floor(size * (scale or 1.0))
            x = _apply_taps(x, axis, taps(size, output, scale, align_corners))
        return x

    return run


# PyTorch's names of padding, and NumPy's.
MODES = {"reflect": "reflect", "replicate": "edge", "circular": "wrap"}


def _pad_with(mode: str) -> Callable[..., jax.Array]:
    def run(x: jax.Array, padding: Sequence[int]) -> jax.Array:
        return _pad(x, padding, mode)

    return run


def _pad(x: jax.Array, pad: Sequence[int], mode: str = "constant", value: float | None = None) -> jax.Array:
    """Pads the last axes, the last one first; negative sides are cut off."""
    sides = [(0, 0)] * x.ndim
    for index in range(len(pad) // 2):
        sides[x.ndim - 1 - index] = (pad[2 * index], pad[2 * index + 1])
    if mode in ("reflect", "replicate") and any(low < 0 or high < 0 for low, high in sides):
        return _pad_and_cut(x, sides, mode)
    cut = tuple(slice(max(0, -low), size - max(0, -high)) for (low, high), size in zip(sides, x.shape, strict=True))
    x = x[cut] if any(low < 0 or high < 0 for low, high in sides) else x
    grown = [(max(0, low), max(0, high)) for low, high in sides]
    if mode == "constant":
        return jnp.pad(x, grown, constant_values=np.asarray(value or 0, x.dtype))
    return jnp.pad(x, grown, MODES[mode])


def _pad_and_cut(x: jax.Array, sides: Sequence[tuple[int, int]], mode: str) -> jax.Array:
    """What is cut off on one side may still be repeated on the other."""
    for axis, (low, high) in enumerate(sides):
        places = np.pad(np.arange(x.shape[axis]), (max(0, low), max(0, high)), MODES[mode])  # type: ignore[call-overload]
        x = jnp.take(x, places[max(0, -low) : len(places) - max(0, -high)], axis)
    return x


def _constant_pad(x: jax.Array, pad: Sequence[int], value: float = 0) -> jax.Array:
    return _pad(x, pad, "constant", value)


def _unnormalize(position: jax.Array, size: int, align_corners: bool) -> jax.Array:
    return (position + 1) / 2 * (size - 1) if align_corners else ((position + 1) * size - 1) / 2


def _reflect(position: jax.Array, size: int, align_corners: bool) -> jax.Array:
    low, high = (0.0, size - 1.0) if align_corners else (-0.5, size - 0.5)
    span = high - low
    if span == 0:
        return jnp.zeros_like(position)
    offset = jnp.mod(position - low, 2 * span)
    return jnp.where(offset > span, 2 * span - offset, offset) + low


def _grid_sample(
    x: jax.Array, grid: jax.Array, interpolation_mode: int, padding_mode: int, align_corners: bool | None = False
) -> jax.Array:
    """Samples (n, c, *size) at the positions of (n, *output, rank), which are given from the last axis to the first."""
    rank, aligned = x.ndim - 2, bool(align_corners)
    sizes = x.shape[2:]
    positions = [_unnormalize(grid[..., rank - 1 - axis], size, aligned) for axis, size in enumerate(sizes)]

    def fold(position: jax.Array, size: int) -> jax.Array:
        if padding_mode == 2:
            position = _reflect(position, size, aligned)
        return jnp.clip(position, 0, size - 1) if padding_mode else position

    def read(indices: Sequence[jax.Array]) -> jax.Array:
        inside = jnp.ones(indices[0].shape, bool)
        safe = []
        for index, size in zip(indices, sizes, strict=True):
            index = fold(index, size) if interpolation_mode == 2 else index
            inside &= (index >= 0) & (index < size)
            safe.append(jnp.clip(index, 0, size - 1).astype(jnp.int32))
        sampled = jax.vmap(lambda image, where: image[(slice(None), *where)])(x, tuple(safe))
        return jnp.where(inside[:, None], sampled, 0.0)

    if interpolation_mode == 2:
        low = [jnp.floor(position) for position in positions]
        weights = [
            [_cubic_weight(jnp.abs(start + step - position)) for step in (-1, 0, 1, 2)]
            for start, position in zip(low, positions, strict=True)
        ]
        total = jnp.zeros((), x.dtype)
        for steps in product(range(4), repeat=rank):
            weight = math.prod((weights[axis][step] for axis, step in enumerate(steps)), start=jnp.ones(()))
            total = total + weight[:, None] * read([low[axis] + step - 1 for axis, step in enumerate(steps)])
        return total
    positions = [fold(position, size) for position, size in zip(positions, sizes, strict=True)]
    if interpolation_mode == 1:
        return read([jnp.round(position) for position in positions])
    low = [jnp.floor(position) for position in positions]
    total = jnp.zeros((), x.dtype)
    for steps in product(range(2), repeat=rank):
        parts = [
            position - start if step else 1 - (position - start)
            for step, position, start in zip(steps, positions, low, strict=True)
        ]
        weight = math.prod(parts, start=jnp.ones(()))
        total = total + weight[:, None] * read([start + step for step, start in zip(steps, low, strict=True)])
    return total


def _cubic_weight(distance: jax.Array) -> jax.Array:
    a = -0.75
    near = ((a + 2) * distance - (a + 3)) * distance**2 + 1
    far = a * (((distance - 5) * distance + 8) * distance - 4)
    return jnp.where(distance <= 1, near, jnp.where(distance < 2, far, 0.0))


def _affine_grid(theta: jax.Array, size: Sequence[int], align_corners: bool) -> jax.Array:
    sides = [
        np.linspace(-1, 1, side) * (1 if align_corners else (side - 1) / side) if side > 1 else np.zeros(1)
        for side in size[2:]
    ]
    mesh = np.meshgrid(*sides, indexing="ij")
    base = np.stack([*reversed(mesh), np.ones(tuple(size[2:]))], -1).astype(np.float32)
    return jnp.einsum("...k,nik->n...i", base, theta)


def _triangle(distance: np.ndarray) -> np.ndarray:
    return np.maximum(0.0, 1.0 - distance)


RESAMPLING: dict[str, Callable[..., Any]] = {
    **{f"upsample_nearest{rank}d": _resize(_nearest_taps(False), rank, aligned=False) for rank in (1, 2, 3)},
    **{f"_upsample_nearest_exact{rank}d": _resize(_nearest_taps(True), rank, aligned=False) for rank in (1, 2, 3)},
    "upsample_linear1d": _resize(_linear_taps, 1, aligned=True),
    "upsample_bilinear2d": _resize(_linear_taps, 2, aligned=True),
    "upsample_trilinear3d": _resize(_linear_taps, 3, aligned=True),
    "upsample_bicubic2d": _resize(_cubic_taps, 2, aligned=True),
    "_upsample_bilinear2d_aa": _resize(_smooth_taps(1, _triangle), 2, aligned=True),
    "_upsample_bicubic2d_aa": _resize(_smooth_taps(2, lambda distance: _cubic(distance, -0.5)), 2, aligned=True),
    "pad": _pad,
    "constant_pad_nd": _constant_pad,
    "_pad_circular": _pad_with("circular"),
    **{f"reflection_pad{rank}d": _pad_with("reflect") for rank in (1, 2, 3)},
    **{f"replication_pad{rank}d": _pad_with("replicate") for rank in (1, 2, 3)},
    **dict.fromkeys(("grid_sampler", "grid_sampler_2d", "grid_sampler_3d"), _grid_sample),
    "affine_grid_generator": _affine_grid,
}
