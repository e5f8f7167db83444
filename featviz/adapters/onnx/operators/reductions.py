"""ONNX operators that sum, average or compare along axes."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from featviz.adapters.onnx.operators.call import Array, Call, Operator


def _reduce(function: Callable[..., Array]) -> Operator:
    def run(call: Call) -> Array:
        axes = call.whole_numbers(1, attribute="axes")
        if not axes and call.get("noop_with_empty_axes", 0):
            return call.inputs[0]
        return function(call.inputs[0], axis=axes or None, keepdims=bool(call.get("keepdims", 1)))

    return run


def _norm(x: Array, *, axis: tuple[int, ...] | None, keepdims: bool) -> Array:
    return jnp.sqrt(jnp.sum(jnp.square(x), axis=axis, keepdims=keepdims))


def _along(function: Callable[..., Array]) -> Operator:
    """A softmax: over one axis, or before edition 13 over that axis and all behind it."""

    def run(call: Call) -> Array:
        x = call.inputs[0]
        if call.opset >= 13:
            return function(x, axis=call.get("axis", -1))
        axis = call.get("axis", 1) % x.ndim
        flat = function(x.reshape(int(np.prod(x.shape[:axis])), -1), axis=-1)
        return flat.reshape(x.shape)

    return run


def _largest(function: Callable[..., Array]) -> Operator:
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
    (count,) = call.whole_numbers(1, attribute="k") or (1,)
    sign = 1 if call.get("largest", 1) else -1
    values, indices = jax.lax.top_k(sign * jnp.moveaxis(x, axis, -1), count)
    return jnp.moveaxis(sign * values, -1, axis), jnp.moveaxis(indices, -1, axis)


def _cumulated(call: Call) -> Array:
    axes = call.whole_numbers(1)
    axis = axes[0] if axes else 0
    x = jnp.flip(call.inputs[0], axis) if call.get("reverse", 0) else call.inputs[0]
    total = jnp.cumsum(x, axis) - (x if call.get("exclusive", 0) else 0)
    return jnp.flip(total, axis) if call.get("reverse", 0) else total


def _lp_normalized(call: Call) -> Array:
    x, axis = call.inputs[0], call.get("axis", -1)
    norm = jnp.linalg.norm(x, ord=call.get("p", 2), axis=axis, keepdims=True)
    return x / jnp.where(norm == 0, 1.0, norm)


REDUCTIONS: dict[str, Operator] = {
    "ReduceMean": _reduce(jnp.mean), "ReduceSum": _reduce(jnp.sum), "ReduceMax": _reduce(jnp.max),
    "ReduceMin": _reduce(jnp.min), "ReduceProd": _reduce(jnp.prod), "ReduceL2": _reduce(_norm),
    "ReduceL1": _reduce(lambda x, **along: jnp.sum(jnp.abs(x), **along)),
    "ReduceSumSquare": _reduce(lambda x, **along: jnp.sum(jnp.square(x), **along)),
    "ReduceLogSum": _reduce(lambda x, **along: jnp.log(jnp.sum(x, **along))),
    "ReduceLogSumExp": _reduce(jax.nn.logsumexp),
    "Softmax": _along(jax.nn.softmax), "LogSoftmax": _along(jax.nn.log_softmax),
    "ArgMax": _largest(jnp.argmax), "ArgMin": _largest(jnp.argmin), "TopK": _top_k, "CumSum": _cumulated,
    "LpNormalization": _lp_normalized,
}  # fmt: skip
