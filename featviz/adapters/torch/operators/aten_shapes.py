"""ATen's operators that arrange values: views, permutations, joins and splits, conversions of type."""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax


def _sizes(sizes: tuple[Any, ...]) -> tuple[int, ...]:
    """Sizes that are given as one list or one by one."""
    return tuple(sizes[0]) if len(sizes) == 1 and isinstance(sizes[0], list | tuple) else sizes


def _reshape(x: jax.Array, *sizes: Any) -> jax.Array:
    return jnp.reshape(x, _sizes(sizes))


def _flatten(x: jax.Array, start_dim: int = 0, end_dim: int = -1) -> jax.Array:
    if x.ndim == 0:
        return x.reshape(1)
    start, end = start_dim % x.ndim, end_dim % x.ndim
    return x.reshape(*x.shape[:start], -1, *x.shape[end + 1 :])


def _unflatten(x: jax.Array, dim: int, sizes: Sequence[int]) -> jax.Array:
    axis = dim % x.ndim
    return x.reshape(*x.shape[:axis], *sizes, *x.shape[axis + 1 :])


def _permute(x: jax.Array, *dims: Any) -> jax.Array:
    return jnp.transpose(x, [axis % x.ndim for axis in _sizes(dims)]) if x.ndim else x


def _swap(x: jax.Array, first: int, second: int) -> jax.Array:
    return jnp.swapaxes(x, first, second) if x.ndim else x


def _expand(x: jax.Array, size: Sequence[int], **ignored: Any) -> jax.Array:
    lead = len(size) - x.ndim
    shape = [x.shape[axis - lead] if wanted == -1 else wanted for axis, wanted in enumerate(size)]
    return jnp.broadcast_to(x, shape)


def _squeeze(x: jax.Array, dim: int | Sequence[int] | None = None) -> jax.Array:
    if x.ndim == 0:
        return x
    dims = range(x.ndim) if dim is None else (dim,) if isinstance(dim, int) else dim
    return jnp.squeeze(x, tuple({axis % x.ndim for axis in dims if x.shape[axis % x.ndim] == 1}))


def _unsqueeze(x: jax.Array, dim: int) -> jax.Array:
    return jnp.expand_dims(x, dim)


def _concatenate(arrays: Sequence[jax.Array], dim: int = 0) -> jax.Array:
    # PyTorch passes over empty vectors, whatever the rank of the others.
    filled = [array for array in arrays if array.shape != (0,)]
    return jnp.concatenate(filled, dim) if filled else arrays[0]


def _stack(arrays: Sequence[jax.Array], dim: int = 0) -> jax.Array:
    return jnp.stack(arrays, dim)


def _split(x: jax.Array, split_size: int | Sequence[int], dim: int = 0) -> list[jax.Array]:
    size = x.shape[dim]
    sizes = (
        [min(split_size, size - start) for start in range(0, size, split_size)]
        if isinstance(split_size, int)
        else list(split_size)
    )
    ends = np.cumsum(sizes)
    return [
        lax.slice_in_dim(x, int(end - part), int(end), axis=dim % x.ndim) for part, end in zip(sizes, ends, strict=True)
    ]


def _chunk(x: jax.Array, chunks: int, dim: int = 0) -> list[jax.Array]:
    return _split(x, max(1, -(-x.shape[dim] // chunks)), dim)


def _tensor_split(x: jax.Array, parts: int | Sequence[int], dim: int = 0) -> list[jax.Array]:
    return list(jnp.array_split(x, parts if isinstance(parts, int) else list(parts), dim))


def _unbind(x: jax.Array, dim: int = 0) -> list[jax.Array]:
    return [jnp.squeeze(part, dim) for part in _split(x, 1, dim)]


def _repeat(x: jax.Array, repeats: Sequence[int]) -> jax.Array:
    return jnp.tile(x, tuple(repeats))


def _repeat_interleave(x: jax.Array, repeats: Any, dim: int | None = None, **kwargs: Any) -> jax.Array:
    return jnp.repeat(x, repeats, dim, total_repeat_length=kwargs.get("output_size"))


def _roll(x: jax.Array, shifts: Any, dims: Any = ()) -> jax.Array:
    if isinstance(dims, int) or len(dims):
        return jnp.roll(x, tuple(shifts) if isinstance(shifts, list | tuple) else shifts, axes(dims))
    return jnp.roll(x, shifts[0] if isinstance(shifts, list | tuple) else shifts)


def axes(dims: Any) -> Any:
    """PyTorch's list of dimensions as JAX's axes."""
    return tuple(dims) if isinstance(dims, list | tuple) else dims


def _rotate(x: jax.Array, k: int = 1, dims: Sequence[int] = (0, 1)) -> jax.Array:
    return jnp.rot90(x, k, (dims[0], dims[1]))


def _as_strided(x: jax.Array, size: Sequence[int], stride: Sequence[int], storage_offset: Any = None) -> jax.Array:
    # The interpreter gives the array in the order of PyTorch's memory.
    index = np.asarray(storage_offset or 0)
    for count, step in zip(size, stride, strict=True):
        index = index[..., None] + np.arange(count) * step
    return x.reshape(-1)[index]


def _convert(x: Any, *args: Any, **kwargs: Any) -> jax.Array:
    # The type is an argument somewhere, or that of another array; devices and layouts are none.
    kinds = [arg for arg in (*args, kwargs.get("dtype")) if isinstance(arg, np.dtype)]
    others = [arg for arg in (*args, kwargs.get("other")) if isinstance(arg, jax.Array)]
    kind = kinds[0] if kinds else others[0].dtype if others else None
    return jnp.asarray(x) if kind is None else jnp.asarray(x).astype(kind)


def _same(x: Any, *args: Any, **kwargs: Any) -> Any:
    return x


def _shuffle_up(x: jax.Array, upscale_factor: int) -> jax.Array:
    *lead, channels, height, width = x.shape
    r = upscale_factor
    y = x.reshape(*lead, channels // r**2, r, r, height, width)
    y = jnp.moveaxis(y, (-4, -3), (-3, -1))
    return y.reshape(*lead, channels // r**2, height * r, width * r)


def _shuffle_down(x: jax.Array, downscale_factor: int) -> jax.Array:
    *lead, channels, height, width = x.shape
    r = downscale_factor
    y = x.reshape(*lead, channels, height // r, r, width // r, r)
    y = jnp.moveaxis(y, (-3, -1), (-4, -3))
    return y.reshape(*lead, channels * r**2, height // r, width // r)


def _at_least(rank: int) -> Callable[..., Any]:
    function = {1: jnp.atleast_1d, 2: jnp.atleast_2d, 3: jnp.atleast_3d}[rank]

    def run(arrays: Any) -> Any:
        return [function(array) for array in arrays] if isinstance(arrays, list | tuple) else function(arrays)

    return run


def _split_along(dim: int) -> Callable[..., list[jax.Array]]:
    def run(x: jax.Array, parts: int | Sequence[int]) -> list[jax.Array]:
        # One axis is split where there is no second.
        return _tensor_split(x, parts, 0 if dim == 1 and x.ndim == 1 else dim)

    return run


def _sum_to(x: jax.Array, size: Sequence[int]) -> jax.Array:
    lead = x.ndim - len(size)
    spread = [axis + lead for axis, wanted in enumerate(size) if wanted == 1 and x.shape[axis + lead] != 1]
    return jnp.sum(x, (*range(lead), *spread), keepdims=True).reshape(tuple(size))


def _view_as_type(x: jax.Array, dtype: Any) -> jax.Array:
    raise NotImplementedError("a view of an array's bits as another type")


def _all_combinations(arrays: Sequence[jax.Array]) -> jax.Array:
    if len(arrays) == 1:
        return arrays[0]
    return jnp.stack([part.reshape(-1) for part in jnp.meshgrid(*arrays, indexing="ij")], -1)


def _meshgrid(arrays: Sequence[jax.Array], *, indexing: str = "ij") -> list[jax.Array]:
    return list(jnp.meshgrid(*(array.reshape(-1) for array in arrays), indexing=indexing))


SHAPES: dict[str, Callable[..., Any]] = {
    **dict.fromkeys(("view", "reshape", "_unsafe_view", "_reshape_alias"), _reshape),
    **dict.fromkeys(("permute",), _permute),
    **dict.fromkeys(("transpose", "swapaxes", "swapdims"), _swap),
    **dict.fromkeys(("to", "_to_copy", "type_as", "convert_element_type"), _convert),
    **dict.fromkeys(
        ("clone", "alias", "contiguous", "lift_fresh", "lift_fresh_copy", "lift", "positive", "device_put", "cpu"),
        _same,
    ),
    **dict.fromkeys(("detach", "detach_"), lambda x: lax.stop_gradient(x)),
    "flatten": _flatten,
    "ravel": _flatten,
    "unflatten": _unflatten,
    "t": lambda x: x.T,
    "numpy_T": lambda x: x.T,
    "mT": lambda x: jnp.swapaxes(x, -1, -2),
    "adjoint": lambda x: jnp.conj(jnp.swapaxes(x, -1, -2)),
    "movedim": lambda x, source, target: jnp.moveaxis(x, axes(source), axes(target)),
    "moveaxis": lambda x, source, target: jnp.moveaxis(x, axes(source), axes(target)),
    "expand": _expand,
    "broadcast_to": _expand,
    "expand_as": lambda x, other: jnp.broadcast_to(x, other.shape),
    "view_as": lambda x, other: x.reshape(other.shape),
    "reshape_as": lambda x, other: x.reshape(other.shape),
    "broadcast_tensors": lambda arrays: list(jnp.broadcast_arrays(*arrays)),
    "squeeze": _squeeze,
    "unsqueeze": _unsqueeze,
    "cat": _concatenate,
    "concat": _concatenate,
    "concatenate": _concatenate,
    "stack": _stack,
    "view.dtype": _view_as_type,
    **{f"atleast_{rank}d": _at_least(rank) for rank in (1, 2, 3)},
    "column_stack": lambda arrays: jnp.column_stack(arrays),
    **{name: _split_along(dim) for name, dim in (("hsplit", 1), ("vsplit", 0), ("dsplit", 2))},
    "dstack": lambda arrays: jnp.dstack(arrays),
    "sum_to_size": _sum_to,
    "hstack": lambda arrays: jnp.hstack(arrays),
    "vstack": lambda arrays: jnp.vstack(arrays),
    "split": _split,
    "split_with_sizes": _split,
    "chunk": _chunk,
    "tensor_split": _tensor_split,
    "unbind": _unbind,
    "repeat": _repeat,
    "tile": _repeat,
    "repeat_interleave": _repeat_interleave,
    "roll": _roll,
    "flip": lambda x, dims: jnp.flip(x, axes(dims)),
    "fliplr": jnp.fliplr,
    "flipud": jnp.flipud,
    "rot90": _rotate,
    "as_strided": _as_strided,
    "pixel_shuffle": _shuffle_up,
    "pixel_unshuffle": _shuffle_down,
    "meshgrid": _meshgrid,
    "cartesian_prod": _all_combinations,
}
