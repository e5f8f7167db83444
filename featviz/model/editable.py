"""The contract of a network whose layers can be edited."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

from jaxtyping import Array, Float


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
