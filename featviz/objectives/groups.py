"""Objectives of a group of images that are optimized together: each image's number looks at the others."""

from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from featviz.common.arguments import as_int
from featviz.model import Activations
from featviz.objectives.base import Objective, Shapes, single
from featviz.objectives.positions import check_unit

# How far apart in the group images still pull at one another (lucid, optvis/objectives.py, alignment).
NEIGHBORS = 4


def _flat(h: jax.Array) -> jax.Array:
    """(n, positions..., c) -> (n, positions, c)."""
    return h.reshape(h.shape[0], -1, h.shape[-1])


@partial(jax.tree_util.register_dataclass, data_fields=[], meta_fields=["layer"])
@dataclass(frozen=True)
class Diversity:
    """-sum_{j != i} <G_i, G_j>, G the Gram matrix of units over positions, of Frobenius norm 1."""

    layer: str

    @property
    def layers(self) -> tuple[str, ...]:
        return (self.layer,)

    @property
    def label(self) -> str:
        return f"{self.layer}:diversity"

    def value(self, activations: Activations) -> jax.Array:
        flat = _flat(activations[self.layer])
        gram = jnp.einsum("npi,npj->nij", flat, flat)
        gram = gram / jnp.sqrt(jnp.sum(jnp.square(gram), axis=(1, 2), keepdims=True) + 1e-10)
        alike = jnp.einsum("aij,bij->ab", gram, gram)
        return -(jnp.sum(alike, axis=1) - jnp.diagonal(alike))

    def check(self, shapes: Shapes) -> None:
        """Every layer will do."""


@partial(jax.tree_util.register_dataclass, data_fields=["decay"], meta_fields=["layer"])
@dataclass(frozen=True)
class Alignment:
    """-1/2 sum_{0 < |i - j| <= 4} mean (h_i - h_j)^2 / decay^|i - j|."""

    layer: str
    decay: Any

    @property
    def layers(self) -> tuple[str, ...]:
        return (self.layer,)

    @property
    def label(self) -> str:
        return f"{self.layer}:alignment"

    def value(self, activations: Activations) -> jax.Array:
        h = activations[self.layer]
        count = h.shape[0]
        total = jnp.zeros(count, jnp.float32)
        for apart in range(1, min(NEIGHBORS, count - 1) + 1):
            far = jnp.mean(jnp.square(h[apart:] - h[:-apart]), axis=tuple(range(1, h.ndim)))
            share = 0.5 * far / jnp.asarray(self.decay, jnp.float32) ** apart
            total = total - jnp.pad(share, (apart, 0)) - jnp.pad(share, (0, apart))
        return total

    def check(self, shapes: Shapes) -> None:
        """Every layer will do."""


@partial(jax.tree_util.register_dataclass, data_fields=["first", "last"], meta_fields=["layer"])
@dataclass(frozen=True)
class Interpolation:
    """(1 - t) a + t b for image i of n, t = i / (n - 1), a and b the means over positions of two units."""

    layer: str
    first: Any
    last: Any

    @property
    def layers(self) -> tuple[str, ...]:
        return (self.layer,)

    @property
    def label(self) -> str:
        return f"{self.layer}:{int(self.first)}..{int(self.last)}"

    def value(self, activations: Activations) -> jax.Array:
        means = jnp.mean(_flat(activations[self.layer]), axis=1)
        t = jnp.linspace(0.0, 1.0, means.shape[0], dtype=jnp.float32)
        return (1 - t) * jnp.take(means, self.first, axis=-1) + t * jnp.take(means, self.last, axis=-1)

    def check(self, shapes: Shapes) -> None:
        for unit in (self.first, self.last):
            check_unit(self.layer, unit, shapes[self.layer])


@partial(jax.tree_util.register_dataclass, data_fields=["of", "weight"], meta_fields=["layer"])
@dataclass(frozen=True)
class Diverse:
    """v, with the gradient of v + weight |v| D / (n - 1): v is `of`, |v| a constant, D the `Diversity` at `layer`."""

    of: Objective
    layer: str
    weight: Any

    @property
    def layers(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys((*self.of.layers, self.layer)))

    @property
    def label(self) -> str:
        return self.of.label

    def value(self, activations: Activations) -> jax.Array:
        own = self.of(activations)
        apart = Diversity(self.layer).value(activations) / max(own.shape[0] - 1, 1)
        pull = jnp.asarray(self.weight, jnp.float32) * jnp.abs(jax.lax.stop_gradient(own)) * apart
        # Nothing but a gradient: a picture's score stays that of its unit.
        return own + pull - jax.lax.stop_gradient(pull)

    def check(self, shapes: Shapes) -> None:
        for term in self.of.terms:
            term.check(shapes)


def diversity(layer: str) -> Objective:
    """How a group's images differ in style: for image i, -sum_{j != i} <G_i, G_j>, from 1 - n to 0.

    G is the Gram matrix of units over positions, of Frobenius norm 1. The mean over a group is what lucid's
    `diversity` returns, so its weight -1e2 is 1e2 here (Olah et al. 2017). For `render_group`.

    >>> h = jnp.array([[[1.0, 0.0]], [[0.0, 1.0]], [[0.0, 1.0]]])
    >>> [round(float(v), 3) for v in 100 * diversity("fc")({"fc": h})]
    [0.0, -100.0, -100.0]
    """
    return single(Diversity(layer))


def alignment(layer: str, *, decay: float = 2.0) -> Objective:
    """Neighbors in a group alike: for image i, -1/2 sum over |i - j| <= 4 of mean (h_i - h_j)^2 / decay^|i - j|.

    Summed over the group, minus lucid's `alignment`. For `render_group`, with `interpolate` or with directions.

    >>> h = jnp.array([[[0.0]], [[2.0]]])
    >>> [float(v) for v in alignment("fc")({"fc": h})]
    [-1.0, -1.0]
    """
    return single(Alignment(layer, np.float32(decay)))


def interpolate(layer: str, first: int, last: int) -> Objective:
    """From one unit to another across a group: (1 - t) a + t b for image i of n, t = i / (n - 1).

    a and b are the means over positions of units `first` and `last` (lucid's `channel_interpolate`). A group of one
    shows the first. For `render_group`, best with `alignment` and a `Shared` parameterization.

    >>> h = jnp.array([[[1.0, 5.0]], [[1.0, 5.0]], [[1.0, 5.0]]])
    >>> interpolate("fc", 0, 1)({"fc": h}).tolist()
    [1.0, 3.0, 5.0]
    """
    return single(Interpolation(layer, as_int("first", first), as_int("last", last)))


def diverse(objective: Objective, *, weight: float = 1.0) -> Objective:
    """A group's pictures of one objective that differ, to show the facets of a unit; for `render_group`.

    The gradient is that of v + weight |v| D / (n - 1), the value v alone, so that scores are the objective's own. D is
    `diversity` at the objective's first layer, from 1 - n (all alike) to 0. It is weighed by the objective's own size,
    |v|, which counts as a constant: units differ by orders of magnitude, so no fixed weight serves two.

    >>> from featviz.objectives import channel
    >>> h = jnp.array([[[4.0, 0.0]], [[4.0, 1.0]]])
    >>> diverse(channel("fc", 0))({"fc": h}).tolist()
    [4.0, 4.0]
    """
    return single(Diverse(objective, objective.layers[0], np.float32(weight)))
