"""Conductance: what flows through a layer's units while the image fades in."""

from dataclasses import dataclass
from typing import ClassVar

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from featviz.attribution.behind import Problem
from featviz.attribution.methods.base import Method
from featviz.common.arguments import check_count


@dataclass(frozen=True)
class Conductance(Method):
    """The sum over the path from a black image to the image of d score / dh times the change of h.

    The path is the image's, so that each activation on it is one of an image; `baseline` does not enter. The gradient
    is taken where each step begins.

    Args:
        steps: The number of steps.

    References:
        Dhamdhere et al. 2018, How Important Is a Neuron?
    """

    steps: int = 32
    name: ClassVar[str] = "conductance"
    by_activation: ClassVar[bool] = False

    def __post_init__(self) -> None:
        check_count("steps", self.steps, 1, 10_000)

    @property
    def words(self) -> str:
        return f"conductance, {self.steps} steps from a black image"

    def attribute(self, problem: Problem) -> Float[Array, "*positions units"]:
        def add(total: Array, step: Array) -> tuple[Array, None]:
            before, after = ((step + offset) / self.steps * problem.image for offset in (0, 1))
            h, changed = problem.observe(before), problem.observe(after)
            gradient = jax.grad(lambda h: problem.score(h, before))(h)
            return total + gradient * (changed - h), None

        steps = jnp.arange(self.steps, dtype=jnp.float32)
        return jax.lax.scan(add, jnp.zeros_like(problem.activation), steps)[0]
