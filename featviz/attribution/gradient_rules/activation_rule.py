"""Activation functions as gates: x times a constant."""

import jax
import jax.numpy as jnp
from jax import lax

from featviz.tracing.activation_functions import ActivationFunction, find_activation_functions
from featviz.tracing.evaluation import Replacement, Rule, cut, evaluate
from featviz.tracing.program import Program, Step, Value

# Those that are zero at zero. A sigmoid is not: as x times a constant it would have no bound.
GATES = {"gelu", "silu", "mish", "tanh", "elu", "leaky_relu"}


def activations_as_gates(program: Program) -> Rule:
    """A rule under which f(x) is x times the constant f(x) / x, so that it passes relevance as a ReLU does.

    Args:
        program: The program that the rule is for; it does not apply inside scans.

    >>> import numpy as np
    >>> from featviz.tracing.program import trace
    >>> program, _ = trace(jax.nn.gelu, np.ones(1, np.float32))
    >>> gelu = lambda x: evaluate(program, [x], program.outputs, rules=[activations_as_gates(program)])[0].sum()
    >>> x = jnp.array([0.5])
    >>> bool(jnp.allclose(x * jax.grad(gelu)(x), jax.nn.gelu(x)))
    True
    """
    found: dict[Value, ActivationFunction] = {
        each.output: each for each in find_activation_functions(program) if each.kind in GATES
    }

    def rule(inner: Program, step: Step) -> Replacement | None:
        activation = found.get(step.outputs[0]) if step.outputs else None
        if activation is None or inner is not program:
            return None
        rest = cut(program, [activation.input])

        def gate(x: jax.Array) -> tuple[jax.Array]:
            (y,) = evaluate(rest, [None] * len(program.inputs) + [x], [activation.output])
            y = lax.stop_gradient(y)
            ratio = jnp.where(x == 0, jnp.zeros_like(x), y / jnp.where(x == 0, jnp.ones_like(x), x))
            linear = x * lax.stop_gradient(ratio)
            return (linear + lax.stop_gradient(y - linear),)

        return Replacement((activation.input,), gate)

    return rule
