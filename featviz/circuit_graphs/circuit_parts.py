"""A circuit as data: units, the weights between them, and what ablation says of each."""

import enum
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Float16

# A map whose sum is a smaller share than this of the sum of its sizes is of both signs.
BOTH = 0.5


class CircuitUnit(NamedTuple):
    """A unit of a layer."""

    layer: str
    unit: int

    @property
    def label(self) -> str:
        """As targets are written.

        >>> CircuitUnit("mixed4a", 3).label
        'mixed4a:3'
        """
        return f"{self.layer}:{self.unit}"


class Verdict(enum.Enum):
    """What ablation says of an edge."""

    CONFIRMED = "confirmed"
    UNCONFIRMED = "not confirmed"
    UNDECIDED = "undecided"
    SILENT = "silent"
    UNTESTED = "not tested"


@dataclass(frozen=True)
class EdgeEffect:
    """What the target loses when the source is ablated, on photos on which the target fires.

    Attributes:
        contribution: The mean share of the target's activation that is gone without the source: positive if the source
            excites it, negative if it holds it back.
        low, high: The 95 % bootstrap interval of the mean.
        photos: How many photos.
        active: The share of them on which ablation changes anything.
        verdict: Confirmed if the interval is on the side of the weight's sign, or on either side of zero where the map
            is of both signs; silent if nothing changes, undecided on fewer than six photos otherwise.
    """

    contribution: float
    low: float
    high: float
    photos: int
    active: float
    verdict: Verdict


@dataclass(frozen=True)
class CircuitEdge:
    """A link of a circuit.

    Attributes:
        source, target: The units.
        strength: The signed norm of the weights, relative to the target's strongest input.
        map: The weights place by place, relative to the largest of the target's inputs that are shown.
        effect: What ablation says; None without photos.
        family: The index of the family that the source belongs to, where the target has families.
    """

    source: CircuitUnit
    target: CircuitUnit
    strength: float
    map: Float16[np.ndarray, "rows columns"]
    effect: EdgeEffect | None = None
    family: int | None = None

    @property
    def sign(self) -> int:
        """What ablation is to show: 1 if the source excites, -1 if it inhibits, 0 if it does both at different places.

        It does both where the sum of the map is less than half of the sum of its sizes.
        """
        weights = self.map.astype(np.float64)
        total = weights.sum()
        return 0 if abs(total) < BOTH * np.abs(weights).sum() else int(np.sign(total))

    @property
    def verdict(self) -> Verdict:
        """The effect's, or untested."""
        return Verdict.UNTESTED if self.effect is None else self.effect.verdict


@dataclass(frozen=True)
class Family:
    """Inputs that weigh in alike: a factor of the root's weights.

    Attributes:
        layer: The inputs' layer.
        map: The weights that they share, relative to the largest of all families.
        direction: How much of each unit is in it, of length 1.
        units: Those that are most in it, the first most.
    """

    layer: str
    map: Float[np.ndarray, "rows columns"]
    direction: Float[np.ndarray, " units"]
    units: tuple[int, ...]


@dataclass(frozen=True)
class Circuit:
    """A unit and what it is made of.

    Attributes:
        network: The network's name.
        root: The unit.
        levels: The units at each distance from it, the root's own first.
        edges: The links, those into the root first.
        families: Factors of the root's weights.
        photos: How many photos edges were tested on; 0 without.
    """

    network: str
    root: CircuitUnit
    levels: tuple[tuple[CircuitUnit, ...], ...]
    edges: tuple[CircuitEdge, ...]
    families: tuple[Family, ...]
    photos: int

    def inputs(self, target: CircuitUnit) -> tuple[CircuitEdge, ...]:
        """The edges into a unit, the strongest first."""
        return tuple(edge for edge in self.edges if edge.target == target)
