"""The epsilon and gamma rules of LRP for convolutions and products with weights, their biases included."""

import jax
import jax.numpy as jnp
from jax import lax

from featviz.tracing.evaluation import Replacement, Rule
from featviz.tracing.program import Program, Step, Value, bind

WEIGHTED = {"conv_general_dilated", "dot_general"}


def stabilized_weights(varying: set[Value], epsilon: float, gamma: float) -> Rule:
    """A rule under which the relevance of x in z = x w + b is x w' c z / (z' + epsilon sign z).

    z' = z + gamma p, where p are the contributions of z's own sign, and w' likewise.

    Args:
        varying: The values that depend on the layer.
        epsilon: What stabilizes the divisor.
        gamma: How much more contributions of the sum's sign count.
    """

    def rule(program: Program, step: Step) -> Replacement | None:
        product, bias = _find(program, step, varying)
        if product is None:
            return None
        place = 0 if product.inputs[0] in varying else 1

        def run(x: jax.Array, w: jax.Array, *biases: jax.Array) -> tuple[jax.Array]:
            def multiply(x: jax.Array, w: jax.Array) -> jax.Array:
                return bind(product, [x, w] if place == 0 else [w, x])[0]

            offset = biases[0] if biases else jnp.zeros((), x.dtype)
            z = lax.stop_gradient(multiply(x, w) + offset)
            positive = z > 0
            weighted = multiply(x, w)
            total = weighted + offset
            if gamma:
                above, below = jnp.maximum(x, 0), jnp.minimum(x, 0)
                strong, weak = jnp.maximum(w, 0), jnp.minimum(w, 0)
                raising = multiply(above, strong) + multiply(below, weak)
                lowering = multiply(above, weak) + multiply(below, strong)
                weighted = weighted + gamma * jnp.where(positive, raising, lowering)
                raised = jnp.where(positive, jnp.maximum(offset, 0), jnp.minimum(offset, 0))
                total = weighted + offset + gamma * raised
            divisor = total + epsilon * jnp.where(positive, 1.0, -1.0)
            safe = jnp.where(divisor == 0, jnp.ones_like(divisor), divisor)
            linear = weighted * lax.stop_gradient(jnp.where(divisor == 0, jnp.zeros_like(z), z / safe))
            return (linear + lax.stop_gradient(z - linear),)

        weight = product.inputs[1 - place]
        return Replacement((product.inputs[place], weight, *([bias] if bias is not None else [])), run)

    return rule


def _find(program: Program, step: Step, varying: set[Value]) -> tuple[Step | None, Value | None]:
    """The product with weights that ends in this step, and the bias that the step adds to it."""
    if _is_weighted(step, varying):
        return step, None
    if step.primitive.name != "add":
        return None, None
    for sum_, bias in (step.inputs, step.inputs[::-1]):
        product = program.producers.get(sum_)
        if bias not in varying and product is not None and _is_weighted(product, varying):
            return product, bias
    return None, None


def _is_weighted(step: Step, varying: set[Value]) -> bool:
    return step.primitive.name in WEIGHTED and sum(value in varying for value in step.inputs) == 1
