"""Integrated gradients along the straight path from a baseline to the activation."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from featviz.attribution.behind import Problem
from featviz.attribution.gradient_rules.pooling_rule import relaxed_max_pooling
from featviz.attribution.methods.base import Method
from featviz.common.arguments import check_count
from featviz.tracing.evaluation import Rule
from featviz.tracing.program import Program, Value

# Points of the path whose gradients one call computes side by side.
TOGETHER = 8


@dataclass(frozen=True)
class IntegratedPath(Method):
    """(h - baseline) * the mean of d score / dh at points on the straight line from baseline to h.

    The points are those of Gauss-Legendre quadrature in u, at u^concentration of the way. A layer norm hardly changes
    with the size of its input, so nearly all happens close to a baseline of zero: evenly spaced points miss it.

    The attributions sum to the score less that of the baseline, but for the error of the quadrature, which
    `Attribution.completeness_error` says.

    Args:
        steps: The number of points.
        concentration: How densely they lie near the baseline; 1 for the usual even spacing.

    References:
        Sundararajan et al. 2017, Axiomatic Attribution for Deep Networks, here along a layer's activations.
    """

    steps: int = 64
    concentration: int = 3
    relaxed_pooling: bool = False
    name: ClassVar[str] = "path"
    complete: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check_count("steps", self.steps, 1, 10_000)
        check_count("concentration", self.concentration, 1, 100)

    @property
    def words(self) -> str:
        return f"integrated path from zero, {self.steps} points"

    def attribute(self, problem: Problem) -> Float[Array, "*positions units"]:
        points, weights = np.polynomial.legendre.leggauss(self.steps)
        change = problem.activation - problem.baseline

        def gradient(alpha: Float[Array, ""]) -> Float[Array, "*positions units"]:
            return jax.grad(problem.function)(problem.baseline + alpha * change)

        u, p = (points + 1) / 2, self.concentration
        alphas = jnp.asarray(u**p, jnp.float32)
        weights = weights / 2 * p * u ** (p - 1)
        gradients = jax.lax.map(gradient, alphas, batch_size=min(TOGETHER, self.steps))
        return change * jnp.tensordot(jnp.asarray(weights, jnp.float32), gradients, 1)

    def rules(self, program: Program, varying: set[Value]) -> Sequence[Rule]:
        return (relaxed_max_pooling,) if self.relaxed_pooling else ()
