"""ONNX operators that work elementwise, broadcast as NumPy does."""

from collections.abc import Callable
from functools import reduce

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from featviz.adapters.onnx.operators.call import Array, Call, Operator


def _unpacked(function: Callable[..., Array]) -> Operator:
    """An operator that takes its inputs as separate arguments."""
    return lambda call: function(*call.inputs)


def _folded(function: Callable[[Array, Array], Array]) -> Operator:
    """An operator that combines any number of arrays, two at a time."""
    return lambda call: reduce(function, call.inputs)


def _divide(x: Array, y: Array) -> Array:
    # Integers are divided towards zero.
    return x / y if jnp.issubdtype(jnp.result_type(x, y), jnp.floating) else lax.div(*jnp.broadcast_arrays(x, y))


def _modulo(call: Call) -> Array:
    return (jnp.fmod if call.get("fmod", 0) else jnp.mod)(*call.inputs)


def _clip(call: Call) -> Array:
    low, high = call.input(1), call.input(2)
    if call.opset < 11:
        low, high = call.get("min", None), call.get("max", None)
    # Python numbers where they are constants, so that a ReLU6 is recognized.
    bounds = [bound.item() if isinstance(bound, np.ndarray | np.generic) else bound for bound in (low, high)]
    return jnp.clip(call.inputs[0], *bounds)


def _gelu(call: Call) -> Array:
    return jax.nn.gelu(call.inputs[0], approximate=call.get("approximate", "none") == "tanh")


def _hard_sigmoid(call: Call) -> Array:
    return jnp.clip(call.get("alpha", 0.2) * call.inputs[0] + call.get("beta", 0.5), 0.0, 1.0)


def _hard_swish(call: Call) -> Array:
    return call.inputs[0] * jnp.clip(call.inputs[0] / 6.0 + 0.5, 0.0, 1.0)


def _elu(call: Call) -> Array:
    return jax.nn.elu(call.inputs[0], call.get("alpha", 1.0))


def _selu(call: Call) -> Array:
    # The defaults are those of the standard.
    alpha, gamma = call.get("alpha", 1.67326319217681884765625), call.get("gamma", 1.05070102214813232421875)
    return gamma * jax.nn.elu(call.inputs[0], alpha)


def _swish(call: Call) -> Array:
    return call.inputs[0] * jax.nn.sigmoid(call.get("alpha", 1.0) * call.inputs[0])


def _leaky_relu(call: Call) -> Array:
    return jnp.where(call.inputs[0] >= 0, call.inputs[0], call.get("alpha", 0.01) * call.inputs[0])


def _thresholded_relu(call: Call) -> Array:
    return jnp.where(call.inputs[0] > call.get("alpha", 1.0), call.inputs[0], 0.0)


def _prelu(x: Array, slope: Array) -> Array:
    return jnp.where(x >= 0, x, slope * x)


def _shrink(call: Call) -> Array:
    x, threshold, bias = call.inputs[0], call.get("lambd", 0.5), call.get("bias", 0.0)
    return jnp.where(x < -threshold, x + bias, jnp.where(x > threshold, x - bias, 0.0))


def _is_infinite(call: Call) -> Array:
    x = call.inputs[0]
    positive = jnp.isposinf(x) & bool(call.get("detect_positive", 1))
    return positive | (jnp.isneginf(x) & bool(call.get("detect_negative", 1)))


# Operators without attributes.
PLAIN: dict[str, Callable[..., Array]] = {
    "Abs": jnp.abs, "Acos": jnp.arccos, "Acosh": jnp.arccosh, "Asin": jnp.arcsin, "Asinh": jnp.arcsinh,
    "Atan": jnp.arctan, "Atanh": jnp.arctanh, "Ceil": jnp.ceil, "Cos": jnp.cos, "Cosh": jnp.cosh,
    "Erf": lax.erf, "Exp": jnp.exp, "Floor": jnp.floor, "Identity": lambda x: x, "IsNaN": jnp.isnan,
    "Log": jnp.log, "Mish": jax.nn.mish, "Neg": jnp.negative, "Not": jnp.logical_not,
    "Reciprocal": jnp.reciprocal, "Relu": jax.nn.relu, "Round": jnp.round, "Sigmoid": jax.nn.sigmoid,
    "Sign": jnp.sign, "Sin": jnp.sin, "Sinh": jnp.sinh, "Softplus": jax.nn.softplus,
    "Softsign": jax.nn.soft_sign, "Sqrt": jnp.sqrt, "Tan": jnp.tan, "Tanh": jnp.tanh,
    "Add": jnp.add, "And": jnp.logical_and, "Div": _divide, "Equal": jnp.equal, "Greater": jnp.greater,
    "GreaterOrEqual": jnp.greater_equal, "Less": jnp.less, "LessOrEqual": jnp.less_equal, "Mul": jnp.multiply,
    "Or": jnp.logical_or, "Pow": jnp.power, "PRelu": _prelu, "Sub": jnp.subtract, "Where": jnp.where,
    "Xor": jnp.logical_xor,
}  # fmt: skip
POINTWISE: dict[str, Operator] = {
    **{name: _unpacked(function) for name, function in PLAIN.items()},
    "Max": _folded(jnp.maximum), "Min": _folded(jnp.minimum), "Sum": _folded(jnp.add),
    "Mean": lambda call: reduce(jnp.add, call.inputs) / len(call.inputs),
    "Clip": _clip, "Elu": _elu, "Gelu": _gelu, "HardSigmoid": _hard_sigmoid, "HardSwish": _hard_swish,
    "LeakyRelu": _leaky_relu, "Mod": _modulo, "Selu": _selu, "Swish": _swish, "ThresholdedRelu": _thresholded_relu,
    "Shrink": _shrink, "IsInf": _is_infinite,
}  # fmt: skip
