"""Powers with a constant exponent, as in local response normalization, without logarithms."""

from functools import partial

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

from featviz.tracing.evaluation import Replacement
from featviz.tracing.program import Program, Step


def constant_power(program: Program, step: Step) -> Replacement | None:
    """A rule for x ** p with a constant negative p: square roots for quarters, and a gradient from the power itself.

    d/dx x^p = p x^p / x needs no second power. XLA's own gradient computes x^(p-1) by another logarithm and
    exponential, and on a CPU again for every neighbor that a windowed sum after it reads.

    Returns:
      The replacement; None for other steps, and for exponents that are not constant or not negative.
    """
    if step.primitive.name != "pow" or not jnp.issubdtype(step.outputs[0].aval.dtype, jnp.floating):
        return None
    exponent = step.inputs[1].scalar
    # Where x may be zero a positive power's gradient is not p x^p / x.
    if exponent is None or exponent >= 0:
        return None
    return Replacement(step.inputs[:1], lambda x: (power(exponent, x),))


@partial(jax.custom_vjp, nondiff_argnums=(0,))
def power(exponent: float, x: Float[Array, "*s"]) -> Float[Array, "*s"]:
    """x ** exponent, for a negative exponent.

    >>> power(-0.75, jnp.array([1.0, 16.0])).tolist()
    [1.0, 0.125]
    """
    if exponent in (-0.25, -0.5, -0.75, -1.0):
        root = lax.rsqrt(x)
        return {-0.25: lambda: lax.sqrt(root), -0.5: lambda: root, -0.75: lambda: root * lax.sqrt(root),
                -1.0: lambda: 1 / x}[exponent]()  # fmt: skip
    return lax.pow(x, jnp.array(exponent, x.dtype))


def _forward(exponent: float, x: jax.Array) -> tuple[jax.Array, tuple[jax.Array, jax.Array]]:
    y = power(exponent, x)
    return y, (x, y)


def _backward(exponent: float, residual: tuple[jax.Array, jax.Array], g: jax.Array) -> tuple[jax.Array]:
    x, y = residual
    # A barrier: a sum over neighbors would compute it again for each of them.
    return (lax.optimization_barrier(g * (exponent * y / x)),)


power.defvjp(_forward, _backward)
