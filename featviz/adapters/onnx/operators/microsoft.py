"""Operators of onnxruntime (domain `com.microsoft`) that quantizers and optimizers write.

The operators `QLinear...` take integers with scales and zero points: x stands for (x - zero) * scale. Each is the
standard's operator on what its inputs stand for, quantized again.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np

from featviz.adapters.onnx.operators.call import Array, Call, Operator
from featviz.adapters.onnx.operators.elementwise import POINTWISE
from featviz.adapters.onnx.operators.quantization import QUANTIZED, dequantize, dtype_of, quantize
from featviz.adapters.onnx.operators.reductions import REDUCTIONS
from featviz.adapters.onnx.operators.windows import WINDOWED

# Inputs in groups of three: integers, their scale, their zero point.
TRIPLE = 3


def _triples(call: Call, count: int, *, first: int = 0) -> list[Array]:
    """What `count` quantized inputs stand for."""
    starts = range(first, first + TRIPLE * count, TRIPLE)
    return [dequantize(call.inputs[start], call.inputs[start + 1], call.input(start + 2)) for start in starts]


def _quantized(value: Array, call: Call, index: int) -> Array:
    """A value in the integers of the scale at `index` and the zero point behind it."""
    zero = call.input(index + 1)
    return quantize(value, call.inputs[index], zero, dtype_of(zero, call))


def _on_values(operator: Operator, count: int) -> Operator:
    """The standard's operator on quantized inputs, of which there are `count`; the result's scale follows them."""

    def run(call: Call) -> Array:
        inputs = tuple(_triples(call, count))
        # What the standard moved to inputs stays an attribute here; a softmax says its opset itself.
        plain = replace(call, inputs=inputs, opset=call.get("opset", 13))
        return _quantized(operator(plain), call, TRIPLE * count)

    return run


def _channels_first(operator: Operator) -> Operator:
    """An operator on images whose channels may be last, as `channels_last` says."""

    def run(call: Call) -> Array:
        if not call.get("channels_last", 0):
            return operator(call)
        first, *others = call.inputs
        result = operator(replace(call, inputs=(jnp.moveaxis(first, -1, 1), *others)))
        return jnp.moveaxis(result, 1, -1)

    return run


def _reduce_mean(call: Call) -> Array:
    (x,) = _triples(call, 1)
    mean = jnp.mean(x, tuple(call.get("axes", ())) or None, keepdims=bool(call.get("keepdims", 1)))
    return _quantized(mean, call, TRIPLE)


def _concatenate(call: Call) -> Array:
    count = (len(call.inputs) - 2) // TRIPLE
    return _quantized(jnp.concatenate(_triples(call, count, first=2), call.attributes["axis"]), call, 0)


def _where(call: Call) -> Array:
    x, y = _triples(call, 2, first=1)
    return _quantized(jnp.where(call.inputs[0], x, y), call, 1 + 2 * TRIPLE)


def _product(call: Call) -> Array:
    """alpha * A @ B + C; C is in steps of alpha * scale of A * scale of B. Floats where the result has no scale."""
    a, a_scale, a_zero, b, b_scale, b_zero, c = (call.input(index) for index in range(7))
    a = dequantize(a, a_scale, a_zero)
    # A scale for each column of the result, which transposed weights have on their rows.
    b = dequantize(b, b_scale, b_zero, axis=0 if call.get("transB", 0) else 1)
    product = call.get("alpha", 1.0) * (a.T if call.get("transA", 0) else a) @ (b.T if call.get("transB", 0) else b)
    if c is not None:
        product = product + c.astype(np.float32) * (call.get("alpha", 1.0) * a_scale * b_scale)
    return product if call.input(7) is None else _quantized(product, call, 7)


def _product_to_floats(call: Call) -> Array:
    a, b, a_scale, b_scale, a_zero, b_zero, bias = (call.input(index) for index in range(7))
    product = dequantize(a, a_scale, a_zero) @ dequantize(b, b_scale, b_zero, axis=-1)
    return product if bias is None else product + bias


def _dynamic_product(call: Call) -> Array:
    a, b, b_scale, b_zero, bias = (call.input(index) for index in range(5))
    steps, scale, zero = QUANTIZED["DynamicQuantizeLinear"](Call((a,), {}, call.opset, 3))
    product = dequantize(steps, scale, zero) @ dequantize(b, b_scale, b_zero, axis=-1)
    return product if bias is None else product + bias


def _activated(operator: Operator) -> Operator:
    """An operator and the activation function that an optimizer has fused with it."""

    def run(call: Call) -> Array:
        residual = call.input(3)
        result = operator(replace(call, inputs=call.inputs[:3]))
        result = result if residual is None else result + residual
        kind = call.get("activation", "")
        numbers = call.get("activation_params", ())
        if not kind:
            return result
        if kind == "Clip":
            return jnp.clip(result, *map(float, numbers))
        names = {"LeakyRelu": ("alpha",), "HardSigmoid": ("alpha", "beta")}.get(kind, ())
        given = dict(zip(names, numbers or [call.get(f"activation_{name}", None) for name in names], strict=False))
        known = {name: number for name, number in given.items() if number is not None}
        return POINTWISE[kind](Call((result,), known, call.opset))

    return run


def _fused_product(call: Call) -> Array:
    a, b = call.inputs[:2]
    a = jnp.swapaxes(a, -1, -2) if call.get("transA", 0) else a
    b = jnp.swapaxes(b, -1, -2) if call.get("transB", 0) else b
    return call.get("alpha", 1.0) * jnp.matmul(a, b)


def _biased_gelu(*, approximate: bool) -> Operator:
    def run(call: Call) -> Array:
        x = call.inputs[0] if call.input(1) is None else call.inputs[0] + call.inputs[1]
        return jax.nn.gelu(x, approximate=approximate)

    return run


def _skip_layer_norm(call: Call) -> tuple[Array, ...]:
    """LayerNormalization of a residual sum, which is the fourth output."""
    x, skip, scale, bias, more = (call.input(index) for index in range(5))
    total = x + skip if more is None else x + skip + more
    attributes = {"epsilon": call.get("epsilon", 1e-12)}
    (normed,) = REDUCTIONS["LayerNormalization"](Call((total, scale, bias), attributes, call.opset))
    return (normed, normed, normed, total)[: call.outputs]


def _group_norm(call: Call) -> Array:
    """Channels last, as onnxruntime's own; `activation` 1 is SiLU."""
    x, scale, bias = call.inputs[:3]
    last = bool(call.get("channels_last", 1))
    x = x if last else jnp.moveaxis(x, 1, -1)
    groups = x.reshape(x.shape[0], -1, call.attributes["groups"], x.shape[-1] // call.attributes["groups"])
    centered = groups - groups.mean((1, 3), keepdims=True)
    factor = jax.lax.rsqrt(jnp.square(centered).mean((1, 3), keepdims=True) + call.get("epsilon", 1e-5))
    normed = (centered * factor).reshape(x.shape) * scale + bias
    normed = jax.nn.silu(normed) if call.get("activation", 0) else normed
    return normed if last else jnp.moveaxis(normed, -1, 1)


def _named(operators: dict[str, Operator]) -> dict[str, Operator]:
    return {f"com.microsoft.{name}": operator for name, operator in operators.items()}


def _from_tables(names: Sequence[str], table: dict[str, Operator], count: int) -> dict[str, Operator]:
    build: Callable[[Operator], Operator] = lambda operator: _channels_first(_on_values(operator, count))  # noqa: E731
    return {f"QLinear{name}": build(table[name]) for name in names}


MICROSOFT: dict[str, Operator] = _named(
    {
        **_from_tables(("Add", "Mul"), POINTWISE, 2),
        **_from_tables(("LeakyRelu", "Sigmoid"), POINTWISE, 1),
        **_from_tables(("AveragePool", "GlobalAveragePool"), WINDOWED, 1),
        **_from_tables(("Softmax",), REDUCTIONS, 1),
        "QLinearConv": _channels_first(QUANTIZED["QLinearConv"]),
        "QLinearReduceMean": _reduce_mean, "QLinearConcat": _concatenate, "QLinearWhere": _where,
        "QGemm": _product, "MatMulIntegerToFloat": _product_to_floats, "DynamicQuantizeMatMul": _dynamic_product,
        "QuantizeLinear": QUANTIZED["QuantizeLinear"], "DequantizeLinear": QUANTIZED["DequantizeLinear"],
        "FusedConv": _activated(WINDOWED["Conv"]), "FusedGemm": _activated(REDUCTIONS["Gemm"]),
        "FusedMatMul": _fused_product, "Gelu": _biased_gelu(approximate=False),
        "BiasGelu": _biased_gelu(approximate=False), "FastGelu": _biased_gelu(approximate=True),
        "QuickGelu": lambda call: call.inputs[0] * jax.nn.sigmoid(call.get("alpha", 1.702) * call.inputs[0]),
        "SkipLayerNormalization": _skip_layer_norm, "GroupNorm": _group_norm,
    }
)  # fmt: skip
