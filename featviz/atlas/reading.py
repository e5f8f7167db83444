"""Reading an atlas without the network: its pictures, arrays and table."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path

import numpy as np
from jaxtyping import Float32, UInt8

from featviz.atlas.atlas_store import Store, open_store
from featviz.atlas.entries import Entries
from featviz.atlas.entry_records import AtlasRow, atlas_rows, read_pictures, summarize_faults
from featviz.atlas.revisions import Revision, choose_revision, list_revisions
from featviz.atlas.series import PlannedSeries
from featviz.common.displayed_list import DisplayedList
from featviz.errors import FeatvizError, suggest
from featviz.pages.records import Role
from featviz.pictures.captions import split_name
from featviz.pictures.picture import Picture


class Atlas:
    """An atlas on disk: the `picture` of a unit, the `pixels` and `scores` of a layer, a `table` of all entries.

    It shows one revision: what one or several commands planned with one network, recipe, size, number of steps and
    seed. Series of other revisions stay in the store (`series`).

    Args:
      store: the atlas's store (`open_atlas` opens it).
      revision: the hash of a revision; by default that of the latest command.
    """

    def __init__(self, store: Store, *, revision: str | None = None) -> None:
        self.store, self.revision = store, revision
        self._opened: dict[str, Entries] = {}

    def __repr__(self) -> str:
        done, planned = self.count()
        return f"<Atlas {self.store.location}, {done} of {planned} entries>"

    def _repr_html_(self) -> str:
        from featviz.atlas.atlas_html import atlas_html

        return atlas_html(self)

    @cached_property
    def plan(self) -> list[PlannedSeries]:
        """The planned series: main pictures first, layers in forward order.

        Facets of a unit are those of the latest command that planned any: in another number or of other photographs
        they are another series.
        """
        plans = self.store.plans()
        revision = self.revision or (plans[-1]["revision"] if plans else None)
        planned: dict[str, PlannedSeries] = {}
        for values in (values for plan in plans if plan["revision"] == revision for values in plan["series"]):
            series = PlannedSeries.from_json(values)
            if series.role is Role.FACET:
                planned = {path: _without_units(earlier, series) for path, earlier in planned.items()}
            if series.path in planned:
                units = {*planned[series.path].units, *series.units}
                series = replace(series, units=tuple(sorted(units)))
            planned[series.path] = series
        return sorted((series for series in planned.values() if series.units), key=_order)

    @property
    def layers(self) -> tuple[str, ...]:
        """The planned layers, in forward order."""
        return tuple(dict.fromkeys(series.layer for series in self.plan))

    @property
    def series(self) -> list[str]:
        """The paths of all series in the store, of every revision."""
        return self.store.series_paths()

    @property
    def revisions(self) -> list[Revision]:
        """The revisions that `open_atlas` can open by name, that of the latest command last."""
        return list_revisions(self.store)

    def count(self) -> tuple[int, int]:
        """How many planned entries are written, and how many are planned."""
        written = [len(self.entries(series.path).written().intersection(series.units)) for series in self.plan]
        return sum(written), sum(len(series.units) for series in self.plan)

    def entries(self, path: str) -> Entries:
        """The entries of a series; its metadata are read once."""
        if path not in self._opened:
            self._opened[path] = self.store.entries(path)
        return self._opened[path]

    def find(
        self, layer: str, *, role: Role = Role.MAIN, seed: int | None = None, unit: int | None = None
    ) -> PlannedSeries:
        """The planned series of a layer; with `unit` the one that has it, where there are several.

        Raises:
          FeatvizError: if there is none; the message names the nearest layer.
        """
        if layer not in self.layers:
            raise FeatvizError(f"the atlas has no layer `{layer}`; {suggest(layer, self.layers)}")
        found = [s for s in self.plan if s.layer == layer and s.role is role and seed in (None, s.seed)]
        if found:
            return next((series for series in found if unit in series.units), found[0])
        which = f"in the role `{role.value}`" + ("" if seed is None else f" with seed {seed}")
        raise FeatvizError(f"the atlas has no pictures of {layer} {which}; `table()` lists those that it has")

    def pixels(
        self, layer: str, *, role: Role = Role.MAIN, seed: int | None = None
    ) -> UInt8[np.ndarray, "units *images h w c"]:
        """All pictures of a layer, zeros where there is none.

        Raises:
          FeatvizError: if there are none, or they are facets of several numbers or photographs, in an array each.
        """
        return np.asarray(self.entries(self._find_all(layer, role, seed).path).arrays["pixels"][:])

    def scores(
        self, layer: str, *, role: Role = Role.MAIN, seed: int | None = None
    ) -> Float32[np.ndarray, " units *images"]:
        """All scores of a layer, nan where there is none.

        Raises:
          FeatvizError: as `pixels` does.
        """
        return self.entries(self._find_all(layer, role, seed).path).scores()

    def _find_all(self, layer: str, role: Role, seed: int | None) -> PlannedSeries:
        """The series that has all pictures of a layer in a role."""
        found = self.find(layer, role=role, seed=seed)
        count = sum(series.layer == layer and series.role is Role.FACET for series in self.plan)
        if role is Role.FACET and count > 1:
            raise FeatvizError(
                f"the facets of {layer} are in {count} series, of other numbers or photographs; `pictures` has a unit's"
            )
        return found

    def picture(self, name: str, *, role: Role = Role.MAIN, seed: int | None = None) -> Picture:
        """The picture of a unit by its name, such as `mixed4a:7`; the first one of a group.

        Raises:
          FeatvizError: if the atlas has no such picture.
        """
        return self.pictures(name, role=role, seed=seed)[0]

    def pictures(self, name: str, *, role: Role = Role.MAIN, seed: int | None = None) -> list[Picture]:
        """All pictures of a unit's entry: one, or those of a group."""
        layer, unit = split_name(name)
        index = int(unit) if unit.isdecimal() else None
        entries = self.entries(self.find(layer, role=role, seed=seed, unit=index).path)
        if not unit.isdecimal() or not int(unit) < entries.units or entries.outcome(int(unit)) is None:
            raise FeatvizError(f"the atlas has no picture of `{name}`; `table()` lists those that it has")
        return DisplayedList(read_pictures(entries, int(unit)))

    def rows(self, *, layers: Sequence[str] | None = None, roles: Sequence[Role] = tuple(Role)) -> Iterator[AtlasRow]:
        """The written entries in the plan's order, optionally of some layers and roles only."""
        for series in self.plan:
            if series.role in roles and (layers is None or series.layer in layers):
                entries = self.entries(series.path)
                yield from atlas_rows(series, entries, entries.written().intersection(series.units))

    def table(self) -> dict[str, np.ndarray]:
        """The written entries as columns: layer, unit, role, seed, score, outcome, steps, faults, key, path."""
        rows = list(self.rows())
        columns = {name: [getattr(row, name) for row in rows] for name in AtlasRow.__dataclass_fields__}
        columns["role"] = [role.value for role in columns["role"]]
        columns["faults"] = ["; ".join(faults) for faults in columns["faults"]]
        dtypes = {"unit": np.int64, "seed": np.int64, "steps": np.int64, "score": np.float32}
        return {name: np.array(values, dtype=dtypes.get(name, np.str_)) for name, values in columns.items()}

    def report(self) -> list[str]:
        """Lines that count the units and name those that are dead, gray, not finite or damaged, or never rise."""
        return summarize_faults((f"{row.layer}:{row.unit}", row.faults) for row in self.rows(roles=[Role.MAIN]))


def open_atlas(location: str | os.PathLike[str], *, revision: str | None = None) -> Atlas:
    """Opens an atlas, complete or not.

    Args:
      location: its folder, or an address such as s3://bucket/atlas.
      revision: the first digits of a revision's hash (`Atlas.revisions`); by default the revision of the latest
        command.

    Raises:
      FeatvizError: if there is no atlas, or no such revision.
    """
    store = open_store(parse_location(location))
    return Atlas(store, revision=None if revision is None else choose_revision(store, revision))


def parse_location(location: str | os.PathLike[str]) -> str | Path:
    """A folder as a path, an address of object storage as it is.

    >>> parse_location("s3://bucket/atlas"), parse_location("out/atlas").name
    ('s3://bucket/atlas', 'atlas')
    """
    return location if isinstance(location, str) and "://" in location else Path(location)


def _without_units(earlier: PlannedSeries, series: PlannedSeries) -> PlannedSeries:
    """An earlier series of facets without the units whose facets a later one has."""
    if earlier.role is not Role.FACET or earlier.layer != series.layer or earlier.path == series.path:
        return earlier
    later = set(series.units)
    return replace(earlier, units=tuple(unit for unit in earlier.units if unit not in later))


def _order(series: PlannedSeries) -> tuple[bool, int, int, int, str]:
    return series.role is not Role.MAIN, series.order, list(Role).index(series.role), series.seed, series.path
