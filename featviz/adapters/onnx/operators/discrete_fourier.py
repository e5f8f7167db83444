"""ONNX's Fourier transform, whose complex numbers are pairs on the last axis."""

import jax.numpy as jnp
from jax import lax

from featviz.adapters.onnx.operators.call import Array, Call, Operator


def _transform(call: Call) -> Array:
    x = jnp.asarray(call.inputs[0])
    by_input = call.opset >= 20
    (axis,) = (call.static_ints(2) or (-2,)) if by_input else (call.get("axis", 1),)
    # The last axis holds the parts; the others keep their places in the array of complex numbers.
    axis = axis + x.ndim if axis < 0 else axis
    real = x.shape[-1] == 1
    values = x[..., 0] if real else lax.complex(x[..., 0], x[..., 1])
    inverse, half = bool(call.get("inverse", 0)), bool(call.get("onesided", 0))
    (length,) = call.static_ints(1) or (2 * x.shape[axis] - 2 if half and inverse else x.shape[axis],)
    if half and inverse:
        # From half a spectrum to real numbers.
        return jnp.fft.irfft(values, length, axis)[..., None]
    function = jnp.fft.ifft if inverse else jnp.fft.rfft if half else jnp.fft.fft
    result = function(values, length, axis)
    return jnp.stack([result.real, result.imag], -1)


FOURIER: dict[str, Operator] = {"DFT": _transform}
