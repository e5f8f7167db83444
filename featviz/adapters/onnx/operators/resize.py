"""ONNX's Resize: along each axis a weighted sum of inputs, with weights that are known while the network is traced."""

import math
from collections.abc import Callable

import jax.numpy as jnp
import numpy as np

from featviz.adapters.onnx.operators.call import Array, Call, Operator

ROUNDING: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "round_prefer_floor": lambda x: np.ceil(x - 0.5),
    "round_prefer_ceil": lambda x: np.floor(x + 0.5),
    "floor": np.floor,
    "ceil": np.ceil,
}


def _resize(call: Call) -> Array:
    x = call.inputs[0]
    # Opset 10 has the scales where later ones have the region.
    scales = call.static(1, attribute="scales") if call.opset < 11 else call.static(2)
    sizes = call.static_ints(3)
    axes = [axis % x.ndim for axis in call.get("axes", range(x.ndim))]
    if sizes:
        wanted = dict(zip(axes, sizes, strict=True))
        scale = {axis: wanted[axis] / x.shape[axis] for axis in axes}
        policy = call.get("keep_aspect_ratio_policy", "stretch")
        if policy != "stretch":
            common = (min if policy == "not_larger" else max)(scale.values())
            scale = dict.fromkeys(axes, common)
            wanted = {axis: math.floor(common * x.shape[axis] + 0.5) for axis in axes}
    elif scales is not None and scales.size:
        scale = dict(zip(axes, map(float, scales), strict=True))
        wanted = {axis: math.floor(x.shape[axis] * scale[axis]) for axis in axes}
    else:
        raise ValueError("it has neither scales nor sizes")
    for axis in axes:
        if wanted[axis] != x.shape[axis] or scale[axis] != 1.0:
            shape = [-1 if other == axis else 1 for other in range(x.ndim)]
            # Not a product with a matrix, which would be taken for a layer with units of its own.
            x = sum(
                jnp.take(x, columns, axis) * weights.astype(np.float32).reshape(shape)
                for columns, weights in _taps(call, x.shape[axis], wanted[axis], scale[axis])
            )
    return x


def _taps(call: Call, size: int, wanted: int, scale: float) -> list[tuple[np.ndarray, np.ndarray]]:
    """Along one axis, the inputs that outputs are sums of, and their weights: pairs of arrays of shape (wanted,)."""
    mode, antialias = call.get("mode", "nearest"), bool(call.get("antialias", 0))
    centers = _centers(call, size, wanted, scale)
    if mode == "nearest":
        nearest = ROUNDING[call.get("nearest_mode", "round_prefer_floor" if call.opset >= 11 else "floor")](centers)
        return [(np.clip(nearest, 0, size - 1).astype(int), np.ones(wanted))]
    stretch = max(1.0, 1.0 / scale) if antialias else 1.0
    radius = math.ceil((2 if mode == "cubic" else 1) * stretch)
    taps = []
    for step in range(1 - radius, radius + 1):
        column = np.floor(centers) + step
        distance = np.abs(column - centers) / stretch
        cubic = mode == "cubic"
        weight = _cubic(distance, call.get("cubic_coeff_a", -0.75)) if cubic else np.maximum(0.0, 1.0 - distance)
        if call.get("exclude_outside", 0):
            weight = weight * ((column >= 0) & (column < size))
        taps.append((np.clip(column, 0, size - 1).astype(int), weight))
    total = sum(weight for _, weight in taps)
    return [(column, weight / total) for column, weight in taps if weight.any()]


def _cubic(distance: np.ndarray, a: float) -> np.ndarray:
    """Keys' cubic convolution kernel."""
    near = ((a + 2) * distance - (a + 3)) * distance**2 + 1
    far = a * (((distance - 5) * distance + 8) * distance - 4)
    return np.where(distance <= 1, near, np.where(distance < 2, far, 0.0))


def _centers(call: Call, size: int, wanted: int, scale: float) -> np.ndarray:
    """The position of each output among the inputs."""
    kind = call.get("coordinate_transformation_mode", "half_pixel" if call.opset >= 11 else "asymmetric")
    out = np.arange(wanted, dtype=np.float64)
    if kind == "half_pixel" or (kind == "pytorch_half_pixel" and wanted > 1):
        return (out + 0.5) / scale - 0.5
    if kind == "half_pixel_symmetric":
        return size / 2 * (1 - wanted / (scale * size)) + (out + 0.5) / scale - 0.5
    if kind == "align_corners":
        return out * ((size - 1) / (wanted - 1)) if wanted > 1 else np.zeros(1)
    if kind == "pytorch_half_pixel":
        return np.zeros(1)
    if kind == "asymmetric":
        return out / scale
    raise ValueError(f"its coordinate_transformation_mode is {kind}; expected half_pixel, align_corners or asymmetric")


RESIZING: dict[str, Operator] = {"Resize": _resize, "Upsample": _resize}
