"""ONNX operators of quantized networks. Integers are held as floats, and gradients go straight through rounding.

A rounded value is x - stop(x) + stop(round(x)): exact, with the gradient of the clipped x (the straight-through
estimator of Bengio, Léonard and Courville 2013). Beyond the range of the integers the gradient is zero.
"""

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from featviz.adapters.onnx.operators.call import Array, Call, Operator
from featviz.adapters.onnx.operators.windows import WINDOWED


def dequantize(x: Array, scale: Array, zero: Array, *, axis: int = 1, block: int = 0) -> Array:
    """(x - zero) * scale, per tensor, per index of an axis, or per block along it; NumPy arrays give one.

    >>> dequantize(np.array([[3], [5]], np.uint8), np.array([2.0, 1.0], np.float32), None, axis=0).tolist()
    [[6.0], [5.0]]
    """
    values = x.astype(np.float32)
    if zero is not None:
        values = values - _spread(zero.astype(np.float32), x.shape, axis, block)
    return values * _spread(scale, x.shape, axis, block)


def quantize(x: Array, scale: Array, zero: Array, dtype: np.dtype, *, axis: int = 1, block: int = 0) -> Array:
    """clip(round(x / scale) + zero) in the range of `dtype`, as floats; rounded half to even."""
    steps = x / _spread(scale, x.shape, axis, block)
    if not jnp.issubdtype(dtype, jnp.integer):
        limit = float(jnp.finfo(dtype).max)
        clipped = jnp.clip(steps, -limit, limit)
        return _straight_through(clipped, clipped.astype(dtype).astype(np.float32))
    offset = 0.0 if zero is None else _spread(zero.astype(np.float32), x.shape, axis, block)
    low, high = float(jnp.iinfo(dtype).min), float(jnp.iinfo(dtype).max)
    return _straight_through(jnp.clip(steps + offset, low, high), jnp.clip(jnp.round(steps) + offset, low, high))


def _straight_through(smooth: Array, exact: Array) -> Array:
    """The values of `exact` with the gradient of `smooth`."""
    return smooth - lax.stop_gradient(smooth) + lax.stop_gradient(exact)


def _spread(values: Array, shape: tuple[int, ...], axis: int, block: int) -> Array:
    """Scales or zero points in a shape that broadcasts with the tensor's."""
    if block:
        return values.repeat(block, axis)[tuple(slice(size) for size in shape)]
    if values.size == 1:
        return values.reshape(())
    sides = [1] * len(shape)
    sides[axis] = -1
    return values.reshape(sides)


def dtype_of(zero: Array, call: Call) -> np.dtype:
    """The type of the integers: that of the zero point, else the attribute's, else uint8."""
    from onnx import helper

    if zero is not None and not isinstance(zero, jax.Array):
        return np.dtype(zero.dtype)
    kind = call.get("output_dtype", 0)
    return np.dtype(helper.tensor_dtype_to_np_dtype(kind)) if kind else np.dtype(np.uint8)


def _quantize(call: Call) -> Array:
    x, scale, zero = call.inputs[0], call.inputs[1], call.input(2)
    along = {"axis": call.get("axis", 1), "block": call.get("block_size", 0)}
    return quantize(x, scale, zero, dtype_of(zero, call), **along)


def _dequantize(call: Call) -> Array:
    along = {"axis": call.get("axis", 1), "block": call.get("block_size", 0)}
    return dequantize(call.inputs[0], call.inputs[1], call.input(2), **along)


def _quantize_dynamically(call: Call) -> tuple[Array, Array, Array]:
    x = call.inputs[0]
    low, high = jnp.minimum(jnp.min(x), 0.0), jnp.maximum(jnp.max(x), 0.0)
    scale = (high - low) / 255
    scale = jnp.where(scale == 0, 1.0, scale)
    zero = lax.stop_gradient(jnp.clip(jnp.round(-low / scale), 0.0, 255.0))
    return quantize(x, scale, zero, np.dtype(np.uint8)), scale, zero


def _convolve(call: Call) -> Array:
    x, x_scale, x_zero, w, w_scale, w_zero, y_scale, y_zero = call.inputs[:8]
    bias = call.input(8)
    bias = None if bias is None else bias.astype(np.float32) * (x_scale * w_scale)
    inputs = (dequantize(x, x_scale, x_zero), dequantize(w, w_scale, w_zero, axis=0), bias)
    result = WINDOWED["Conv"](Call(inputs, call.attributes, call.opset))
    return quantize(result, y_scale, y_zero, dtype_of(y_zero, call))


def _convolve_integers(call: Call) -> Array:
    one = np.ones((), np.float32)
    x, w = dequantize(call.inputs[0], one, call.input(2)), dequantize(call.inputs[1], one, call.input(3), axis=0)
    return WINDOWED["Conv"](Call((x, w), call.attributes, call.opset))


def _multiply(call: Call) -> Array:
    a, a_scale, a_zero, b, b_scale, b_zero, y_scale, y_zero = call.inputs
    product = jnp.matmul(dequantize(a, a_scale, a_zero, axis=-2), dequantize(b, b_scale, b_zero, axis=-1))
    return quantize(product, y_scale, y_zero, dtype_of(y_zero, call))


def _multiply_integers(call: Call) -> Array:
    one = np.ones((), np.float32)
    a, b = call.inputs[:2]
    return jnp.matmul(dequantize(a, one, call.input(2), axis=-2), dequantize(b, one, call.input(3), axis=-1))


QUANTIZED: dict[str, Operator] = {
    "QuantizeLinear": _quantize, "DequantizeLinear": _dequantize, "DynamicQuantizeLinear": _quantize_dynamically,
    "QLinearConv": _convolve, "QLinearMatMul": _multiply, "ConvInteger": _convolve_integers,
    "MatMulInteger": _multiply_integers,
}  # fmt: skip
