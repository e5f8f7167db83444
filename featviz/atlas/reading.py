"""Reading an atlas: its pictures, arrays and table, without the network."""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from featviz.atlas.atlas_store import Store, open_store
from featviz.atlas.entries import Entries
from featviz.atlas.report import faults_of, summary
from featviz.atlas.revisions import Revision, choose_revision, revisions
from featviz.atlas.series import objective_of
from featviz.common.canonical import describe, digest
from featviz.errors import FeatvizError, suggest
from featviz.pages.records import Role
from featviz.pictures.captions import split_name
from featviz.pictures.command import command_line
from featviz.pictures.picture import Picture


@dataclass(frozen=True)
class Row:
    """One entry of the table; of a group `score` is the mean. `path` and `unit` say where it lies."""

    layer: str
    unit: int
    role: Role
    seed: int
    score: float
    outcome: str
    steps: int
    faults: tuple[str, ...]
    key: str
    path: str


class Atlas:
    """An atlas as it is on the disk: the `picture` of a unit, the `pixels` and `scores` of a layer, a `table` of all.

    What is read is what was planned for one network, recipe, size, number of steps and seed, by one command or several:
    a revision: that of the last command, or the one that `shared` names. Series of others stay in the store (`series`).
    """

    def __init__(self, store: Store, *, shared: str | None = None) -> None:
        self.store, self.shared = store, shared
        self._opened: dict[str, Entries] = {}

    def __repr__(self) -> str:
        done, planned = self.count()
        return f"<Atlas {self.store.place}, {done} of {planned} entries>"

    @cached_property
    def plan(self) -> list[dict[str, Any]]:
        """The planned series: path, layer, role, seed and units of each, main pictures first, in forward order."""
        plans = self.store.plans()
        shared = self.shared or (plans[-1]["shared"] if plans else None)
        found: dict[str, dict[str, Any]] = {}
        for each in (series for plan in plans if plan["shared"] == shared for series in plan["series"]):
            units = {unit for first, count in each["units"] for unit in range(first, first + count)}
            units |= set(found.get(each["path"], {}).get("units", ()))
            found[each["path"]] = {**each, "units": sorted(units)}
        return sorted(found.values(), key=_order)

    @property
    def layers(self) -> tuple[str, ...]:
        """The planned layers, in forward order."""
        return tuple(dict.fromkeys(each["layer"] for each in self.plan))

    @property
    def series(self) -> list[str]:
        """All series that are in the store, also of other recipes than the last."""
        return self.store.paths()

    @property
    def revisions(self) -> list[Revision]:
        """What `open_atlas` can be asked for by name, the last command's last."""
        return revisions(self.store)

    def count(self) -> tuple[int, int]:
        """How many entries of the plan are there, and how many there will be."""
        there = [len(self.entries(each["path"]).there().intersection(each["units"])) for each in self.plan]
        return sum(there), sum(len(each["units"]) for each in self.plan)

    def entries(self, path: str) -> Entries:
        """Those of a series; its metadata are read once."""
        if path not in self._opened:
            self._opened[path] = self.store.entries(path)
        return self._opened[path]

    def find(self, layer: str, *, role: Role = Role.MAIN, seed: int | None = None) -> dict[str, Any]:
        """The planned series of a layer. Raises FeatvizError with the nearest name if there is none."""
        if layer not in self.layers:
            raise FeatvizError(f"the atlas has no layer `{layer}`; {suggest(layer, self.layers)}")
        for each in self.plan:
            if each["layer"] == layer and each["role"] == role.value and seed in (None, each["seed"]):
                return each
        which = f"in the role `{role.value}`" + ("" if seed is None else f" with seed {seed}")
        raise FeatvizError(f"the atlas has no pictures of {layer} {which}; see its `table()` for those that it has")

    def pixels(self, layer: str, *, role: Role = Role.MAIN, seed: int | None = None) -> np.ndarray:
        """All pictures of a layer, uint8, (units[, image], height, width, channels); zeros where there is none."""
        return np.asarray(self.entries(self.find(layer, role=role, seed=seed)["path"]).arrays["pixels"][:])

    def scores(self, layer: str, *, role: Role = Role.MAIN, seed: int | None = None) -> np.ndarray:
        """All scores of a layer, float32, (units[, image]); nan where there is none."""
        return self.entries(self.find(layer, role=role, seed=seed)["path"]).scores()

    def picture(self, name: str, *, role: Role = Role.MAIN, seed: int | None = None) -> Picture:
        """The picture of a unit, by a name as `mixed4a:7`; of a group the first.

        Raises: FeatvizError if the atlas has none.
        """
        return self.pictures(name, role=role, seed=seed)[0]

    def pictures(self, name: str, *, role: Role = Role.MAIN, seed: int | None = None) -> list[Picture]:
        """The pictures of a unit's entry: one, or a group's."""
        layer, unit = split_name(name)
        found = self.find(layer, role=role, seed=seed)
        own = self.entries(found["path"])
        if not unit.isdecimal() or not int(unit) < own.units or own.outcome(int(unit)) is None:
            raise FeatvizError(f"the atlas has no picture of `{name}`; see its `table()` for those that it has")
        return read_pictures(own, int(unit))

    def rows(self, *, layers: Sequence[str] | None = None, roles: Sequence[Role] = tuple(Role)) -> Iterator[Row]:
        """The entries that are there, in the plan's order, of some layers and roles."""
        wanted = {role.value for role in roles}
        for each in self.plan:
            if each["role"] not in wanted or (layers is not None and each["layer"] not in layers):
                continue
            own = self.entries(each["path"])
            there = own.there()
            for unit in each["units"]:
                if unit in there:
                    yield _row(each, own, unit)

    def table(self) -> dict[str, np.ndarray]:
        """The entries as columns of one length: layer, unit, role, seed, score, outcome, steps, faults, key, path."""
        rows = list(self.rows())
        columns = {name: [getattr(row, name) for row in rows] for name in Row.__dataclass_fields__}
        columns["role"] = [role.value for role in columns["role"]]
        columns["faults"] = ["; ".join(faults) for faults in columns["faults"]]
        kinds = {"unit": np.int64, "seed": np.int64, "steps": np.int64, "score": np.float32}
        return {name: np.array(values, dtype=kinds.get(name, np.str_)) for name, values in columns.items()}

    def report(self) -> list[str]:
        """Lines that say how many units have pictures, and name those that are dead, never rise or are gray."""
        return summary((f"{r.layer}:{r.unit}", r.faults) for r in self.rows(roles=[Role.MAIN]))


def open_atlas(place: str | os.PathLike[str], *, revision: str | None = None) -> Atlas:
    """The atlas of a folder, or of an address such as s3://bucket/atlas, finished or not.

    `revision` names one of another recipe, size, number of steps, seed or weights than the last command's, by the first
    digits of its hash (`Atlas.revisions`).

    Raises: FeatvizError if there is none.
    """
    store = open_store(where(place))
    return Atlas(store, shared=None if revision is None else choose_revision(store, revision))


def where(place: str | os.PathLike[str]) -> str | Path:
    """A folder's path, or an address of object storage as it is.

    >>> where("s3://bucket/atlas"), where("out/atlas").name
    ('s3://bucket/atlas', 'atlas')
    """
    return place if isinstance(place, str) and "://" in place else Path(place)


def key_of(entries: Entries, unit: int) -> str:
    """An entry's content address (`Series.key`)."""
    shared = entries.attributes
    objective = objective_of(Role(shared["role"]), shared["layer"], unit)
    return digest({**shared["identity"], "objective": describe(objective)})


def command_of(attributes: Mapping[str, Any], unit: int) -> str | None:
    """The command line that makes an entry's pictures again, or None."""
    role = Role(attributes["role"])
    # A group of unlike pictures is asked for by its unit.
    objective = objective_of(Role.MAIN if role is Role.FACET else role, attributes["layer"], unit)
    more = ["--facets", str(attributes["count"])] if role is Role.FACET else []
    return command_line(attributes["source"], attributes["recipe_words"], attributes["run"], objective, more=more)


def provenance_of(entries: Entries, unit: int) -> dict[str, Any]:
    """The provenance of an entry's pictures, as `render` gives it."""
    shared = entries.attributes
    objective = objective_of(Role(shared["role"]), shared["layer"], unit)
    return {
        **shared["run"],
        "name": objective.label,
        "objective": describe(objective),
        "objective_sha256": objective.hash,
        "command": command_of(shared, unit),
        "lanes": shared.get("lanes"),
    }


def read_pictures(entries: Entries, unit: int) -> list[Picture]:
    """An entry as pictures, with their provenance."""
    channels, provenance, outcome = entries.attributes["channels"], provenance_of(entries, unit), entries.outcome(unit)
    assert outcome is not None
    history, scores = entries.history(unit), entries.score(unit)
    found = []
    for at, values in enumerate(entries.pixels(unit).astype(np.float32) / np.float32(255)):
        alpha = values[..., -1] if values.shape[-1] > channels else None
        more = {"group": len(scores), "image": at} if len(scores) > 1 else {}
        found.append(Picture(values[..., :channels], float(scores[at]), outcome, history, provenance | more, alpha))
    return found


def _row(planned: Mapping[str, Any], entries: Entries, unit: int) -> Row:
    """An entry's line; of one that cannot be read what is known."""
    known = {"layer": planned["layer"], "unit": unit, "role": Role(planned["role"]), "seed": planned["seed"]}
    known |= {"key": key_of(entries, unit), "path": planned["path"]}
    if unit in entries.damaged([unit]):
        return Row(**known, score=float("nan"), outcome="damaged", steps=0, faults=("damaged",))
    history, outcome = entries.history(unit), entries.outcome(unit)
    assert outcome is not None
    faults = faults_of(entries.pixels(unit)[0][..., : entries.attributes["channels"]], outcome, history)
    score = float(np.mean(entries.score(unit)))
    return Row(**known, score=score, outcome=outcome.value, steps=len(history), faults=faults)


def _order(planned: Mapping[str, Any]) -> tuple[Any, ...]:
    role = Role(planned["role"])
    return role is not Role.MAIN, planned["order"], list(Role).index(role), planned["seed"], planned["path"]
