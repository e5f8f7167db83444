"""ATen's Fourier transforms."""

from collections.abc import Callable, Sequence
from math import prod
from typing import Any

import jax
import jax.numpy as jnp

# How the core's transforms number what they divide by: nothing, the root of the size, the size.
NORMS = {0: 0.0, 1: 0.5, 2: 1.0}


def _over_axes(function: Callable[..., jax.Array], *default: int) -> Callable[..., jax.Array]:
    def run(x: jax.Array, s: Any = None, dim: Any = default or None, norm: str | None = None) -> jax.Array:
        return function(x, s, dim, norm)

    return run


def _over_one(function: Callable[..., jax.Array]) -> Callable[..., jax.Array]:
    def run(x: jax.Array, n: int | None = None, dim: int = -1, norm: str | None = None) -> jax.Array:
        return function(x, n, dim, norm)

    return run


def _scaled(y: jax.Array, sizes: Sequence[int], normalization: int) -> jax.Array:
    power = NORMS[normalization]
    return y / prod(sizes) ** power if power else y


def _real_to_complex(x: jax.Array, dim: Sequence[int], normalization: int, onesided: bool) -> jax.Array:
    y = jnp.fft.rfftn(x, axes=dim) if onesided else jnp.fft.fftn(x, axes=dim)
    return _scaled(y, [x.shape[axis] for axis in dim], normalization)


def _complex_to_real(x: jax.Array, dim: Sequence[int], normalization: int, last_dim_size: int) -> jax.Array:
    sizes = [*(x.shape[axis] for axis in dim[:-1]), last_dim_size]
    return _scaled(jnp.fft.irfftn(x, s=sizes, axes=dim, norm="forward"), sizes, normalization)


def _complex_to_complex(x: jax.Array, dim: Sequence[int], normalization: int, forward: bool) -> jax.Array:
    y = jnp.fft.fftn(x, axes=dim) if forward else jnp.fft.ifftn(x, axes=dim, norm="forward")
    return _scaled(y, [x.shape[axis] for axis in dim], normalization)


def _shift(function: Callable[..., jax.Array]) -> Callable[..., jax.Array]:
    def run(x: jax.Array, dim: Sequence[int] | None = None) -> jax.Array:
        return function(x, tuple(dim) if dim is not None else None)

    return run


FOURIER: dict[str, Callable[..., Any]] = {
    "fft_rfft2": _over_axes(jnp.fft.rfft2, -2, -1),
    "fft_irfft2": _over_axes(jnp.fft.irfft2, -2, -1),
    "fft_fft2": _over_axes(jnp.fft.fft2, -2, -1),
    "fft_ifft2": _over_axes(jnp.fft.ifft2, -2, -1),
    "fft_rfftn": _over_axes(jnp.fft.rfftn),
    "fft_irfftn": _over_axes(jnp.fft.irfftn),
    "fft_fftn": _over_axes(jnp.fft.fftn),
    "fft_ifftn": _over_axes(jnp.fft.ifftn),
    "fft_rfft": _over_one(jnp.fft.rfft),
    "fft_irfft": _over_one(jnp.fft.irfft),
    "fft_fft": _over_one(jnp.fft.fft),
    "fft_ifft": _over_one(jnp.fft.ifft),
    "fft_hfft": _over_one(jnp.fft.hfft),
    "fft_ihfft": _over_one(jnp.fft.ihfft),
    "fft_fftshift": _shift(jnp.fft.fftshift),
    "fft_ifftshift": _shift(jnp.fft.ifftshift),
    "fft_fftfreq": lambda n, d=1.0, *, dtype=None: jnp.fft.fftfreq(n, d),
    "fft_rfftfreq": lambda n, d=1.0, *, dtype=None: jnp.fft.rfftfreq(n, d),
    "_fft_r2c": _real_to_complex,
    "_fft_c2r": _complex_to_real,
    "_fft_c2c": _complex_to_complex,
}
