"""Patterns about a center (rings, rays, spirals) and fields of dots."""

from __future__ import annotations

import numpy as np

from .fields import SIZE, Drawing, bars, cell_values, col, cover, fraction, frame, polar, uniform

TURN = np.float32(2 * np.pi)


def _center(rng: np.random.Generator, n: int, max_offset: float):
    """A center within `max_offset` px of the image's center in x and y, (n,) each."""
    return uniform(rng, -max_offset, max_offset, n), uniform(rng, -max_offset, max_offset, n)


def rings(rng: np.random.Generator, n: int) -> Drawing:
    """Concentric rings, 4.5 to 9 per 64 px."""
    x, y = _center(rng, n, 14)
    freq = uniform(rng, 4.5, 9.0, n)
    period = col(SIZE / freq)
    radius, _ = polar(x, y)
    soft = 1.0 + col(uniform(rng, 0, 0.3, n)) * period
    ink = bars(radius / period + col(rng.random(n)), period, softness=soft)
    return Drawing(ink, frequency=freq, scale=SIZE / freq, x=x, y=y)


def rays(rng: np.random.Generator, n: int) -> Drawing:
    """Straight rays from a center."""
    x, y = _center(rng, n, 14)
    radius, angle = polar(x, y)
    count = rng.integers(6, 13, n).astype(np.float32)
    phase = angle / TURN * col(count) + col(rng.random(n))
    width = np.maximum(radius * TURN / col(count), 0.5)
    return Drawing(bars(phase, width), frequency=count, x=x, y=y)


def spiral(rng: np.random.Generator, n: int, *, hand: int) -> Drawing:
    """Logarithmic spiral arms at about 45 degrees; `hand` 1 turns clockwise on the way out."""
    x, y = _center(rng, n, 12)
    radius, angle = polar(x, y)
    arms = rng.integers(3, 7, n).astype(np.float32)
    pitch = uniform(rng, 0.8, 1.5, n)
    winding = angle - hand * col(pitch) * np.log(np.maximum(radius, 0.5))
    width = radius * TURN / col(arms) / np.sqrt(1 + col(pitch) ** 2)
    ink = bars(winding / TURN * col(arms) + col(rng.random(n)), np.maximum(width, 0.5))
    return Drawing(ink, frequency=arms, x=x, y=y)


def dots(
    rng: np.random.Generator, n: int, *, cell: tuple[float, float], radius: tuple[float, float], jitter: float
) -> Drawing:
    """One dot per cell of a turned grid, off the cell's middle by a share of the free room."""
    theta = uniform(rng, 0, 90, n)
    side, rad = uniform(rng, *cell, n), uniform(rng, *radius, n)
    u, v = frame(theta)
    u, v = u / col(side) + col(rng.random(n)), v / col(side) + col(rng.random(n))
    row, column = np.floor(v), np.floor(u)
    room = jitter * col(np.maximum(side / 2 - rad, 0))
    du = (u - column - 0.5) * col(side) - room * (2 * cell_values(rng, row, column) - 1)
    dv = (v - row - 0.5) * col(side) - room * (2 * cell_values(rng, row, column) - 1)
    return Drawing(cover(np.sqrt(du * du + dv * dv) - col(rad)), frequency=SIZE / side, scale=rad)


def dot_rings(rng: np.random.Generator, n: int) -> Drawing:
    """Dots that sit on concentric rings, six more on each ring."""
    x, y = _center(rng, n, 10)
    radius, angle = polar(x, y)
    step = uniform(rng, 9.0, 12.5, n)
    ring = np.maximum(np.round(radius / col(step)), 1)
    turns = angle / TURN * 6 * ring + col(rng.random(n))
    arc = (fraction(turns) - 0.5) * TURN * radius / (6 * ring)
    rad = step * uniform(rng, 0.24, 0.32, n)
    ink = cover(np.hypot(arc, radius - ring * col(step)) - col(rad))
    return Drawing(ink, frequency=SIZE / step, scale=rad, x=x, y=y)
