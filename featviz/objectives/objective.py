"""An objective: a weighted sum of terms, with arithmetic."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from featviz.common.canonical import digest
from featviz.errors import FeatvizError
from featviz.model import Activations
from featviz.objectives.base import Scalar, Term


@jax.tree_util.register_dataclass
@dataclass(frozen=True, repr=False)
class Objective:
    """sum_i weights[i] * terms[i](activations), one number per image, to be maximized.

    Objectives add, subtract and scale. A penalty is an objective with a minus sign. Objectives of one structure (the
    same kinds and layers) stack, and a stack compiles once: units, directions and weights are leaves.

    >>> from featviz.objectives import channel
    >>> channel("conv1", 3) - 0.5 * channel("conv1", 4)
    <Objective conv1:3 - 0.5 * conv1:4>
    """

    terms: tuple[Term, ...]
    weights: tuple[Scalar, ...]

    def __repr__(self) -> str:
        try:
            return f"<Objective {self.label}>"
        except TypeError:
            # A stacked or traced objective has no single label, and JAX prints it in its errors.
            return f"<Objective of {', '.join(self.layers)}>"

    def __call__(self, activations: Activations) -> Float[Array, " n"]:
        """The objective of each image, float32."""
        total = jnp.float32(0.0)
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
        """The names of the activations that it reads, without duplicates."""
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
    def target(self) -> str | None:
        """The objective as the command line writes it, or None where it cannot.

        >>> from featviz.objectives import channel, neuron
        >>> neuron("conv1", 3, position=(1, 2)).target, (-channel("conv1", 3)).target
        ('conv1:3@1x2', 'conv1:-3')
        >>> (2.0 * channel("conv1", 3)).target is None
        True
        """
        target = self.terms[0].target if len(self.terms) == 1 else None
        if target is None or abs(float(self.weights[0])) != 1.0:
            return None
        layer, _, units = target.rpartition(":")
        return target if self.weights[0] > 0 else f"{layer}:-{units}"

    @property
    def class_index(self) -> int | None:
        """The index of the class that an objective of one term is about, or None."""
        return self.terms[0].class_index if len(self.terms) == 1 else None

    @property
    def hash(self) -> str:
        """SHA-256 of the canonical JSON: the objective's permanent name, and the seed of its lane."""
        return digest(self)


# Objectives of a module's kinds for any layer and shape of one image's activation. The contract tests use them.
Examples = Mapping[str, Callable[[str, tuple[int, ...]], Objective]]


def single(term: Term) -> Objective:
    """The objective of one term with weight 1.

    Raises: FeatvizError if a layer of the term is not a string.
    """
    for layer in term.layers:
        if not isinstance(layer, str):
            raise FeatvizError(f"`layer` is a {type(layer).__name__}; expected a layer's name, as in Model.layers")
    return Objective((term,), (np.float32(1.0),))


def stack(objectives: Sequence[Objective]) -> Objective:
    """Objectives of one structure as one, each leaf with a leading axis of lanes.

    Raises: FeatvizError if their structures differ.
    """
    structures = {jax.tree.structure(objective) for objective in objectives}
    if len(structures) != 1:
        raise FeatvizError(f"`objectives` have {len(structures)} structures; expected one to stack")
    return jax.tree.map(lambda *leaves: np.stack([np.asarray(leaf) for leaf in leaves]), *objectives)
