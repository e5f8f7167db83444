"""Relevance by layer-wise relevance propagation, as gradient times activation under gradient rules."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import jax
from jaxtyping import Array, Float

from featviz.attribution.behind import Problem
from featviz.attribution.gradient_rules.activation_rule import activations_as_gates
from featviz.attribution.gradient_rules.normalization_rule import constant_norms, is_scale
from featviz.attribution.gradient_rules.pooling_rule import relaxed_max_pooling
from featviz.attribution.gradient_rules.product_rule import shared_products
from featviz.attribution.gradient_rules.weights_rule import stabilized_weights
from featviz.attribution.methods.base import Method
from featviz.tracing.dependence import dependents
from featviz.tracing.evaluation import Rule
from featviz.tracing.program import Program, Value


@dataclass(frozen=True)
class Relevance(Method):
    """(h - baseline) * d score / dh, where the derivative follows the rules of relevance propagation.

    Smooth activation functions are gates, x times the constant f(x) / x; the scale of a normalization is a constant; a
    product of two values that depend on the layer gives half to each (AttnLRP), and a softmax keeps its gradient. In a
    network of ReLUs these are LRP-0, and equal to gradient times activation.

    Args:
        epsilon: Added to the size of each sum of weighted inputs that relevance is divided by (LRP-epsilon).
        gamma: How much more positive contributions count than negative ones (LRP-gamma, generalized to inputs of both
            signs as in zennit).
        relaxed_pooling: Whether max pooling gives to all of a window, in proportion to squares, not to the maximum.

    References:
        Bach et al. 2015; Montavon et al. 2019, Layer-Wise Relevance Propagation: An Overview; Achtibat et al. 2024,
        AttnLRP.
    """

    epsilon: float = 0.0
    gamma: float = 0.0
    relaxed_pooling: bool = False
    name: ClassVar[str] = "relevance"

    @property
    def words(self) -> str:
        return f"relevance (LRP), epsilon {self.epsilon:g}, gamma {self.gamma:g}"

    def attribute(self, problem: Problem) -> Float[Array, "*positions units"]:
        return (problem.activation - problem.baseline) * jax.grad(problem.function)(problem.activation)

    def rules(self, program: Program, varying: set[Value]) -> Sequence[Rule]:
        rules: list[Rule] = [activations_as_gates(program), constant_norms(varying)]
        rules += [stabilized_weights(varying, self.epsilon, self.gamma)] if self.epsilon or self.gamma else []
        rules += [relaxed_max_pooling] if self.relaxed_pooling else []
        # What is a constant takes no share.
        carrying = dependents(program, program.inputs[-1:], barred=is_scale)
        return (*rules, shared_products(carrying))
