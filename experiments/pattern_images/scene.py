"""From ink to image: colors, clutter, light, blur and noise, independent of the class.

Clutter is of four kinds: a faint texture on the ground of a shape, small distractor shapes, one
patch of another texture, and thin bars that occlude. On a texture class they lie on top and cover
less than a quarter; behind a shape they lie on its ground.
"""

from __future__ import annotations

import numpy as np

from .fields import (
    SIZE,
    Array,
    Drawing,
    col,
    cover,
    filtered_noise,
    frame,
    radial_frequency,
    uniform,
)

CLUTTER_SHARE = 0.5
LUMINANCE = np.array([0.299, 0.587, 0.114], np.float32)
MIN_DISTANCE, MIN_LUMINANCE = 0.5, 0.22  # between foreground and ground, RGB in [0, 1]


def colors(rng: np.random.Generator, n: int) -> tuple[Array, Array, Array]:
    """Foreground, ground and accent colors, (n, 3) each, well apart from each other."""
    tries = 24
    pairs = rng.random((n, tries, 2, 3), dtype=np.float32)
    gap = pairs[:, :, 0] - pairs[:, :, 1]
    good = (np.linalg.norm(gap, axis=-1) > MIN_DISTANCE) & (np.abs(gap @ LUMINANCE) > MIN_LUMINANCE)
    pair = pairs[np.arange(n), good.argmax(axis=1)]
    third = rng.random((n, tries, 3), dtype=np.float32)
    apart = np.linalg.norm(third[:, :, None] - pair[:, None], axis=-1).min(axis=2) > 0.4
    return pair[:, 0], pair[:, 1], third[np.arange(n), apart.argmax(axis=1)]


def _quick_texture(rng: np.random.Generator, n: int) -> Array:
    """Some other texture in [-1, 1], (n, 64, 64): a grating, a product of two, or noise."""
    u, v = frame(uniform(rng, 0, 180, n))
    per_px = uniform(rng, 3, 12, n) * 2 * np.pi / SIZE
    first = np.sin(u * col(per_px) + col(uniform(rng, 0, 6.3, n)))
    second = np.sin(v * col(per_px) + col(uniform(rng, 0, 6.3, n)))
    amplitude = np.broadcast_to(radial_frequency() ** -1.0, (n, SIZE, SIZE // 2 + 1))
    noise = np.clip(0.5 * filtered_noise(rng, amplitude), -1, 1)
    kind = col(rng.integers(0, 3, n))
    return np.where(kind == 0, first, np.where(kind == 1, first * second, noise))


def _over(image: Array, mask: Array, color: Array) -> None:
    """Paint `color` ((n, 3) or (n, 64, 64, 3)) over the image in place, by mask (n, 64, 64)."""
    if color.ndim == 2:
        color = color[:, None, None]
    image += mask[..., None] * (color - image)


def _distractors(rng: np.random.Generator, image: Array, count: int) -> None:
    """Small discs, boxes and diamonds, 2.5 to 6 px in radius, each in 70 % of images."""
    n = len(image)
    for _ in range(count):
        u, v = frame(uniform(rng, 0, 90, n), uniform(rng, -30, 30, n), uniform(rng, -30, 30, n))
        disc = col(rng.integers(0, 2, n)) > 0.5
        radius = np.where(disc, np.hypot(u, v), np.maximum(np.abs(u), np.abs(v)) * 1.1)
        present = col(rng.random(n) < 0.7)
        mask = present * cover(radius - col(uniform(rng, 2.5, 6.0, n)))
        _over(image, mask, rng.random((n, 3), np.float32))


def _patch(rng: np.random.Generator, image: Array) -> None:
    """A disc or a box with another texture, near the edge of the image, in 60 % of images."""
    n = len(image)
    angle, distance = uniform(rng, 0, 2 * np.pi, n), uniform(rng, 24, 32, n)
    x, y = distance * np.cos(angle), distance * np.sin(angle)
    u, v = frame(uniform(rng, 0, 90, n), x, y)
    box = col(rng.integers(0, 2, n)) > 0.5
    radius = np.where(box, np.maximum(np.abs(u), np.abs(v)), np.hypot(u, v))
    mask = col(rng.random(n) < 0.6) * cover(radius - col(uniform(rng, 8, 13, n)))
    ink = 0.5 + 0.5 * _quick_texture(rng, n)[..., None]
    first, second = rng.random((2, n, 1, 1, 3), dtype=np.float32)
    _over(image, mask, first + ink * (second - first))


def _bars(rng: np.random.Generator, image: Array, share: float) -> None:
    """One thin bar across the image, in a share of images."""
    n = len(image)
    _, across = frame(uniform(rng, 0, 180, n), uniform(rng, -22, 22, n), uniform(rng, -22, 22, n))
    mask = cover(np.abs(across) - col(uniform(rng, 0.6, 1.5, n)))
    _over(image, mask * col(rng.random(n) < share), rng.random((n, 3), np.float32))


def _light(rng: np.random.Generator, image: Array) -> Array:
    """Shading across the image, contrast and brightness; returns the image's contrast, (n,)."""
    n = len(image)
    contrast = uniform(rng, 0.5, 1.0, n)
    image -= 0.5
    image *= contrast[:, None, None, None]
    image += 0.5 + uniform(rng, -0.1, 0.1, n)[:, None, None, None]
    along, across = frame(uniform(rng, 0, 360, n))
    bowl = (along * along + across * across) / 1024
    shade = 1 + col(uniform(rng, 0, 0.35, n)) * along / 32 + col(uniform(rng, -0.2, 0.1, n)) * bowl
    image *= shade[..., None]
    return contrast


def _blur(image: Array, weight: Array) -> Array:
    """A three-tap blur both ways; `weight` (n,) is that of each outer tap."""
    w = weight[:, None, None, None]
    for axis in (1, 2):
        pad = [(0, 0)] * 4
        pad[axis] = (1, 1)
        wide = np.pad(image, pad, mode="edge")
        lo, hi = (wide[:, :-2], wide[:, 2:]) if axis == 1 else (wide[:, :, :-2], wide[:, :, 2:])
        image = image + w * (lo + hi - 2 * image)
    return image


def compose(rng: np.random.Generator, drawing: Drawing, is_shape: bool) -> tuple[Array, dict]:
    """Images (n, 64, 64, 3) float32 in [0, 1] and the factors that the scene added."""
    n = len(drawing.ink)
    fore, ground, third = colors(rng, n)
    cluttered = rng.random(n) < CLUTTER_SHARE
    index = np.flatnonzero(cluttered)
    image = np.empty((n, SIZE, SIZE, 3), np.float32)
    image[:] = ground[:, None, None]
    if is_shape and len(index):
        busy = image[index]
        strength = uniform(rng, 0, 0.2, len(index))  # faint: the shape's contrast is 0.5 or more
        busy += (col(strength) * _quick_texture(rng, len(index)))[..., None]
        _distractors(rng, busy, 4)
        _patch(rng, busy)
        _patch(rng, busy)
        image[index] = busy
    paint = fore[:, None, None]
    if drawing.accent is not None:
        paint = paint + drawing.accent[..., None] * (third - fore)[:, None, None]
    image += drawing.ink[..., None] * (paint - image)
    if len(index):
        busy = image[index]
        if not is_shape:
            _distractors(rng, busy, 4)
            _patch(rng, busy)
            _patch(rng, busy)
        _bars(rng, busy, 0.35 if is_shape else 0.7)
        image[index] = busy
    contrast = _light(rng, image)
    blur = np.maximum(uniform(rng, -0.1, 0.25, n), 0)
    image = _blur(image, blur)
    noise = 0.09 * uniform(rng, 0.0, 1.0, n) ** 2
    image += noise[:, None, None, None] * rng.standard_normal(image.shape, dtype=np.float32)
    np.clip(image, 0, 1, out=image)
    return image, {
        "foreground": fore,
        "ground": ground,
        "accent": third,
        "clutter": cluttered,
        "contrast": contrast,
        "blur": blur,
        "noise": noise,
    }
