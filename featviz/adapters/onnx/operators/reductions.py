"""ONNX operators that combine values along axes: reductions, softmax, normalizations, matrix products."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from featviz.adapters.onnx.operators.call import Array, Call, Operator


def _reduce(function: Callable[..., Array]) -> Operator:
    def run(call: Call) -> Array:
        axes = call.static_ints(1, attribute="axes")
        if not axes and call.get("noop_with_empty_axes", 0):
            return call.inputs[0]
        return function(call.inputs[0], axis=axes or None, keepdims=bool(call.get("keepdims", 1)))

    return run


def _norm(x: Array, *, axis: tuple[int, ...] | None, keepdims: bool) -> Array:
    return jnp.sqrt(jnp.sum(jnp.square(x), axis=axis, keepdims=keepdims))


def _along(function: Callable[..., Array]) -> Operator:
    """A softmax over one axis; before opset 13 over that axis and all behind it."""

    def run(call: Call) -> Array:
        x = call.inputs[0]
        if call.opset >= 13:
            return function(x, axis=call.get("axis", -1))
        axis = call.get("axis", 1) % x.ndim
        flat = function(x.reshape(int(np.prod(x.shape[:axis])), -1), axis=-1)
        return flat.reshape(x.shape)

    return run


def _arg_extremum(function: Callable[..., Array]) -> Operator:
    def run(call: Call) -> Array:
        x, axis = call.inputs[0], call.get("axis", 0)
        if call.get("select_last_index", 0):
            index = x.shape[axis] - 1 - function(jnp.flip(x, axis), axis=axis)
        else:
            index = function(x, axis=axis)
        return jnp.expand_dims(index, axis) if call.get("keepdims", 1) else index

    return run


def _top_k(call: Call) -> tuple[Array, Array]:
    x, axis = call.inputs[0], call.get("axis", -1)
    (count,) = call.static_ints(1, attribute="k") or (1,)
    sign = 1 if call.get("largest", 1) else -1
    values, indices = jax.lax.top_k(sign * jnp.moveaxis(x, axis, -1), count)
    return jnp.moveaxis(sign * values, -1, axis), jnp.moveaxis(indices, -1, axis)


def _cumulative(function: Callable[..., Array], start: float) -> Operator:
    def run(call: Call) -> Array:
        axes = call.static_ints(1)
        axis = axes[0] if axes else 0
        x = jnp.flip(call.inputs[0], axis) if call.get("reverse", 0) else call.inputs[0]
        total = function(x, axis)
        if call.get("exclusive", 0):
            first = jnp.full_like(lax.slice_in_dim(total, 0, 1, axis=axis), start)
            total = jnp.concatenate([first, lax.slice_in_dim(total, 0, -1, axis=axis)], axis)
        return jnp.flip(total, axis) if call.get("reverse", 0) else total

    return run


def _hard_max(x: Array, *, axis: int) -> Array:
    return jax.nn.one_hot(jnp.argmax(x, axis), x.shape[axis], axis=axis, dtype=x.dtype)


def _lp_normalize(call: Call) -> Array:
    x, axis = call.inputs[0], call.get("axis", -1)
    norm = jnp.linalg.norm(x, ord=call.get("p", 2), axis=axis, keepdims=True)
    return x / jnp.where(norm == 0, 1.0, norm)


def _per_channel(values: Array, like: Array) -> Array:
    """Values of the channels in a shape that broadcasts with (n, channels, ...)."""
    return jnp.reshape(values, (1, -1) + (1,) * (like.ndim - 2))


def _batch_norm(call: Call) -> Array:
    x, scale, bias, mean, variance = call.inputs
    if call.get("training_mode", 0) or not call.get("spatial", 1):
        raise ValueError("it is in training mode, or not spatial; expected a network exported for inference")
    factor = lax.rsqrt(jnp.asarray(variance) + call.get("epsilon", 1e-5))
    return (x - _per_channel(mean, x)) * _per_channel(factor, x) * _per_channel(scale, x) + _per_channel(bias, x)


def _instance_norm(call: Call) -> Array:
    x, scale, bias = call.inputs
    axes = tuple(range(2, x.ndim))
    centered = x - jnp.mean(x, axes, keepdims=True)
    factor = lax.rsqrt(jnp.mean(jnp.square(centered), axes, keepdims=True) + call.get("epsilon", 1e-5))
    return centered * factor * _per_channel(scale, x) + _per_channel(bias, x)


def _layer_norm(call: Call) -> tuple[Array, ...]:
    x, scale, bias = call.inputs[0], call.inputs[1], call.input(2)
    axes = tuple(range(call.get("axis", -1) % x.ndim, x.ndim))
    mean = jnp.mean(x, axes, keepdims=True)
    factor = lax.rsqrt(jnp.mean(jnp.square(x - mean), axes, keepdims=True) + call.get("epsilon", 1e-5))
    normalized = (x - mean) * factor * scale
    return (normalized if bias is None else normalized + bias, mean, factor)[: call.outputs]


def _local_response_norm(call: Call) -> Array:
    x, size = call.inputs[0], call.attributes["size"]
    window = (1, size) + (1,) * (x.ndim - 2)
    pads = [(0, 0), ((size - 1) // 2, size // 2)] + [(0, 0)] * (x.ndim - 2)
    total = lax.reduce_window(jnp.square(x), 0.0, lax.add, window, (1,) * x.ndim, pads)
    base = call.get("bias", 1.0) + call.get("alpha", 1e-4) / size * total
    return x / base ** call.get("beta", 0.75)


def _gemm(call: Call) -> Array:
    a, b, c = call.inputs[0], call.inputs[1], call.input(2)
    product = jnp.matmul(a.T if call.get("transA", 0) else a, b.T if call.get("transB", 0) else b)
    alpha, beta = call.get("alpha", 1.0), call.get("beta", 1.0)
    product = product if alpha == 1.0 else alpha * product
    return product if c is None else product + (c if beta == 1.0 else beta * c)


def _matmul(call: Call) -> Array:
    return jnp.matmul(call.inputs[0], call.inputs[1])


def _einsum(call: Call) -> Array:
    return jnp.einsum(call.attributes["equation"], *call.inputs)


REDUCTIONS: dict[str, Operator] = {
    "ReduceMean": _reduce(jnp.mean), "ReduceSum": _reduce(jnp.sum), "ReduceMax": _reduce(jnp.max),
    "ReduceMin": _reduce(jnp.min), "ReduceProd": _reduce(jnp.prod), "ReduceL2": _reduce(_norm),
    "ReduceL1": _reduce(lambda x, **along: jnp.sum(jnp.abs(x), **along)),
    "ReduceSumSquare": _reduce(lambda x, **along: jnp.sum(jnp.square(x), **along)),
    "ReduceLogSum": _reduce(lambda x, **along: jnp.log(jnp.sum(x, **along))),
    "ReduceLogSumExp": _reduce(jax.nn.logsumexp),
    "Softmax": _along(jax.nn.softmax), "LogSoftmax": _along(jax.nn.log_softmax),
    "ArgMax": _arg_extremum(jnp.argmax), "ArgMin": _arg_extremum(jnp.argmin), "TopK": _top_k,
    "CumSum": _cumulative(jnp.cumsum, 0.0), "CumProd": _cumulative(jnp.cumprod, 1.0), "Hardmax": _along(_hard_max),
    "Det": lambda call: jnp.linalg.det(call.inputs[0]),
    "LpNormalization": _lp_normalize, "BatchNormalization": _batch_norm, "InstanceNormalization": _instance_norm,
    "LayerNormalization": _layer_norm, "LRN": _local_response_norm, "Gemm": _gemm, "MatMul": _matmul, "Einsum": _einsum,
}  # fmt: skip
