"""Single shapes: polygons, stars, crosses, curves, and a few small pictures.

A shape comes from its signed distance in px, so it can be filled or drawn as an outline.
"""

from __future__ import annotations

import numpy as np

from .fields import Array, Drawing, bars, col, cover, frame, uniform

MIN_RADIUS, MAX_RADIUS = 16.0, 25.0  # px; the shape fills at least a tenth of the image


def _pose(
    rng: np.random.Generator,
    n: int,
    turn: float,
    *,
    orientation: float = 0.0,
    radius: tuple[float, float] = (MIN_RADIUS, MAX_RADIUS),
) -> tuple[Array, Array, dict]:
    """Shape coordinates in px (u right, v down before the turn) and the factors."""
    size = uniform(rng, *radius, n)
    room = 0.85 * np.maximum(32.0 - size, 3.0)
    x, y = uniform(rng, -1, 1, n) * room, uniform(rng, -1, 1, n) * room
    theta = orientation + uniform(rng, -turn, turn, n)
    u, v = frame(theta, x, y)
    return u, v, {"orientation": theta, "scale": size, "x": x, "y": y}


def _paint(rng: np.random.Generator, distance: Array, *, outline: float = 0.4) -> Array:
    """Ink of a shape: filled or, in a share `outline` of the images, only its rim."""
    n = len(distance)
    width = col(uniform(rng, 1.6, 2.6, n))
    hollow = col(rng.random(n) < outline) > 0.5
    return cover(np.where(hollow, np.abs(distance + width) - width, distance))


def _folded(u: Array, v: Array, corners: int) -> tuple[Array, Array]:
    """Radius, and the angle to the nearest corner in [0, pi / corners]."""
    step = 2 * np.pi / corners
    angle = np.arctan2(v, u)
    return np.sqrt(u * u + v * v), np.abs(angle - step * np.round(angle / step))


def polygon(rng: np.random.Generator, n: int, *, corners: int) -> Drawing:
    """A regular polygon in any orientation."""
    u, v, factors = _pose(rng, n, 180.0, radius=(18.0, 26.0))
    radius, angle = _folded(u, v, corners)
    half = np.pi / corners
    distance = radius * np.cos(half - angle) - col(factors["scale"]) * np.cos(half)
    return Drawing(_paint(rng, distance), **factors)


def star(rng: np.random.Generator, n: int, *, points: int, waist: tuple[float, float]) -> Drawing:
    """A star whose inner corners lie at a share `waist` of the radius."""
    u, v, factors = _pose(rng, n, 180.0, radius=(20.0, 28.0))
    radius, angle = _folded(u, v, points)
    outer = col(factors["scale"])
    inner = outer * col(uniform(rng, *waist, n))
    half = np.pi / points
    # Signed distance to the line from the tip (outer, 0) to the inner corner.
    edge_u, edge_v = inner * np.cos(half) - outer, inner * np.sin(half)
    length = np.hypot(edge_u, edge_v)
    cross_product = (radius * np.cos(angle) - outer) * edge_v - radius * np.sin(angle) * edge_u
    distance = cross_product / length
    return Drawing(_paint(rng, distance), **factors)


def cross(rng: np.random.Generator, n: int, *, orientation: float) -> Drawing:
    """Two bars that cross in their middles."""
    u, v, factors = _pose(rng, n, 18.0, orientation=orientation)
    u, v, size = np.abs(u), np.abs(v), col(factors["scale"])
    width = size * col(uniform(rng, 0.24, 0.36, n))
    distance = np.minimum(np.maximum(u - size, v - width), np.maximum(u - width, v - size))
    return Drawing(_paint(rng, distance), **factors)


def ring(rng: np.random.Generator, n: int) -> Drawing:
    """One ring."""
    u, v, factors = _pose(rng, n, 0.0, radius=(14.0, 24.0))
    width = col(uniform(rng, 2.0, 4.5, n))
    distance = np.abs(np.sqrt(u * u + v * v) - col(factors["scale"]) + width) - width
    return Drawing(cover(distance), **factors)


def crescent(rng: np.random.Generator, n: int) -> Drawing:
    """A disc with a bite nearly as large as itself, in any orientation."""
    u, v, factors = _pose(rng, n, 180.0)
    size = col(factors["scale"])
    bite = np.hypot(u - size * col(uniform(rng, 0.7, 0.95, n)), v)
    distance = np.maximum(np.sqrt(u * u + v * v) - size, 0.9 * size - bite)
    return Drawing(_paint(rng, distance, outline=0.0), **factors)


def heart(rng: np.random.Generator, n: int) -> Drawing:
    """A heart, tip down."""
    u, v, factors = _pose(rng, n, 20.0)
    side = col(factors["scale"]) * 1.25
    a, b = (u + v) * np.float32(0.5**0.5), (v - u) * np.float32(0.5**0.5)
    square = np.maximum(np.abs(a), np.abs(b)) - side / 2
    # A lobe sits on the middle of each of the two upper sides of the square on its tip.
    lobes = np.minimum(np.hypot(a + side / 2, b), np.hypot(a, b + side / 2)) - side / 2
    return Drawing(_paint(rng, np.minimum(square, lobes)), **factors)


def curve(rng: np.random.Generator, n: int, *, orientation: float) -> Drawing:
    """An arc of 120 to 170 degrees, open towards `orientation` (0 right, 90 up)."""
    u, v, factors = _pose(rng, n, 14.0, orientation=orientation, radius=(14.0, 22.0))
    size = col(factors["scale"])
    u = u - 0.35 * size  # the arc lies to the left of its circle's center: center what is seen
    width = col(uniform(rng, 1.8, 3.4, n))
    half = col(np.deg2rad(uniform(rng, 60, 85, n)))
    radius, angle = np.sqrt(u * u + v * v), np.arctan2(np.abs(v), -u)
    tip = np.hypot(-u - size * np.cos(half), np.abs(v) - size * np.sin(half))
    distance = np.where(angle < half, np.abs(radius - size), tip) - width
    return Drawing(cover(distance), **factors)


def _almond(u: Array, v: Array, length: Array, height: Array) -> Array:
    """Signed distance to a pointed oval of half axes `length` and `height`."""
    offset = (length**2 - height**2) / (2 * height)
    return np.hypot(u, np.abs(v) + offset) - (height + offset)


def eye(rng: np.random.Generator, n: int) -> Drawing:
    """A pointed oval with an iris in the accent color and a pupil in the ground's."""
    u, v, factors = _pose(rng, n, 18.0, radius=(20.0, 28.0))
    size = col(factors["scale"])
    height = size * col(uniform(rng, 0.5, 0.62, n))
    center = np.hypot(u - height * col(uniform(rng, -0.25, 0.25, n)), v)
    pupil = cover(center - height * col(uniform(rng, 0.3, 0.42, n)))
    ink = cover(_almond(u, v, size, height)) * (1 - pupil)
    return Drawing(ink, cover(center - 0.8 * height), **factors)


def leaf(rng: np.random.Generator, n: int) -> Drawing:
    """A pointed oval with a stalk, a midrib and slanting veins, in any orientation."""
    u, v, factors = _pose(rng, n, 180.0, radius=(20.0, 28.0))
    size = col(factors["scale"])
    blade = cover(_almond(u, v, size, size * col(uniform(rng, 0.36, 0.48, n))))
    gap = col(uniform(rng, 6.0, 8.5, n))
    veins = bars((u - 0.9 * np.abs(v)) / gap, gap * 0.74, duty=0.2)
    stalk = cover(np.maximum(np.abs(v) - 1.1, np.abs(u + size) - 6.0))
    return Drawing(np.maximum(blade, stalk), np.maximum(veins, cover(np.abs(v) - 0.9)), **factors)


def flower(rng: np.random.Generator, n: int) -> Drawing:
    """Five to seven round petals about a disc in the accent color."""
    u, v, factors = _pose(rng, n, 180.0, radius=(18.0, 26.0))
    size = col(factors["scale"])
    petals = col(rng.integers(5, 8, n))
    radius, angle = np.sqrt(u * u + v * v), np.arctan2(v, u)
    rim = size * (0.55 + 0.45 * np.sqrt(np.abs(np.cos(petals * angle / 2))))
    disc = cover(radius - size * col(uniform(rng, 0.22, 0.32, n)))
    return Drawing(cover((radius - rim) * 0.7), disc, **factors)
