"""Series and tasks: the pictures of one kind of a layer's units under one recipe, and which of them to render.

The path of a series contains a hash of everything that can change its pixels.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from featviz.atlas.facet_objectives import FacetPhotos
from featviz.atlas.start_images import StartImages
from featviz.atlas.unit_selection import consecutive_ranges
from featviz.common.canonical import describe, digest
from featviz.common.safe_names import safe_name
from featviz.objectives import Objective, channel, diverse, neuron
from featviz.pages.records import Role
from featviz.recipes import Recipe


@dataclass(frozen=True)
class Series:
    """The entries of all units of one layer in one role.

    Attributes:
      layer, role, seed: what the pictures show.
      count: pictures per entry.
      size, steps, dtype, recipe: how they are rendered.
      run: what their provenance shares (`provenance.describe_run`).
      computation: what else can change the pixels, such as the version of the ascent and the network's architecture.
      folder: the layer's name in paths, which no other layer's differs from in case alone.
      photos: the photographs that facets are of; None where no photograph has a part in the pictures.
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
    computation: Mapping[str, object]
    folder: str
    photos: FacetPhotos | None = None

    def objective(self, unit: int) -> Objective:
        """What an entry maximizes; for facets of photographs see `Task.objectives`."""
        return objective_of(self.role, self.layer, unit)

    @cached_property
    def identity(self) -> dict[str, object]:
        """Everything that can change the pixels except the unit: plain JSON values, without file names."""
        network = {name: value for name, value in self.run["network"].items() if name not in ("name", "weights")}
        shared = {name: value for name, value in self.run.items() if name not in ("featviz", "network")}
        photos: dict[str, object] = {} if self.photos is None else {"photos": self.photos.sha256}
        photos |= {"photo_steps": self.photos.steps} if self.photos is not None and self.photos.steps else {}
        return {**shared, "network": {**network, **self.computation}, "count": self.count, **photos}

    def key(self, unit: int) -> str:
        """The content address of an entry: SHA-256 of the identity and the objective, 64 hexadecimal digits.

        That of a facet of photographs follows from its own objective (`entry_records.entry_key`).
        """
        return digest({**self.identity, "objective": describe(self.objective(unit))})

    @property
    def hash(self) -> str:
        """What distinguishes the series from others of its layer: the content address of unit 0."""
        return self.key(0)

    @cached_property
    def path(self) -> str:
        """Where the series lies in the store: `pictures/LAYER/ROLE-HASH`."""
        return f"pictures/{safe_name(self.folder)}/{self.role.value}-{self.hash[:16]}"


@dataclass(frozen=True)
class Task:
    """Entries to render: units of one series, ascending.

    `lanes` is how many run side by side on a device, None where that is not fixed. `objectives` has what units maximize
    where that does not follow from the series, facets of photographs, and `starts` the images at which these begin.
    """

    series: Series
    units: tuple[int, ...]
    lanes: int | None = None
    objectives: Mapping[int, Objective] = field(default_factory=dict, compare=False)
    starts: StartImages = field(default_factory=StartImages, compare=False)

    @property
    def path(self) -> str:
        """Where the series lies in the store."""
        return self.series.path

    def objective(self, unit: int) -> Objective:
        """What a unit's entry maximizes."""
        return self.objectives[unit] if unit in self.objectives else self.series.objective(unit)

    def of_units(self, units: Iterable[int]) -> "Task":
        """The same for some of the units."""
        chosen = tuple(units)
        objectives = {unit: self.objectives[unit] for unit in chosen if unit in self.objectives}
        return replace(self, units=chosen, objectives=objectives, starts=self.starts.of_units(chosen))


@dataclass(frozen=True)
class PlannedSeries:
    """A series as the store keeps it in a plan: where it lies, and the units planned for it, ascending.

    `order` is the index of the layer in the network.
    """

    path: str
    layer: str
    order: int
    role: Role
    seed: int
    units: tuple[int, ...]

    def to_json(self) -> dict[str, object]:
        """Plain JSON values, the units as ranges."""
        ranges = [list(pair) for pair in consecutive_ranges(self.units)]
        return {**vars(self), "role": self.role.value, "units": ranges}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "PlannedSeries":
        """The inverse of `to_json`."""
        units = tuple(unit for first, count in values["units"] for unit in range(first, first + count))
        return cls(**{**values, "role": Role(values["role"]), "units": units})


def objective_of(role: Role, layer: str, unit: int) -> Objective:
    """The objective of a unit's picture in a role.

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
