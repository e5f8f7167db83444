"""The contract of a network whose layers can be edited."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

from jaxtyping import Array, Float

from featviz.model.edits import Edit, EditedWeights, StandIn


class Editable(ABC):
    """An `Apply` whose layers can be edited."""

    @abstractmethod
    def __call__(
        self, weights: Any, images: Float[Array, "n h w c"], *, layers: Sequence[str] | None = None
    ) -> dict[str, Float[Array, "n *positions units"]]:
        """See `Apply`."""

    @abstractmethod
    def with_edits(self, layers: tuple[str, ...]) -> "Editable":
        """The function that takes `EditedWeights` with edits of these layers; the same object for the same layers."""

    @abstractmethod
    def rectified_layers(self, weights: Any) -> frozenset[str]:
        """The layers that come out of ReLUs, given weights, edited or not."""


def add_edits(apply: Editable, weights: Any, added: Mapping[str, Sequence[Edit]]) -> tuple[Editable, EditedWeights]:
    """A network's function and weights with further edits of its layers, behind those that it has.

    Args:
      apply: the network's function.
      weights: its weights, edited or not.
      added: by layer, edits in the order in which they apply; what stands in for a layer is always the last.
    """
    old = weights if isinstance(weights, EditedWeights) else EditedWeights(weights, {})
    edits = dict(old.edits)
    for layer, each in added.items():
        edits[layer] = tuple(sorted((*edits.get(layer, ()), *each), key=lambda edit: isinstance(edit, StandIn)))
    return apply.with_edits(tuple(sorted(edits))), EditedWeights(old.network, edits)
