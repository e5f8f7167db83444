"""Facets: a group of pictures that differ from one another."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from featviz.model import Activations
from featviz.objectives.base import LayerTerm, Scalar, Shapes
from featviz.objectives.channels import channel
from featviz.objectives.minimization import reading_instead
from featviz.objectives.objective import Examples, Objective, single
from featviz.objectives.positions import position_rows


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Diversity(LayerTerm):
    """-sum_{j != i} <G_i, G_j> for image i, G the Gram matrix of units over positions, of Frobenius norm 1."""

    @property
    def label(self) -> str:
        return f"{self.layer}:diversity"

    @property
    def depends_on_group(self) -> bool:
        return True

    def value(self, activations: Activations) -> Float[Array, " n"]:
        rows = position_rows(activations[self.layer])
        gram = jnp.einsum("npi,npj->nij", rows, rows)
        gram = gram / jnp.sqrt(jnp.sum(jnp.square(gram), axis=(1, 2), keepdims=True) + 1e-10)
        similarity = jnp.einsum("aij,bij->ab", gram, gram)
        return -(jnp.sum(similarity, axis=1) - jnp.diagonal(similarity))


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Diverse(LayerTerm):
    """v, with the gradient of v + weight |v| D / (n - 1).

    v is the `objective`, |v| counts as a constant, D is the `Diversity` of the layer.
    """

    objective: Objective
    weight: Scalar

    @property
    def layers(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys((*self.objective.layers, self.layer)))

    @property
    def label(self) -> str:
        return self.objective.label

    @property
    def class_index(self) -> int | None:
        return self.objective.class_index

    @property
    def depends_on_group(self) -> bool:
        return True

    def preactivation(self, instead: Mapping[str, str]) -> "Diverse":
        return replace(self, objective=-reading_instead(-self.objective, instead))

    def resolve_nested(self, instead: Mapping[str, str]) -> "Diverse":
        return replace(self, objective=reading_instead(self.objective, instead))

    def value(self, activations: Activations) -> Float[Array, " n"]:
        v = self.objective(activations)
        diversity = Diversity(self.layer).value(activations) / max(v.shape[0] - 1, 1)
        pull = jnp.asarray(self.weight, jnp.float32) * jnp.abs(jax.lax.stop_gradient(v)) * diversity
        # Only a gradient: a picture's score stays that of its unit.
        return v + pull - jax.lax.stop_gradient(pull)

    def check(self, shapes: Shapes) -> None:
        for term in self.objective.terms:
            term.check(shapes)


def diversity(layer: str) -> Objective:
    """How much a group's images differ in style: -sum_{j != i} <G_i, G_j> for image i, from 1 - n to 0.

    G is the Gram matrix of units over positions, of Frobenius norm 1. The mean over a group is what lucid's
    `diversity` returns, so its weight -1e2 is 1e2 here (Olah et al. 2017). For `render_group`.

    Args:
      layer: the name of a layer of any shape.

    >>> h = jnp.array([[[1.0, 0.0]], [[0.0, 1.0]], [[0.0, 1.0]]])
    >>> [round(float(v), 3) for v in 100 * diversity("fc")({"fc": h})]
    [0.0, -100.0, -100.0]
    """
    return single(Diversity(layer))


def diverse(objective: Objective, *, weight: float = 1.0) -> Objective:
    """A group's pictures of one objective that differ, which shows the facets of a unit. For `render_group`.

    The gradient is that of v + weight |v| D / (n - 1), the value v alone, so that scores are the objective's own. D is
    `diversity` at the objective's first layer, from 1 - n (all alike) to 0. Its weight is relative to |v|, which counts
    as a constant: units differ by orders of magnitude, so that no fixed weight serves two of them.

    Args:
      objective: v, what every picture of the group maximizes.
      weight: how strongly the pictures are pulled apart, from 0.

    >>> from featviz.objectives import channel
    >>> h = jnp.array([[[4.0, 0.0]], [[4.0, 1.0]]])
    >>> diverse(channel("fc", 0))({"fc": h}).tolist()
    [4.0, 4.0]
    """
    return single(Diverse(objective.layers[0], objective, np.float32(weight)))


EXAMPLES: Examples = {
    "diversity": lambda layer, shape: diversity(layer),
    "diverse": lambda layer, shape: diverse(channel(layer, 2), weight=0.5),
}
