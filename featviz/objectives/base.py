"""The contract of a term: everything that the rest of featviz asks about a kind of objective."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TypeVar

import jax
import numpy as np
from jaxtyping import Array, Float

from featviz.model import ALONG_DECODER, BEFORE_RELU, IMAGE, OUTPUT, Activations

# The shape of each activation, without the axis of images.
Shapes = Mapping[str, tuple[int, ...]]
# Leaves of a term. While objectives are stacked or traced, each is a JAX array with a leading axis or a tracer.
Index = np.integer | jax.Array
Scalar = np.floating | jax.Array
Values = np.ndarray | jax.Array

# The metadata of a field that is part of a term's structure: each of its values has a compiled program of its own. All
# other fields are leaves, which are arguments of the compiled program.
STATIC = {"static": True}

T = TypeVar("T", bound="LayerTerm")


class Term(ABC):
    """One quantity to maximize: a function from activations to one number per image.

    A kind of term is a frozen dataclass that JAX knows as a pytree. Its layers are static, its units, vectors and
    positions are leaves, so that terms of one structure stack and a stack compiles once. A new kind says its `layers`
    (or is a `LayerTerm`), its `label` and its `value`. The other properties have defaults. Nothing outside asks for the
    class of a term.

    The contract, which `tests/objectives/test_base_contract.py` holds for every kind: the gradient of `value` raises
    it, one image's value does not depend on the other images unless `depends_on_group`, and the canonical JSON of the
    term does not change from release to release without a new `ascent.VERSION`.
    """

    @property
    @abstractmethod
    def layers(self) -> tuple[str, ...]:
        """The names of the activations that `value` reads."""

    @property
    @abstractmethod
    def label(self) -> str:
        """What captions and file names say: `inception_4c:103`."""

    @abstractmethod
    def value(self, activations: Activations) -> Float[Array, " n"]:
        """The number to maximize for each of n images, from activations of shape (n, *positions, units)."""

    def check(self, shapes: Shapes) -> None:  # noqa: B027
        """Refuses layers of a shape that the term cannot be computed from. By default every shape is accepted.

        Raises: FeatvizError, in one line.
        """

    @property
    def target(self) -> str | None:
        """The term as the command line writes it, `LAYER:UNITS`; None where no command line can."""
        return None

    @property
    def class_index(self) -> int | None:
        """The index of the class that the term is the score of, or None."""
        return None

    @property
    def channel_index(self) -> int | None:
        """The unit of the layer where the term is a channel, a mean over all its positions; None otherwise."""
        return None

    @property
    def mean_over_positions(self) -> bool:
        """Whether the value is a mean over all positions of a layer, so that it can be computed tile by tile."""
        return False

    @property
    def depends_on_group(self) -> bool:
        """Whether one image's value depends on the other images of its group."""
        return False

    @property
    def image_notes(self) -> tuple[str, ...]:
        """What captions say of each image of a group; () for terms that mean the same for all images."""
        return ()

    def preactivation(self, instead: Mapping[str, str]) -> "Term":
        """The term that is optimized for this one where a ReLU or a dictionary cuts its layer off.

        A term that is linear in a layer of `instead` reads what that says, such as the layer before its ReLU: after it,
        every gray image has the smallest value. By default the term itself.
        """
        return self

    def resolve_nested(self, instead: Mapping[str, str]) -> "Term":
        """This term when it is not minimized: a term that holds an objective decides whether that is minimized."""
        return self


@dataclass(frozen=True)
class LayerTerm(Term):
    """A term of one layer."""

    layer: str = field(metadata=STATIC)

    @property
    def layers(self) -> tuple[str, ...]:
        return (self.layer,)


def read_instead(term: T, instead: Mapping[str, str]) -> T:
    """The term of what is read in place of its layer, where there is something; else the term.

    This is `Term.preactivation` for terms that are linear in their layer.
    """
    return replace(term, layer=instead[term.layer]) if term.layer in instead else term


def label_as_target(term: LayerTerm) -> str | None:
    """The term's label, which is `LAYER:UNITS`, if the command line can name its layer; else None."""
    is_named = term.layer not in (IMAGE, OUTPUT) and not term.layer.endswith((BEFORE_RELU, ALONG_DECODER))
    return term.label if is_named else None
