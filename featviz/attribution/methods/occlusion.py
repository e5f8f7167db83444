"""Occlusion: the score lost when a layer's positions become the baseline, one window after another."""

from dataclasses import dataclass
from typing import ClassVar

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from featviz.attribution.behind import Problem
from featviz.attribution.methods.base import Method
from featviz.common.arguments import check_count

# Windows that one call computes side by side.
TOGETHER = 16


@dataclass(frozen=True)
class Occlusion(Method):
    """At each position, the mean over the windows that cover it of score - score without the window.

    Args:
        window: Positions along each side of a window; tokens are windows by themselves unless it is larger.

    References:
        Zeiler and Fergus 2014.
    """

    window: int = 1
    name: ClassVar[str] = "occlusion"
    per_unit: ClassVar[bool] = False

    def __post_init__(self) -> None:
        check_count("window", self.window, 1, 10_000)

    @property
    def words(self) -> str:
        return f"occlusion, windows of {self.window}"

    def attribute(self, problem: Problem) -> Float[Array, "*positions 1"]:
        sides = problem.activation.shape[:-1]
        if not sides:
            return (problem.function(problem.activation) - problem.function(problem.baseline))[None]
        starts = jnp.stack(jnp.meshgrid(*(_starts(side, self.window) for side in sides), indexing="ij"), -1)
        starts = starts.reshape(-1, len(sides))
        whole = problem.function(problem.activation)

        def covered(start: Array) -> Array:
            axes = [jnp.arange(side) for side in sides]
            inside = [(axis >= at) & (axis < at + self.window) for axis, at in zip(axes, start, strict=True)]
            return jnp.stack(jnp.meshgrid(*inside, indexing="ij"), -1).all(-1)[..., None]

        def lost(start: Array) -> Array:
            return whole - problem.function(jnp.where(covered(start), problem.baseline, problem.activation))

        losses = jax.lax.map(lost, starts, batch_size=min(TOGETHER, len(starts)))

        def add(total: tuple[Array, Array], each: tuple[Array, Array]) -> tuple[tuple[Array, Array], None]:
            start, loss = each
            mask = covered(start).astype(jnp.float32)
            return (total[0] + loss * mask, total[1] + mask), None

        zeros = jnp.zeros((*sides, 1), jnp.float32)
        (sums, counts), _ = jax.lax.scan(add, (zeros, zeros), (starts, losses))
        return sums / jnp.maximum(counts, 1)


def _starts(side: int, window: int) -> Array:
    """Where windows begin along a side, half a window apart, the last at the end.

    >>> _starts(7, 4).tolist(), _starts(3, 1).tolist()
    ([0, 2, 3], [0, 1, 2])
    """
    last = max(side - window, 0)
    stride = max(window // 2, 1)
    return jnp.asarray(sorted({*range(0, last, stride), last}))
