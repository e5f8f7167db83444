"""Coordinates, soft edges and noise fields that every pattern is drawn with.

All fields are float32 of shape (n, 64, 64), n images at a time; lengths are in pixels, angles in
degrees, and an orientation is counted counterclockwise from horizontal as seen on the screen
(90 is vertical, 45 rises to the right). Edges are analytic: a signed distance in pixels becomes
the covered share of the pixel, so nothing is drawn at a higher resolution and shrunk.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

SIZE = 64  # side of an image, px
Array = np.ndarray
_AXIS = np.arange(SIZE, dtype=np.float32) - (SIZE - 1) / 2
_FREQUENCY_Y = (np.fft.fftfreq(SIZE) * SIZE).astype(np.float32)[:, None]
_FREQUENCY_X = (np.fft.rfftfreq(SIZE) * SIZE).astype(np.float32)[None, :]


@dataclass
class Drawing:
    """One batch of a class: coverages (n, 64, 64) in [0, 1] and the factors behind them, (n,)."""

    ink: Array  # share of the foreground color
    accent: Array | None = None  # share of the ink that takes the third color instead
    orientation: Array | None = None  # degrees
    frequency: Array | None = None  # cycles per 64-px image
    scale: Array | None = None  # px: a shape's radius, a cell's side
    x: Array | None = None  # px from the image's center, to the right
    y: Array | None = None  # px from the image's center, downwards


def uniform(rng: np.random.Generator, low: float, high: float, n: int) -> Array:
    """Uniform draws, float32 (n,)."""
    return (low + (high - low) * rng.random(n, dtype=np.float32)).astype(np.float32)


def col(values: Array) -> Array:
    """Per-image values (n,) as (n, 1, 1), to broadcast over pixels."""
    return values[:, None, None].astype(np.float32)


def frame(orientation: Array, x: Array | float = 0.0, y: Array | float = 0.0) -> tuple:
    """Coordinates (along, across) in px, each (n, 64, 64), of axes turned to `orientation`."""
    angle = np.deg2rad(orientation)
    cos, sin = col(np.cos(angle)), col(np.sin(angle))
    px = _AXIS[None, None, :] - (col(x) if isinstance(x, np.ndarray) else x)
    py = _AXIS[None, :, None] - (col(y) if isinstance(y, np.ndarray) else y)
    return cos * px - sin * py, sin * px + cos * py


def polar(x: Array, y: Array) -> tuple[Array, Array]:
    """Radius in px and angle in radians (clockwise on the screen) about (x, y), (n, 64, 64)."""
    px = _AXIS[None, None, :] - col(x)
    py = _AXIS[None, :, None] - col(y)
    return np.sqrt(px * px + py * py), np.arctan2(py, px)


def cover(distance: Array, softness: Array | float = 1.0) -> Array:
    """Covered share in [0, 1] from a signed distance in px, negative inside."""
    return np.clip(0.5 - distance / softness, 0.0, 1.0)


def fraction(values: Array) -> Array:
    """Values modulo 1."""
    return values - np.floor(values)


def bars(phase: Array, period: Array, *, duty: Array | float = 0.5, softness: Array | float = 1.0):
    """Coverage by bars that repeat every 1 of `phase`, `period` px apart, `duty` of them ink."""
    return cover((np.abs(fraction(phase) - 0.5) - duty / 2) * period, softness)


def cell_values(rng: np.random.Generator, row: Array, column: Array) -> Array:
    """A random value in [0, 1) for every cell of a tiling, constant within the cell."""
    n = len(row)
    table = rng.random((n, 256), dtype=np.float32)
    key = (row.astype(np.int32) * 37 + column.astype(np.int32) * 101) & 255
    return np.take_along_axis(table, key.reshape(n, -1), axis=1).reshape(row.shape)


def filtered_noise(rng: np.random.Generator, amplitude: Array) -> Array:
    """Gaussian noise of unit variance whose spectrum has the `amplitude` (n, 64, 33)."""
    n = len(amplitude)
    spectrum = np.fft.rfft2(rng.standard_normal((n, SIZE, SIZE), dtype=np.float32))
    spectrum *= amplitude
    spectrum[:, 0, 0] = 0
    field = np.fft.irfft2(spectrum, s=(SIZE, SIZE)).astype(np.float32)
    return field / (field.std(axis=(1, 2), keepdims=True) + 1e-6)


def spectral_axes(orientation: Array) -> tuple[Array, Array]:
    """Frequency (n, 64, 33) along and across `orientation`, in cycles per image."""
    angle = np.deg2rad(orientation)
    cos, sin = col(np.cos(angle)), col(np.sin(angle))
    return cos * _FREQUENCY_X - sin * _FREQUENCY_Y, sin * _FREQUENCY_X + cos * _FREQUENCY_Y


def radial_frequency() -> Array:
    """Distance from the origin of the spectrum (1, 64, 33), cycles per image, at least 1."""
    return np.maximum(np.sqrt(_FREQUENCY_X**2 + _FREQUENCY_Y**2), 1.0)[None]
