"""Whether a gradient reaches the images of a traced network, or rounding and integers stop it."""

from collections.abc import Collection

import jax.numpy as jnp

from featviz.tracing.program import Program, Step, Value

# Operations on floats whose derivative is zero everywhere.
FLAT = frozenset({"ceil", "floor", "round", "sign", "stop_gradient"})


def find_barrier(program: Program, images: Value, layers: Collection[Value]) -> Step | None:
    """The first step that stops the gradient, where it reaches the images from no layer; else None.

    Args:
        program: The traced network.
        images: Its images.
        layers: The values that gradients may come from.

    >>> import numpy as np
    >>> from featviz.tracing.program import trace
    >>> program, _ = trace(lambda x: x.astype(jnp.uint8).astype(jnp.float32), np.zeros(3, np.float32))
    >>> find_barrier(program, program.inputs[0], program.outputs).outputs[0].aval.dtype.name
    'uint8'
    """
    reached, barrier = {images}, None
    for step in program.steps:
        if reached.isdisjoint(step.inputs):
            continue
        passed = [value for value in step.outputs if jnp.issubdtype(value.aval.dtype, jnp.inexact)]
        if passed and step.primitive.name not in FLAT:
            reached.update(passed)
        elif barrier is None:
            barrier = step
    return barrier if reached.isdisjoint(layers) else None
