"""Random textures: noise of several spectra, fur, marble, flames and Voronoi cells."""

from __future__ import annotations

import numpy as np

from .fields import (
    SIZE,
    Drawing,
    bars,
    col,
    cover,
    filtered_noise,
    frame,
    radial_frequency,
    spectral_axes,
    uniform,
)


def _squash(field, contrast):
    """Unit-variance noise to coverage in [0, 1]."""
    return np.clip(0.5 + col(contrast) * field, 0, 1)


def power_noise(rng: np.random.Generator, n: int, *, slope: float) -> Drawing:
    """Noise whose amplitude falls as 1 / frequency ** slope (0 white, 1 pink, 2 brown)."""
    exponent = slope + uniform(rng, -0.12, 0.12, n)
    field = filtered_noise(rng, radial_frequency() ** -col(exponent))
    return Drawing(_squash(field, uniform(rng, 0.22, 0.35, n)))


def band_noise(rng: np.random.Generator, n: int) -> Drawing:
    """Noise from a narrow ring of the spectrum: blobs and worms of one size."""
    freq = uniform(rng, 5.0, 9.0, n)
    amplitude = np.exp(-0.5 * ((radial_frequency() - col(freq)) / 0.8) ** 2)
    field = filtered_noise(rng, amplitude)
    return Drawing(_squash(field, uniform(rng, 0.3, 0.8, n)), frequency=freq)


def fur(rng: np.random.Generator, n: int, *, orientation: float) -> Drawing:
    """Irregular strokes along one direction."""
    theta = orientation + uniform(rng, -8, 8, n)
    along, across = spectral_axes(theta)
    bandwidth = col(uniform(rng, 1.6, 2.4, n))
    amplitude = np.exp(-0.5 * (along / bandwidth) ** 2) * np.exp(-0.5 * (across / 11) ** 2)
    amplitude = amplitude * (1 - np.exp(-0.5 * (across / 2.5) ** 2))
    return Drawing(_squash(filtered_noise(rng, amplitude), uniform(rng, 0.3, 0.5, n)), orientation=theta)


def marble(rng: np.random.Generator, n: int) -> Drawing:
    """Thin veins: bars bent by smooth noise, over a cloudy ground."""
    theta = uniform(rng, 0, 180, n)
    freq = uniform(rng, 2.0, 3.2, n)
    _, across = frame(theta)
    amplitude = radial_frequency() ** -2.3
    bend = filtered_noise(rng, np.broadcast_to(amplitude, (n, *amplitude.shape[1:])))
    phase = across * col(freq / SIZE) + col(uniform(rng, 0.4, 0.6, n)) * bend
    vein = bars(phase, col(SIZE / freq), duty=col(uniform(rng, 0.09, 0.14, n)), softness=3.0)
    return Drawing(np.clip(vein + np.clip(0.1 + 0.1 * bend, 0, 0.3), 0, 1), orientation=theta, frequency=freq)


def flames(rng: np.random.Generator, n: int) -> Drawing:
    """Tongues that rise from the lower edge, with a core in the accent color."""
    along, across = spectral_axes(np.full(n, 90.0, np.float32))
    amplitude = np.exp(-np.abs(along) / 1.3 - np.abs(across) / 4.5)
    tongue = filtered_noise(rng, amplitude)
    _, down = frame(np.zeros(n, np.float32))
    level = uniform(rng, -6, 8, n)
    height = (down - col(level)) / 11 + col(uniform(rng, 0.9, 1.2, n)) * tongue
    ink = cover(-height * 3, 1.5)
    return Drawing(ink, cover(-(height - 1.3) * 3, 2.0), frequency=None, y=level)


def voronoi(rng: np.random.Generator, n: int) -> Drawing:
    """Irregular straight-sided cells with walls, each cell in its own shade."""
    count = 26
    # Seeds on a jittered grid that is larger than the image: cells differ but none is tiny.
    side = uniform(rng, 13.0, 19.0, n)
    u, v = frame(uniform(rng, 0, 90, n))
    rows, columns = np.divmod(np.arange(count), 5)
    keep = rng.random((n, count), dtype=np.float32)
    seeds_u = (columns - 2 + 0.9 * (rng.random((n, count), dtype=np.float32) - 0.5)) * side[:, None]
    seeds_v = (rows - 2 + 0.9 * (rng.random((n, count), dtype=np.float32) - 0.5)) * side[:, None]
    first = np.full((n, SIZE, SIZE), 1e6, np.float32)
    second, shade = first.copy(), np.zeros_like(first)
    for k in range(count):
        distance = np.hypot(u - col(seeds_u[:, k]), v - col(seeds_v[:, k]))
        nearer = distance < first
        second = np.where(nearer, first, np.minimum(second, distance))
        first = np.minimum(first, distance)
        shade = np.where(nearer, col(keep[:, k]), shade)
    wall = cover((second - first) / 2 - col(uniform(rng, 0.7, 1.3, n)))
    fill = col(uniform(rng, 0.0, 0.55, n)) * shade
    return Drawing(np.maximum(wall, fill), scale=side)
