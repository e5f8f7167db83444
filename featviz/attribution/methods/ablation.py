"""Ablation: the score lost when one unit alone becomes the baseline. The reference for every other method."""

from dataclasses import dataclass
from typing import ClassVar

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from featviz.attribution.behind import Problem
from featviz.attribution.methods.base import Method

# Units that one call ablates side by side.
TOGETHER = 16


@dataclass(frozen=True)
class Ablation(Method):
    """For each unit, score - score with the unit at its baseline at every position.

    It is the truth about one unit in this image, at the price of a forward pass for each. Units that stand in for one
    another may each be of no effect alone.
    """

    name: ClassVar[str] = "ablation"
    per_position: ClassVar[bool] = False

    @property
    def words(self) -> str:
        return "ablation of each unit alone"

    def attribute(self, problem: Problem) -> Float[Array, "*ones units"]:
        count = problem.activation.shape[-1]
        without = scores_without(problem, jnp.arange(count), together=min(TOGETHER, count))
        losses = problem.function(problem.activation) - without
        return losses.reshape((1,) * (problem.activation.ndim - 1) + (count,))


def scores_without(problem: Problem, units: Int[Array, " units"], *, together: int) -> Float[Array, " units"]:
    """The score without each of some units: where it alone is at its baseline, at every position.

    Args:
      problem: what is attributed.
      units: their indices.
      together: how many are ablated side by side.
    """

    def score(unit: Array) -> Array:
        chosen = jnp.broadcast_to(jnp.arange(problem.activation.shape[-1]) == unit, problem.activation.shape)
        return problem.function(jnp.where(chosen, problem.baseline, problem.activation))

    return jax.lax.map(score, units, batch_size=together)
