"""ONNX's poolings."""

import math
from collections.abc import Callable
from functools import reduce

import jax.numpy as jnp
import numpy as np
from jax import lax

from featviz.adapters.onnx.operators.call import Array, Call, Operator
from featviz.adapters.onnx.operators.padding import Windows, windows


def _pool(x: Array, at: Windows, start: float, join: Callable[..., Array]) -> Array:
    pads = [(low, high + more) for (low, high), more in zip(at.pads, at.beyond, strict=True)]
    return lax.reduce_window(
        x, start, join, (1, 1, *at.kernel), (1, 1, *at.strides), [(0, 0), (0, 0), *pads],
        window_dilation=(1, 1, *at.dilations),
    )  # fmt: skip


def _max(call: Call) -> Array:
    if call.outputs > 1:
        raise ValueError("its indices are not supported; expected one output")
    x = call.inputs[0]
    return _pool(x, windows(call, x.shape[2:], call.attributes["kernel_shape"]), -jnp.inf, lax.max)


def _average(call: Call) -> Array:
    x = call.inputs[0]
    at = windows(call, x.shape[2:], call.attributes["kernel_shape"])
    total = _pool(x, at, 0.0, lax.add)
    if call.get("count_include_pad", 0) and not any(at.beyond):
        return total / math.prod(at.kernel)
    counts = [_counts(size, at, axis, bool(call.get("count_include_pad", 0))) for axis, size in enumerate(x.shape[2:])]
    return total / reduce(np.multiply.outer, counts).astype(np.float32)


def _counts(size: int, at: Windows, axis: int, padding: bool) -> np.ndarray:
    """How many numbers each window holds along an axis, the padding among them or not."""
    (low, high), more = at.pads[axis], at.beyond[axis]
    there = np.concatenate([np.full(low, padding), np.ones(size, bool), np.full(high, padding), np.zeros(more, bool)])
    span = at.dilations[axis] * (at.kernel[axis] - 1) + 1
    seen = np.lib.stride_tricks.sliding_window_view(there, span)[:: at.strides[axis], :: at.dilations[axis]]
    return seen.sum(1)


def _lp(call: Call) -> Array:
    x, power = call.inputs[0], call.get("p", 2)
    at = windows(call, x.shape[2:], call.attributes["kernel_shape"])
    return _pool(jnp.abs(x) ** power, at, 0.0, lax.add) ** (1.0 / power)


def _global_average(call: Call) -> Array:
    return jnp.mean(call.inputs[0], axis=tuple(range(2, call.inputs[0].ndim)), keepdims=True)


def _global_max(call: Call) -> Array:
    return jnp.max(call.inputs[0], axis=tuple(range(2, call.inputs[0].ndim)), keepdims=True)


POOLING: dict[str, Operator] = {
    "MaxPool": _max, "AveragePool": _average, "LpPool": _lp, "GlobalAveragePool": _global_average,
    "GlobalMaxPool": _global_max,
}  # fmt: skip
