"""Products of two values that both depend on the layer: half of the relevance goes to each."""

import jax
from jax import lax

from featviz.tracing.evaluation import Replacement, Rule
from featviz.tracing.program import Program, Step, Value, bind

PRODUCTS = {"dot_general", "mul", "conv_general_dilated"}


def shared_products(varying: set[Value]) -> Rule:
    """A rule that halves the gradient of a product to each factor, so that relevance is not counted twice (AttnLRP).

    A square counts as a product of a value with itself.

    Args:
        varying: The values that depend on the layer.

    >>> import jax.numpy as jnp, numpy as np
    >>> from featviz.tracing.evaluation import evaluate
    >>> from featviz.tracing.program import trace
    >>> program, _ = trace(lambda x: x[0] * x[1], np.ones(2, np.float32))
    >>> rule = shared_products({*program.inputs, *(value for step in program.steps for value in step.outputs)})
    >>> jax.grad(lambda x: evaluate(program, [x], program.outputs, rules=[rule])[0])(jnp.array([2.0, 3.0])).tolist()
    [1.5, 1.0]
    """

    def rule(program: Program, step: Step) -> Replacement | None:
        name = step.primitive.name
        squared = name == "square" or (name == "integer_pow" and step.params["y"] == 2)
        if squared and step.inputs[0] in varying:
            return Replacement(step.inputs, lambda x: (x * lax.stop_gradient(x),))
        if name not in PRODUCTS or not all(value in varying for value in step.inputs):
            return None

        def product(x: jax.Array, y: jax.Array) -> tuple[jax.Array]:
            (left,) = bind(step, [x, lax.stop_gradient(y)])
            (right,) = bind(step, [lax.stop_gradient(x), y])
            return ((left + right) / 2,)

        return Replacement(step.inputs, product)

    return rule
