"""Fidelity: a picture that must stay close to the image it began at, as the network sees both."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from featviz.model import IMAGE, Activations
from featviz.objectives import Objective


@dataclass(frozen=True)
class Fidelity:
    """Subtracts weight * balance * D from the objective, D the distance from the start image in activations.

    D = sum over layers of mean over views and positions of |h - a|_2, the norm over units, with h the picture's
    activations and a the start image's, in the same crops but with noise of its own.
    balance = sum |gradient of the objective| / sum |gradient of D|, over all parameters, fixed in the first step in
    which both are nonzero.

    Args:
      weight: 0 or more; 0 does nothing. The paper leaves it to the user; 1 is the default of its authors' program.
      layer: where the distance is taken; None for the objective's own layers.

    References:
      Hamblin et al. 2024 (accentuation); faccent, render.py.

    >>> from featviz.objectives import channel
    >>> Fidelity(weight=0.5).layers(channel("conv2", 3))
    ('conv2',)
    """

    weight: float = 1.0
    layer: str | None = None

    def layers(self, objective: Objective) -> tuple[str, ...]:
        """The layers at which the distance is taken; the image only for an objective of nothing else."""
        if self.layer is not None:
            return (self.layer,)
        return tuple(name for name in objective.layers if name != IMAGE) or (IMAGE,)


def distance(activations: Activations, reference: Activations, layers: Sequence[str]) -> Float[Array, ""]:
    """Sum over layers of mean over images and positions of |activations - reference|_2, the norm over units.

    >>> far = distance({"fc": jnp.array([[3.0, 4.0]])}, {"fc": jnp.zeros((1, 2))}, ["fc"])
    >>> round(float(far), 3)
    5.0
    """
    # The square root's gradient is infinite at 0.
    by_layer = [
        jnp.mean(jnp.sqrt(jnp.sum(jnp.square(activations[name] - reference[name]), axis=-1) + 1e-12)) for name in layers
    ]
    return sum(by_layer[1:], start=by_layer[0])


def balance(previous: Float[Array, ""], objective_gradient: Any, distance_gradient: Any) -> Float[Array, ""]:
    """The ratio of two gradients' sizes, sum |objective's| / sum |distance's|, fixed once it is known.

    Args:
      previous: the ratio so far; anything above 0 is kept.
      objective_gradient: a tree of arrays.
      distance_gradient: a tree of arrays.

    Returns:
      The ratio; 0 while one of the gradients is zero.

    >>> unknown = jnp.zeros(())
    >>> float(balance(unknown, jnp.array([2.0, -2.0]), jnp.ones(2)))
    2.0
    >>> float(balance(unknown, jnp.ones(2), jnp.zeros(2)))
    0.0
    """
    objective_size, distance_size = (
        jnp.sum(jnp.stack([jnp.sum(jnp.abs(leaf)) for leaf in jax.tree.leaves(tree)]))
        for tree in (objective_gradient, distance_gradient)
    )
    ratio = jnp.where(distance_size > 0, objective_size / jnp.where(distance_size > 0, distance_size, 1.0), 0.0)
    return jnp.where(previous > 0, previous, ratio)
