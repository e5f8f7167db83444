"""Normalizations: the scale that they divide by is a constant."""

from jax import lax

from featviz.tracing.evaluation import Replacement, Rule
from featviz.tracing.program import Program, Step, Value, bind

ROOTS = {"rsqrt", "sqrt"}


def is_scale(step: Step) -> bool:
    """Whether a step is a square root, or a power that is no whole number, as what normalizations divide by."""
    return step.primitive.name in ROOTS or step.primitive.name == "pow"


def constant_norms(varying: set[Value]) -> Rule:
    """A rule that stops the gradient of square roots, and of powers that are no whole numbers.

    With it layer norm, group norm, RMS norm and response normalization are linear: relevance goes to what is
    normalized, as the identity rule of AttnLRP has it.

    Args:
        varying: The values that depend on the layer.

    >>> import jax, jax.numpy as jnp, numpy as np
    >>> from featviz.tracing.evaluation import evaluate
    >>> from featviz.tracing.program import trace
    >>> program, _ = trace(lambda x: x[0] * lax.rsqrt((x * x).sum()), np.ones(2, np.float32))
    >>> rule = constant_norms({*program.inputs, *(value for step in program.steps for value in step.outputs)})
    >>> jax.grad(lambda x: evaluate(program, [x], program.outputs, rules=[rule])[0])(jnp.array([3.0, 4.0])).tolist()
    [0.20000..., 0.0]
    """

    def rule(program: Program, step: Step) -> Replacement | None:
        if not is_scale(step) or step.inputs[0] not in varying:
            return None
        return Replacement(step.inputs, lambda *args: [lax.stop_gradient(y) for y in bind(step, args)])

    return rule
