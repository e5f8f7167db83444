"""ONNX's convolutions and products."""

import jax.numpy as jnp
from jax import lax

from featviz.adapters.onnx.operators.call import Array, Call, Operator
from featviz.adapters.onnx.operators.padding import windows


def _biased(x: Array, bias: Array | None) -> Array:
    return x if bias is None else x + jnp.reshape(bias, (1, -1) + (1,) * (x.ndim - 2))


def _convolve(call: Call) -> Array:
    x, kernel = call.inputs[0], call.inputs[1]
    at = windows(call, x.shape[2:], kernel.shape[2:])
    found = lax.conv_general_dilated(
        x, kernel, at.strides, at.pads, rhs_dilation=at.dilations, feature_group_count=call.get("group", 1)
    )
    return _biased(found, call.input(2))


def _convolve_transposed(call: Call) -> Array:
    """A convolution of the input spread apart, with the kernel turned round."""
    x, kernel, groups = call.inputs[0], call.inputs[1], call.get("group", 1)
    rank, spatial = x.ndim - 2, tuple(range(2, x.ndim))
    at = windows(call, x.shape[2:], kernel.shape[2:])
    more = call.get("output_padding", (0,) * rank)
    spans = [dilation * (size - 1) for dilation, size in zip(at.dilations, at.kernel, strict=True)]
    pads = list(at.pads)
    if call.get("output_shape", None) is not None or call.get("auto_pad", "NOTSET").startswith("SAME"):
        wanted = call.get("output_shape", [size * stride for size, stride in zip(x.shape[2:], at.strides, strict=True)])
        lower = call.get("auto_pad", "NOTSET") != "SAME_UPPER"
        for axis in range(rank):
            full = at.strides[axis] * (x.shape[2 + axis] - 1) + more[axis] + spans[axis] + 1
            total = full - wanted[axis]
            less = total // 2
            pads[axis] = (total - less, less) if lower else (less, total - less)
    # (in, out a group, ...) -> (out, in a group, ...)
    turned = kernel.reshape(groups, kernel.shape[0] // groups, *kernel.shape[1:]).swapaxes(1, 2)
    turned = jnp.flip(turned.reshape(-1, kernel.shape[0] // groups, *kernel.shape[2:]), spatial)
    found = lax.conv_general_dilated(
        x,
        turned,
        (1,) * rank,
        [(span - low, span - high + add) for span, (low, high), add in zip(spans, pads, more, strict=True)],
        lhs_dilation=at.strides,
        rhs_dilation=at.dilations,
        feature_group_count=groups,
    )
    return _biased(found, call.input(2))


def _gemm(call: Call) -> Array:
    a, b, c = call.inputs[0], call.inputs[1], call.input(2)
    product = jnp.matmul(a.T if call.get("transA", 0) else a, b.T if call.get("transB", 0) else b)
    alpha, beta = call.get("alpha", 1.0), call.get("beta", 1.0)
    product = product if alpha == 1.0 else alpha * product
    return product if c is None else product + (c if beta == 1.0 else beta * c)


def _multiply(call: Call) -> Array:
    return jnp.matmul(call.inputs[0], call.inputs[1])


def _einsum(call: Call) -> Array:
    return jnp.einsum(call.attributes["equation"], *call.inputs)


LINEAR: dict[str, Operator] = {
    "Conv": _convolve, "ConvTranspose": _convolve_transposed, "Gemm": _gemm, "MatMul": _multiply, "Einsum": _einsum
}  # fmt: skip
