"""Ablation: the score lost when one unit alone becomes the baseline. The reference for every other method."""

from dataclasses import dataclass
from typing import ClassVar

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

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
        whole = problem.function(problem.activation)

        def lost(unit: Array) -> Array:
            chosen = jnp.broadcast_to(jnp.arange(count) == unit, problem.activation.shape)
            return whole - problem.function(jnp.where(chosen, problem.baseline, problem.activation))

        losses = jax.lax.map(lost, jnp.arange(count), batch_size=min(TOGETHER, count))
        return losses.reshape((1,) * (problem.activation.ndim - 1) + (count,))
