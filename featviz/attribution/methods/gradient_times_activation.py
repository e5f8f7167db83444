"""Gradient times activation."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import jax
from jaxtyping import Array, Float

from featviz.attribution.behind import Problem
from featviz.attribution.gradient_rules.pooling_rule import relaxed_max_pooling
from featviz.attribution.methods.base import Method
from featviz.tracing.evaluation import Rule
from featviz.tracing.program import Program, Value


@dataclass(frozen=True)
class GradientTimesActivation(Method):
    """(h - baseline) * d score / dh, the score's linear approximation at the activation.

    Exact where the network behind the layer is linear. With `relaxed_pooling` the gradient passes max pooling to all
    of a window, in proportion to its values, which keeps maps from being chequered.

    References:
        Olah et al. 2018, The Building Blocks of Interpretability (channel and spatial attribution).
    """

    relaxed_pooling: bool = False
    name: ClassVar[str] = "gradient"

    @property
    def words(self) -> str:
        return "gradient times activation"

    def attribute(self, problem: Problem) -> Float[Array, "*positions units"]:
        return (problem.activation - problem.baseline) * jax.grad(problem.function)(problem.activation)

    def rules(self, program: Program, varying: set[Value]) -> Sequence[Rule]:
        return (relaxed_max_pooling,) if self.relaxed_pooling else ()
