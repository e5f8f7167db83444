"""Max pooling whose gradient goes to all of a window, in proportion to squares."""

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from featviz.tracing.evaluation import Replacement
from featviz.tracing.program import Program, Step, bind

# Below it a window is empty.
TINY = 1e-20


def relaxed_max_pooling(program: Program, step: Step) -> Replacement | None:
    """A rule under which the share of x_i in a window's maximum m is m x_i^2 / sum_j x_j^2.

    Values are as they were. The shares of a window sum to its maximum, so relevance is conserved. Without it, one
    position of four gets everything, and maps are chequered.

    References:
        Olah et al. 2018, whose relaxed gradient is that of avgpool(x^2) / avgpool(|x|).

    >>> from featviz.tracing.evaluation import rewrite
    >>> pool = lambda x: lax.reduce_window(x, -jnp.inf, lax.max, (2,), (2,), "VALID")
    >>> relaxed = rewrite(jax.make_jaxpr(pool)(np.ones(2, np.float32)), [relaxed_max_pooling])
    >>> x = jnp.array([1.0, 3.0])
    >>> [round(float(share), 4) for share in x * jax.grad(lambda x: relaxed(x)[0].sum())(x)]
    [0.3, 2.7]
    """
    if step.primitive.name != "reduce_window_max" or not jnp.issubdtype(step.inputs[0].aval.dtype, jnp.floating):
        return None
    names = ("window_dimensions", "window_strides", "base_dilation", "window_dilation")
    sizes, strides, base, dilation = (tuple(step.params[name]) for name in names)
    padding = tuple(step.params["padding"])

    def summed(x: jax.Array) -> jax.Array:
        return lax.reduce_window(x, np.zeros((), x.dtype), lax.add, sizes, strides, padding, base, dilation)

    def pool(x: jax.Array) -> tuple[jax.Array]:
        (y,) = bind(step, [lax.stop_gradient(x)])
        weight = lax.stop_gradient(y / jnp.maximum(summed(x * x), TINY))
        linear = weight * summed(x * lax.stop_gradient(x))
        return (linear + lax.stop_gradient(y - linear),)

    return Replacement(step.inputs, pool)
