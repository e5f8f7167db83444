"""A series: the pictures of one kind of a layer's units, under one recipe; where it lies says what can change them."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from featviz.common.canonical import describe, digest
from featviz.objectives import Objective, channel, diverse, neuron
from featviz.pages.records import Role
from featviz.recipes import Recipe

# Pictures of a group that shows a unit's facets.
FACETS = 4


@dataclass(frozen=True)
class Series:
    """Entries of all units of one layer, in one role: what `run` says they share, and their objectives.

    `run` is `provenance.describe_run`'s, `recipe` what it names; `count` pictures make an entry. `machine` is what else
    can change the pixels: the version of the routine and the network's architecture.
    """

    layer: str
    role: Role
    seed: int
    count: int
    size: tuple[int, int]
    steps: int
    dtype: str
    recipe: Recipe
    run: Mapping[str, Any]
    machine: Mapping[str, Any]

    def objective(self, unit: int) -> Objective:
        """What an entry maximizes."""
        return objective_of(self.role, self.layer, unit)

    @cached_property
    def identity(self) -> dict[str, Any]:
        """All that can change the pixels, but for the unit: plain JSON values, without the names of files."""
        network = {name: value for name, value in self.run["network"].items() if name not in ("name", "weights")}
        shared = {name: value for name, value in self.run.items() if name not in ("featviz", "network")}
        return {**shared, "network": {**network, **self.machine}, "count": self.count}

    def key(self, unit: int) -> str:
        """The content address of an entry: SHA-256 of the identity with the objective, 64 hexadecimal digits."""
        return digest({**self.identity, "objective": describe(self.objective(unit))})

    @property
    def hash(self) -> str:
        """The name of the series among those of its layer: the content address of its unit 0."""
        return self.key(0)


def objective_of(role: Role, layer: str, unit: int) -> Objective:
    """What a unit's picture in some role maximizes.

    >>> objective_of(Role.NEGATIVE, "conv1", 3).label
    '-conv1:3'
    """
    match role:
        case Role.MAIN | Role.SEED:
            return channel(layer, unit)
        case Role.NEGATIVE:
            return -channel(layer, unit)
        case Role.CENTER:
            return neuron(layer, unit)
        case Role.FACET:
            return diverse(channel(layer, unit))
