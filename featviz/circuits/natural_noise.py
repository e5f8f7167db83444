"""Noise like natural images in one respect: pictures at which a network has activations of a sensible size."""

import numpy as np

# The standard deviation of the grays within a piece, as of natural images, and how much of that is color besides.
CONTRAST, COLOR = 0.2, 0.3


def noise(rng: np.random.Generator, count: int, size: tuple[int, int], *, channels: int = 3) -> np.ndarray:
    """Noise whose amplitude falls off as 1/f, as natural images' does: float32 in [0,1], (count, *size, channels).

    Grays of mean .5 and standard deviation .2 in each piece, with three tenths of that in each color besides.

    >>> made = noise(np.random.default_rng(0), 2, (16, 24))
    >>> made.shape, made.dtype, bool((made >= 0).all() and (made <= 1).all())
    ((2, 16, 24, 3), dtype('float32'), True)
    """
    rows, columns = np.fft.fftfreq(size[0])[:, None], np.fft.rfftfreq(size[1])[None]
    frequency = np.hypot(rows, columns)
    frequency[0, 0] = np.inf
    white = np.fft.rfft2(rng.standard_normal((count, channels + 1, *size)))
    pieces = np.fft.irfft2(white / frequency, s=size)
    pieces /= np.maximum(pieces.std((2, 3), keepdims=True), 1e-12)
    colors = COLOR * pieces[:, 1:] if channels > 1 else 0.0 * pieces[:, 1:]
    made = 0.5 + CONTRAST * (pieces[:, :1] + colors)
    return np.ascontiguousarray(np.moveaxis(np.clip(made, 0, 1), 1, -1), np.float32)
