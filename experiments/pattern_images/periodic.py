"""Patterns that repeat along straight lines: gratings, plaids, checks, waves and tilings."""

from __future__ import annotations

import numpy as np

from .fields import SIZE, Array, Drawing, bars, cell_values, col, cover, fraction, frame, uniform

# Spatial frequency of the gratings, in cycles per 64-px image. The bands leave a gap of almost an
# octave, so that no grating lies between the classes.
FREQUENCY_BANDS: dict[str, tuple[float, float]] = {"low": (2.5, 4.5), "high": (8.0, 13.0)}
TILT = 8.0  # maximum deviation of a grating's orientation from its class, in degrees


def grating(rng: np.random.Generator, n: int, *, orientation: float, band: str) -> Drawing:
    """Stripes; their profile goes from hard-edged to nearly sinusoidal."""
    theta = orientation + uniform(rng, -TILT, TILT, n)
    freq = uniform(rng, *FREQUENCY_BANDS[band], n)
    period = SIZE / freq
    _, across = frame(theta)
    softness = 1.0 + uniform(rng, 0, 0.45, n) * period
    phase = across / col(period) + col(rng.random(n))
    duty = uniform(rng, 0.4, 0.6, n)
    ink = bars(phase, col(period), duty=col(duty), softness=col(softness))
    return Drawing(ink, orientation=theta, frequency=freq, scale=period)


def _crossed(rng, n, orientation, low, high, *, duty):
    """Two sets of bars at right angles, and the factors."""
    theta = orientation + uniform(rng, -TILT, TILT, n)
    freq = uniform(rng, low, high, n)
    period = col(SIZE / freq)
    u, v = frame(theta)
    soft = col(uniform(rng, 1.0, 2.0, n))
    a = bars(u / period + col(rng.random(n)), period, duty=duty, softness=soft)
    b = bars(v / period + col(rng.random(n)), period, duty=duty, softness=soft)
    return a, b, {"orientation": theta, "frequency": freq, "scale": SIZE / freq}


def plaid(rng: np.random.Generator, n: int, *, orientation: float) -> Drawing:
    """Two see-through sets of wide bars: three levels of ink."""
    a, b, factors = _crossed(rng, n, orientation, 3.0, 5.5, duty=col(uniform(rng, 0.4, 0.55, n)))
    return Drawing(0.5 * (a + b), **factors)


def checks(rng: np.random.Generator, n: int, *, orientation: float) -> Drawing:
    """A checkerboard."""
    a, b, factors = _crossed(rng, n, orientation, 2.5, 6.0, duty=0.5)
    return Drawing(a + b - 2 * a * b, **factors)


def grid_lines(rng: np.random.Generator, n: int) -> Drawing:
    """Thin vertical and horizontal lines."""
    a, b, factors = _crossed(rng, n, 0.0, 3.5, 6.0, duty=col(uniform(rng, 0.15, 0.22, n)))
    return Drawing(np.maximum(a, b), **factors)


def _displaced(rng, n, orientation, displacement: Array, along_across) -> Drawing:
    """Bars pushed across their own direction by `displacement` px."""
    _, across = along_across
    freq = uniform(rng, 4.0, 6.5, n)
    period = col(SIZE / freq)
    phase = (across + displacement) / period + col(rng.random(n))
    duty = col(uniform(rng, 0.4, 0.6, n))
    ink = bars(phase, period, duty=duty, softness=col(uniform(rng, 1.0, 2.5, n)))
    return Drawing(ink, orientation=orientation, frequency=freq, scale=SIZE / freq)


def waves(rng: np.random.Generator, n: int, *, orientation: float) -> Drawing:
    """Bars that swing in long smooth waves, 1.3 to 2.2 of them per image."""
    theta = orientation + uniform(rng, -6, 6, n)
    axes = frame(theta)
    turns = axes[0] * col(uniform(rng, 1.3, 2.2, n) / SIZE) + col(rng.random(n))
    swing = col(uniform(rng, 4.0, 6.5, n)) * np.sin(2 * np.pi * turns)
    return _displaced(rng, n, theta, swing, axes)


def zigzag(rng: np.random.Generator, n: int, *, orientation: float) -> Drawing:
    """Bars that turn sharply 3.5 to 5.5 times per image and direction."""
    theta = orientation + uniform(rng, -6, 6, n)
    axes = frame(theta)
    per_px = uniform(rng, 3.5, 5.5, n) / SIZE
    swing = np.abs(fraction(axes[0] * col(per_px) + col(rng.random(n))) - 0.5) * 2 - 0.5
    # The height of a tooth is proportional to its length, so that legs stay at about 45 degrees.
    return _displaced(rng, n, theta, swing * col(uniform(rng, 0.45, 0.6, n) / per_px), axes)


def bricks(rng: np.random.Generator, n: int) -> Drawing:
    """Courses of bricks with mortar lines; every brick has its own shade of the accent."""
    theta = uniform(rng, -6, 6, n)
    height = uniform(rng, 8.0, 12.0, n)
    u, v = frame(theta)
    v = v / col(height) + col(rng.random(n))
    row = np.floor(v)
    length = col(height * uniform(rng, 1.8, 2.3, n))
    u = u / length + 0.5 * row + col(rng.random(n))
    to_edge = np.minimum((0.5 - np.abs(fraction(u) - 0.5)) * length, (0.5 - np.abs(v - row - 0.5)) * col(height))
    ink = cover(col(uniform(rng, 0.8, 1.3, n)) - to_edge)
    accent = 0.45 * cell_values(rng, row, np.floor(u))
    return Drawing(ink, accent, orientation=theta, scale=height)


def basket(rng: np.random.Generator, n: int) -> Drawing:
    """Squares of three parallel strips, alternately vertical and horizontal."""
    theta = uniform(rng, -6, 6, n)
    side = uniform(rng, 14.0, 20.0, n)
    u, v = frame(theta)
    u, v = u / col(side) + col(rng.random(n)), v / col(side) + col(rng.random(n))
    upright = (np.floor(u) + np.floor(v)) % 2 > 0.5
    strip = np.where(upright, u, v)
    ink = bars(3 * strip, col(side / 3), duty=col(uniform(rng, 0.6, 0.72, n)))
    return Drawing(ink, orientation=theta, scale=side)


def honeycomb(rng: np.random.Generator, n: int) -> Drawing:
    """Hexagonal cells with walls, in any orientation."""
    theta = uniform(rng, 0, 60, n)
    side = uniform(rng, 11.0, 17.0, n)  # distance between two opposite walls
    u, v = frame(theta)
    u, v = u / col(side) + col(rng.random(n)), v / col(side) + col(rng.random(n))
    tall = np.float32(np.sqrt(3))
    # Hexagon centers form two rectangular lattices; a pixel belongs to the nearer center.
    au, av = fraction(u) - 0.5, (fraction(v / tall) - 0.5) * tall
    bu, bv = fraction(u - 0.5) - 0.5, (fraction(v / tall - 0.5) - 0.5) * tall
    near = au * au + av * av < bu * bu + bv * bv
    u, v = np.abs(np.where(near, au, bu)), np.abs(np.where(near, av, bv))
    to_wall = (0.5 - np.maximum(u, 0.5 * u + 0.8660254 * v)) * col(side)
    ink = cover(to_wall - col(uniform(rng, 1.0, 1.8, n)))
    return Drawing(ink, orientation=theta, scale=side)


def scales(rng: np.random.Generator, n: int) -> Drawing:
    """Overlapping scales that hang down in staggered rows, darker towards their rim."""
    theta = uniform(rng, -8, 8, n)
    side = uniform(rng, 13.0, 20.0, n)
    u, v = frame(theta)
    u = u / col(side) + col(rng.random(n))
    v = v / col(side / 2) + col(rng.random(n))
    row = np.floor(v)
    # A pixel is on the scale of the row above it or, outside of that one, of the row below.
    shift = 0.5 * (row % 2)
    upper = np.hypot(fraction(u + shift) - 0.5, (v - row) / 2)
    lower = np.hypot(fraction(u + shift + 0.5) - 0.5, (v - row - 1) / 2)
    on_upper = upper < 0.5
    rim = (0.5 - np.where(on_upper, upper, lower)) * col(side)
    shade = 2 * np.where(on_upper, upper, 0.5 * lower)
    ink = np.maximum(cover(rim - col(uniform(rng, 0.9, 1.5, n))), col(uniform(rng, 0.2, 0.7, n)) * shade)
    return Drawing(np.clip(ink, 0, 1), orientation=theta, scale=side)
