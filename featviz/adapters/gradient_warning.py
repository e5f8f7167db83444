"""A warning where a network rounds its images, or makes whole numbers of them, so that they have no gradient."""

import warnings
from collections.abc import Collection

import jax.numpy as jnp

from featviz.tracing.gradient_reach import find_barrier
from featviz.tracing.program import Program, Value


def warn_of_barrier(program: Program, layers: Collection[Value], name: str) -> bool:
    """Says what stops the gradient, where it reaches the images from no layer; whether it does.

    Args:
        program: The traced network, whose last input are the images.
        layers: The values of its layers.
        name: What messages call the network.
    """
    barrier = find_barrier(program, program.inputs[-1], layers)
    if barrier is None:
        return False
    dtype = barrier.outputs[0].aval.dtype
    flat = jnp.issubdtype(dtype, jnp.inexact)
    how = f"they pass `{barrier.primitive.name}`" if flat else f"they become {dtype.name}"
    warnings.warn(
        f"no gradient reaches the images of {name}, since {how}: its units can be surveyed, but not visualized; "
        "expected a network that computes with the floats that it is given",
        stacklevel=4,
    )
    return True
