"""An objective: a weighted sum of terms, each a function from activations to one number an image."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import jax
import jax.numpy as jnp
import numpy as np

from featviz.common.canonical import digest
from featviz.errors import FeatvizError
from featviz.model import Activations

# The shape of each activation, without the images' axis.
Shapes = Mapping[str, tuple[int, ...]]


class Term(Protocol):
    """One thing to maximize. A frozen dataclass and pytree: its layer is static, its unit a leaf.

    `value` gives one number an image, (n,), of activations (n, ...); `check` refuses shapes that make no sense.
    """

    @property
    def layers(self) -> tuple[str, ...]: ...

    @property
    def label(self) -> str: ...

    def value(self, activations: Activations) -> jax.Array: ...

    def check(self, shapes: Shapes) -> None: ...


@jax.tree_util.register_dataclass
@dataclass(frozen=True, repr=False)
class Objective:
    """sum_i weights[i] * terms[i](activations), one number an image; everything is maximized.

    Objectives add, subtract and scale; a penalty is an objective with a minus sign. Of one structure (the same
    kinds and layers) they stack, and a stack compiles once: units, directions and weights are leaves.

    >>> from featviz.objectives import channel
    >>> channel("conv1", 3) - 0.5 * channel("conv1", 4)
    <Objective conv1:3 - 0.5 * conv1:4>
    """

    terms: tuple[Term, ...]
    weights: tuple[Any, ...]

    def __repr__(self) -> str:
        try:
            return f"<Objective {self.label}>"
        except TypeError:
            # Stacked or traced, its numbers are none, and JAX prints it in its errors all the same.
            return f"<Objective of {', '.join(self.layers)}>"

    def __call__(self, activations: Activations) -> jax.Array:
        """(n,) float32: the objective of each image."""
        total: Any = 0.0
        for term, weight in zip(self.terms, self.weights, strict=True):
            total = total + jnp.asarray(weight, jnp.float32) * term.value(activations)
        return total

    def __add__(self, other: "Objective") -> "Objective":
        if not isinstance(other, Objective):
            return NotImplemented
        return Objective(self.terms + other.terms, self.weights + other.weights)

    def __mul__(self, factor: float) -> "Objective":
        if isinstance(factor, Objective):
            raise FeatvizError("an objective times an objective is undefined; expected a number")
        return Objective(self.terms, tuple(np.float32(weight * factor) for weight in self.weights))

    __rmul__ = __mul__

    def __neg__(self) -> "Objective":
        return self * -1.0

    def __sub__(self, other: "Objective") -> "Objective":
        return self + -other

    def __truediv__(self, divisor: float) -> "Objective":
        return self * (1.0 / divisor)

    @property
    def layers(self) -> tuple[str, ...]:
        """The activations that it looks at, each once."""
        return tuple(dict.fromkeys(layer for term in self.terms for layer in term.layers))

    @property
    def label(self) -> str:
        """What a caption says: `inception_4c:103`, or the sum of its terms."""
        parts = []
        for term, weight in zip(self.terms, self.weights, strict=True):
            size = abs(float(weight))
            sign = "-" if weight < 0 else "+"
            parts.append(f"{sign} " + (term.label if size == 1.0 else f"{size:g} * {term.label}"))
        text = " ".join(parts)
        return text[2:] if text.startswith("+ ") else text.replace("- ", "-", 1)

    @property
    def hash(self) -> str:
        """SHA-256 of the canonical JSON: the objective's name for ever, and the seed of its lane."""
        return digest(self)


def single(term: Term) -> Objective:
    """The objective of one term, weight 1. Raises FeatvizError if its layer is no name."""
    for layer in term.layers:
        if not isinstance(layer, str):
            raise FeatvizError(f"`layer` is a {type(layer).__name__}; expected a layer's name, as in Model.layers")
    return Objective((term,), (np.float32(1.0),))


def stack(objectives: Sequence[Objective]) -> Objective:
    """Objectives of one structure as one, each leaf with a leading lane axis.

    Raises: FeatvizError if their structures differ.
    """
    structures = {jax.tree.structure(objective) for objective in objectives}
    if len(structures) != 1:
        raise FeatvizError(f"`objectives` have {len(structures)} structures; expected one to stack")
    return jax.tree.map(lambda *leaves: np.stack([np.asarray(leaf) for leaf in leaves]), *objectives)
