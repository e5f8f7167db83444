"""Stimuli of known orientation, and how well weights agree with a shape made of oriented parts."""

from collections.abc import Callable

import jax
import numpy as np

import featviz as fv

# Angles of lines and gratings, of arcs and boundaries, in radians; y grows downwards.
LINES, DIRECTIONS = np.arange(8) * np.pi / 8, np.arange(16) * np.pi / 8
# Radius of an arc and half of its length in radians, and the thickness of its line, in pixels.
RADIUS, HALF, THICKNESS = 37.0, 1.1, 5.0


def grid(size: int) -> tuple[np.ndarray, np.ndarray]:
    """x and y of each pixel, from the middle."""
    y, x = np.mgrid[:size, :size] - (size - 1) / 2
    return x, y


def gray(mask: np.ndarray, *, dark: bool) -> np.ndarray:
    """A mask in [0,1] as a line on gray, light or dark."""
    image = 0.5 + (-0.4 if dark else 0.4) * mask
    return np.repeat(image[..., None], 3, -1).astype(np.float32)


def gratings(size: int, period: float, *, phase: float = 0.0) -> np.ndarray:
    """Gratings whose stripes lie at each of LINES, (8, size, size, 3)."""
    x, y = grid(size)
    waves = [np.sin(2 * np.pi * (y * np.cos(a) - x * np.sin(a)) / period + phase) for a in LINES]
    return np.stack([gray(wave, dark=False) for wave in waves])


def arc(size: int, direction: float, *, dark: bool, radius: float = RADIUS) -> np.ndarray:
    """An arc through the middle whose center of curvature lies in a direction; always as long."""
    x, y = grid(size)
    from_center = x - radius * np.cos(direction), y - radius * np.sin(direction)
    distance = np.abs(np.hypot(*from_center) - radius)
    angle = np.arctan2(from_center[1], from_center[0]) - (direction + np.pi)
    within = np.abs((angle + np.pi) % (2 * np.pi) - np.pi) < HALF * RADIUS / radius
    return gray(np.clip(THICKNESS / 2 + 0.5 - distance, 0, 1) * within, dark=dark)


def responses(model: fv.Model, layer: str, images: np.ndarray, *, middle: bool = False) -> np.ndarray:
    """Each unit's response to each image, (images, units): a mean, or the maximum of the middle 3 x 3."""
    run = jax.jit(lambda weights, images: model.apply(weights, images, layers=(layer,))[layer])
    activation = np.concatenate([np.asarray(run(model.weights, images[i : i + 8])) for i in range(0, len(images), 8)])
    if not middle:
        return activation.mean((1, 2))
    rows, columns = (side // 2 for side in activation.shape[1:3])
    return activation[:, rows - 1 : rows + 2, columns - 1 : columns + 2].max((1, 2))


def orientations(
    model: fv.Model, layer: str, *, size: int, periods: tuple[float, ...]
) -> tuple[np.ndarray, np.ndarray]:
    """The orientation of the lines that each unit prefers, in radians, and how selective it is, 0 to 1."""
    found = np.max(
        [
            responses(model, layer, gratings(size, period, phase=phase))
            for period in periods
            for phase in (0, np.pi / 2)
        ],
        axis=0,
    )
    total = (found * np.exp(2j * LINES)[:, None]).sum(0) / np.maximum(found.sum(0), 1e-9)
    return np.angle(total) / 2, np.abs(total)


def agreement(
    maps: np.ndarray, orientation: np.ndarray, selectivity: np.ndarray, tangent: Callable, *, step: float
) -> np.ndarray:
    """sum W[o, p, i] s[i] cos 2 (phi[i] - tau(p)) g(p): how much units look for lines along a field of tangents.

    Args:
      maps: (units, rows, columns, inputs), times the inputs' standard deviation.
      orientation, selectivity: of the inputs.
      tangent: x, y in pixels -> the angle tau and the weight g there.
      step: pixels from one position of the inputs' layer to the next.
    """
    rows, columns = maps.shape[1:3]
    y, x = np.mgrid[:rows, :columns].astype(float)
    angle, weight = tangent((x - (columns - 1) / 2) * step, (y - (rows - 1) / 2) * step)
    field = weight[..., None] * selectivity * np.cos(2 * (orientation - angle[..., None]))
    return np.tensordot(maps, field, axes=3)


def along_arc(direction: float) -> Callable:
    """The tangents of the arc of `arc`."""

    def tangent(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        from_center = x - RADIUS * np.cos(direction), y - RADIUS * np.sin(direction)
        distance = np.hypot(*from_center) - RADIUS
        return np.arctan2(from_center[1], from_center[0]) + np.pi / 2, np.exp(-((distance / 10) ** 2) / 2)

    return tangent


def spearman(a: np.ndarray, b: np.ndarray) -> float:
    """The rank correlation."""
    from scipy.stats import spearmanr

    return float(spearmanr(a, b).statistic)
