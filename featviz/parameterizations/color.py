"""Decorrelated color: optimizing along the axes on which natural colors vary independently."""

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

# The square root of the color correlation of ImageNet, and its largest column norm (lucid, optvis/param/color.py).
COLOR_CORRELATION_SQRT = np.array([[0.26, 0.09, 0.02], [0.27, 0.00, -0.05], [0.27, -0.09, 0.03]], np.float32)
COLOR_MATRIX = COLOR_CORRELATION_SQRT / np.linalg.norm(COLOR_CORRELATION_SQRT, axis=0).max()


def correlate_color(t: Float[Array, "*s c"]) -> Float[Array, "*s c"]:
    """From decorrelated channels to RGB before the sigmoid: t @ M.T; other channel counts than 3 stay as they are.

    >>> np.asarray(correlate_color(jnp.array([1.0, 0.0, 0.0]))).round(3).astype(float).round(3).tolist()
    [0.563, 0.584, 0.584]
    """
    return _mix(t, COLOR_MATRIX)


def decorrelate_color(rgb: Float[Array, "*s c"]) -> Float[Array, "*s c"]:
    """The inverse of `correlate_color`."""
    return _mix(rgb, np.linalg.inv(COLOR_MATRIX).astype(np.float32))


def for_channels(values: float | tuple[float, ...], channels: int) -> Float[np.ndarray, " c"]:
    """One value for each channel, or one for all: the values, or their mean if their count is another.

    >>> for_channels((0.25, 0.5, 0.75), 3).tolist(), for_channels((0.25, 0.5, 0.75), 1).tolist()
    ([0.25, 0.5, 0.75], [0.5])
    """
    array = np.atleast_1d(np.asarray(values, np.float32))
    return array if array.size == channels else array.mean(keepdims=True)


def _mix(t: Float[Array, "*s c"], matrix: Float[np.ndarray, "3 3"]) -> Float[Array, "*s c"]:
    if t.shape[-1] != 3:
        return t
    # Written out: a matrix product may round differently for other numbers of lanes.
    rows = [sum(t[..., j] * jnp.asarray(row[j], t.dtype) for j in range(3)) for row in matrix]
    return jnp.stack(rows, axis=-1)
