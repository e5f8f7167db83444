"""The complementary error function, by which JAX computes GELU, from the error function."""

import jax.numpy as jnp
from jax import lax

from featviz.tracing.evaluation import Replacement
from featviz.tracing.program import Program, Step


def complementary_error_function(program: Program, step: Step) -> Replacement | None:
    """A rule for erfc(x) = 1 - erf(x): XLA's erf is a polynomial on a CPU, its erfc an exponential and two branches.

    The same within float32's rounding of 1, as PyTorch computes GELU. erfc is more exact where it is near zero, far
    from where a GELU passes anything on; in float64 the rule does not apply.

    Returns:
      The replacement; None for other steps and dtypes.
    """
    if step.primitive.name != "erfc" or step.outputs[0].aval.dtype == jnp.float64:
        return None
    return Replacement(step.inputs, lambda x: (1 - lax.erf(x),))
