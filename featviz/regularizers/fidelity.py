"""Fidelity: a picture that must not leave the image it began at, as the network sees both."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp

from featviz.model import IMAGE, Activations
from featviz.objectives import Objective


@dataclass(frozen=True)
class Fidelity:
    """The objective less weight * balance * D, D the distance from the start image (Hamblin et al. 2024, accentuation).

    D = sum over layers of mean over views and positions of |h - a|_2, the norm over units, with h the picture's
    activations and a the start image's in the same crops, under noise of its own. It is held at `layer`, or at the
    objective's own layers. balance = sum |gradient of the objective| / sum |gradient of D|, over all parameters,
    decided in the first step in which both are other than zero, and kept.

    The paper leaves `weight` to the user; 1 is what its authors' program takes by itself (faccent, render.py).
    """

    weight: float = 1.0
    layer: str | None = None

    def layers(self, objective: Objective) -> tuple[str, ...]:
        """The layers at which a picture of this objective is held; the image only where nothing else is looked at."""
        if self.layer is not None:
            return (self.layer,)
        return tuple(name for name in objective.layers if name != IMAGE) or (IMAGE,)


def distance(found: Activations, wanted: Activations, layers: Sequence[str]) -> jax.Array:
    """Sum over layers of mean over images and positions of |found - wanted|_2 over units, a scalar.

    >>> far = distance({"fc": jnp.array([[3.0, 4.0]])}, {"fc": jnp.zeros((1, 2))}, ["fc"])
    >>> round(float(far), 3)
    5.0
    """
    # The square root's slope is infinite at 0.
    each = [jnp.mean(jnp.sqrt(jnp.sum(jnp.square(found[name] - wanted[name]), axis=-1) + 1e-12)) for name in layers]
    return sum(each[1:], start=each[0])


def balance(before: jax.Array, objective: Any, away: Any) -> jax.Array:
    """The balance of two gradients, sum |objective| / sum |away|; `before` where that is decided, 0 while one is zero.

    >>> undecided = jnp.zeros(())
    >>> float(balance(undecided, jnp.array([2.0, -2.0]), jnp.ones(2)))
    2.0
    >>> float(balance(undecided, jnp.ones(2), jnp.zeros(2)))
    0.0
    """
    ours, theirs = (
        jnp.sum(jnp.stack([jnp.sum(jnp.abs(leaf)) for leaf in jax.tree.leaves(tree)])) for tree in (objective, away)
    )
    ratio = jnp.where(theirs > 0, ours / jnp.where(theirs > 0, theirs, 1.0), 0.0)
    return jnp.where(before > 0, before, ratio)
