"""ONNX operators that write to parts of an array, as assignments to slices are exported."""

import jax.numpy as jnp

from featviz.adapters.onnx.operators.call import Array, Call, Operator

# The methods of `x.at[...]` for an attribute `reduction`.
REDUCTIONS = {"none": "set", "add": "add", "mul": "multiply", "max": "max", "min": "min"}


def _write(call: Call, key: tuple[Array, ...]) -> Array:
    x, _, updates = call.inputs
    x = jnp.asarray(x)
    return getattr(x.at[key], REDUCTIONS[call.get("reduction", "none")])(jnp.asarray(updates, x.dtype))


def _scatter_nd(call: Call) -> Array:
    return _write(call, tuple(jnp.moveaxis(jnp.asarray(call.inputs[1]), -1, 0)))


def _scatter_elements(call: Call) -> Array:
    index = jnp.asarray(call.inputs[1])
    key = list(jnp.indices(index.shape, sparse=True))
    key[call.get("axis", 0)] = index
    return _write(call, tuple(key))


SCATTERS: dict[str, Operator] = {
    "ScatterND": _scatter_nd, "ScatterElements": _scatter_elements, "Scatter": _scatter_elements,
}  # fmt: skip
