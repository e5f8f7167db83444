"""ONNX's normalizations, as in inference."""

import jax.numpy as jnp
from jax import lax

from featviz.adapters.onnx.operators.call import Array, Call, Operator


def _row(values: Array, like: Array) -> Array:
    """Numbers of channels, shaped to go with (n, channels, ...)."""
    return jnp.reshape(values, (1, -1) + (1,) * (like.ndim - 2))


def _batch(call: Call) -> Array:
    x, scale, bias, mean, variance = call.inputs
    if call.get("training_mode", 0) or not call.get("spatial", 1):
        raise ValueError("it is in training mode, or not spatial; expected a network exported for inference")
    factor = lax.rsqrt(jnp.asarray(variance) + call.get("epsilon", 1e-5))
    return (x - _row(mean, x)) * _row(factor, x) * _row(scale, x) + _row(bias, x)


def _instance(call: Call) -> Array:
    x, scale, bias = call.inputs
    axes = tuple(range(2, x.ndim))
    centered = x - jnp.mean(x, axes, keepdims=True)
    factor = lax.rsqrt(jnp.mean(jnp.square(centered), axes, keepdims=True) + call.get("epsilon", 1e-5))
    return centered * factor * _row(scale, x) + _row(bias, x)


def _layer(call: Call) -> tuple[Array, ...]:
    x, scale, bias = call.inputs[0], call.inputs[1], call.input(2)
    axes = tuple(range(call.get("axis", -1) % x.ndim, x.ndim))
    mean = jnp.mean(x, axes, keepdims=True)
    factor = lax.rsqrt(jnp.mean(jnp.square(x - mean), axes, keepdims=True) + call.get("epsilon", 1e-5))
    found = (x - mean) * factor * scale
    return (found if bias is None else found + bias, mean, factor)[: call.outputs]


def _across_channels(call: Call) -> Array:
    x, size = call.inputs[0], call.attributes["size"]
    window = (1, size) + (1,) * (x.ndim - 2)
    pads = [(0, 0), ((size - 1) // 2, size // 2)] + [(0, 0)] * (x.ndim - 2)
    total = lax.reduce_window(jnp.square(x), 0.0, lax.add, window, (1,) * x.ndim, pads)
    base = call.get("bias", 1.0) + call.get("alpha", 1e-4) / size * total
    return x / base ** call.get("beta", 0.75)


NORMALIZATION: dict[str, Operator] = {
    "BatchNormalization": _batch, "InstanceNormalization": _instance, "LayerNormalization": _layer,
    "LRN": _across_channels,
}  # fmt: skip
