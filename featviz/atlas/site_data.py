"""From an atlas, its network and perhaps a survey to the records that a site shows."""

from bisect import bisect_left, insort
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import cached_property
from typing import Any, TypeVar

import numpy as np

from featviz.atlas.class_scores import class_scores
from featviz.atlas.entries import Entries
from featviz.atlas.photo_records import photographs_in_parts
from featviz.atlas.reading import Atlas, command_of, key_of, provenance_of
from featviz.atlas.report import faults_of
from featviz.circuits.strongest_links import StrongestLinks
from featviz.errors import FeatvizError, in_one_line
from featviz.evaluation.features import Features
from featviz.model import Model
from featviz.pages.records import LayerRecord, NetworkRecord, PictureRecord, Role, SurveyRecord, UnitRecord, UnitSummary
from featviz.surveys.survey import Survey

Found = TypeVar("Found")
# Pictures of neighboring units that are read at once.
AHEAD = 64


class SiteData:
    """Everything that pages say, gathered layer by layer; what does not change while an atlas grows is kept."""

    def __init__(
        self, atlas: Atlas, model: Model, *, survey: Survey | None = None, other: Model | Features | None = None
    ) -> None:
        self.atlas, self.model, self.survey, self.other = atlas, model, survey, other
        self.there: dict[str, list[int]] = {}
        self.known: dict[tuple[str, int], UnitSummary] = {}
        self.opened: dict[str, Entries] = {}

    def done(self, layer: str, *, anew: bool = False) -> list[int]:
        """The units of a layer that have a main picture, ascending: as the disk had them, asked `anew`, and `note`."""
        if anew or layer not in self.there:
            planned = self.atlas.find(layer)
            there = self.drawn(planned)
            self.there[layer] = [unit for unit in sorted(planned["units"]) if unit in there]
        return self.there[layer]

    def note(self, layer: str, unit: int) -> None:
        """A unit's main picture has just been drawn: to list what is on the disk takes long in a large layer."""
        self.known.pop((layer, unit), None)
        done = self.done(layer)
        at = bisect_left(done, unit)
        if done[at : at + 1] != [unit]:
            insort(done, unit)

    def drawn(self, planned: Mapping[str, Any]) -> set[int]:
        """The units of a planned series that are on the disk."""
        if planned["path"] not in self.atlas.store.group:
            return set()
        return set(np.flatnonzero(self.entries(planned).outcomes()).tolist())

    def whole(self) -> bool:
        """Whether all that is planned is on the disk."""
        return all(self.drawn(planned).issuperset(planned["units"]) for planned in self.atlas.plan)

    def entries(self, planned: Mapping[str, Any]) -> Entries:
        """Those of a planned series, opened once it has been begun: its first entry says how many lanes it took."""
        path = planned["path"]
        if path not in self.opened or "lanes" not in self.opened[path].attributes:
            self.opened[path] = self.atlas.store.entries(path)
        return self.opened[path]

    def keys(self, layer: str) -> dict[int, set[str]]:
        """The content addresses of all that has been drawn of each unit of a layer."""
        found: dict[int, set[str]] = {}
        for planned in self.atlas.plan:
            for unit in self.drawn(planned).intersection(planned["units"]) if planned["layer"] == layer else ():
                found.setdefault(unit, set()).add(key_of(self.entries(planned), unit))
        return found

    def know(self, layer: str, brief: UnitSummary) -> None:
        """Takes a unit of the wall as it is, in place of reading its entry."""
        self.known.setdefault((layer, brief.unit), brief)

    def briefs(self, layer: str, *, trusted: Mapping[int, bool | None] | None = None) -> list[UnitSummary]:
        """The units of a layer's wall."""
        flags = trusted or {}
        return [replace(self.brief(layer, unit), trusted=flags.get(unit)) for unit in self.done(layer)]

    def brief(self, layer: str, unit: int) -> UnitSummary:
        """A unit that is there, on its layer's wall; read once."""
        if (layer, unit) not in self.known:
            planned = self.atlas.find(layer)
            (main,) = _shown(self.entries(planned), unit, Role.MAIN, planned["seed"])
            self.known[layer, unit] = self._brief(layer, unit, main)
        return self.known[layer, unit]

    def _brief(self, layer: str, unit: int, main: PictureRecord) -> UnitSummary:
        faults = faults_of(main.pixels, main.outcome, main.history)
        return UnitSummary(unit, self.label(layer, unit), main.score, main.outcome, faults)

    def label(self, layer: str, unit: int) -> str:
        """The name of the class that a unit of the last layer stands for, or nothing."""
        last = self.model.layers[-1]
        return self.model.classes[unit] if layer == last.name and last.units == len(self.model.classes) else ""

    def mains(self, layer: str) -> Callable[[int], np.ndarray]:
        """Reads the pixels of a layer's main pictures, uint8, (height, width, channels), best in ascending order."""
        planned = self.atlas.find(layer)
        ahead: dict[int, np.ndarray] = {}

        def pixels(unit: int) -> np.ndarray:
            if unit not in ahead:
                own = self.entries(planned)
                ahead.clear()
                # A read costs about as much for some as for one.
                with suppress(Exception):  # one of them is damaged, perhaps not this one
                    some = np.asarray(own.arrays["pixels"][unit : unit + AHEAD])
                    ahead.update(enumerate(some[..., : own.attributes["channels"]], unit))
                if unit not in ahead:
                    return _damage_told(own, unit, lambda: own.pixels(unit)[0][..., : own.attributes["channels"]])
            return ahead[unit]

        return pixels

    def units(
        self, layer: str, chosen: Sequence[int], *, judged: Mapping[int, SurveyRecord] | None = None
    ) -> list[UnitRecord]:
        """The pages of some of a layer's units that are there."""
        own = self.entries(self.atlas.find(layer))
        planned = [each for each in self.atlas.plan if each["layer"] == layer]
        # The main picture comes first on a page.
        planned.sort(key=lambda each: each["role"] != Role.MAIN.value)
        series = [
            (Role(each["role"]), each["seed"], self.entries(each))
            for each in planned
            if each["path"] in self.atlas.store.group
        ]
        shown = [
            _numbered([one for role, seed, of in series for one in _shown(of, unit, role, seed)]) for unit in chosen
        ]
        classes = class_scores(self.model, np.stack([some[0].pixels for some in shown])) if shown else []
        found = []
        for unit, pictures, scored in zip(chosen, shown, classes, strict=True):
            brief = self.known[layer, unit] = self._brief(layer, unit, pictures[0])
            found.append(
                UnitRecord(
                    layer=layer,
                    unit=unit,
                    label=brief.label,
                    pictures=tuple(pictures),
                    faults=brief.faults,
                    inputs=self.links.inputs(layer, unit),
                    outputs=self.links.outputs(layer, unit),
                    similar=self.links.similar(layer, unit),
                    classes=scored,
                    survey=(judged or {}).get(unit),
                    provenance=provenance_of(own, unit),
                )
            )
        return found

    def photographs(self, layer: str) -> Iterator[dict[int, SurveyRecord]]:
        """What the survey says of a layer's units, some at a time; nothing where it has not seen the layer."""
        if self.survey is None or layer not in self.survey.layers:
            return iter(())
        done = self.done(layer)
        return photographs_in_parts(
            self.survey, layer, done, lambda unit: self.atlas.picture(f"{layer}:{unit}"), other=self.other
        )

    def network(self, *, complete: bool, command: str | None) -> NetworkRecord:
        """The front page."""
        layers = []
        for name in self.atlas.layers:
            layer, planned = self.model.layer(name), self.atlas.find(name)
            below = self.links.below.get(name, ())
            layers.append(
                LayerRecord(name, layer.shape, layer.units, len(planned["units"]), len(self.done(name)), below)
            )
        return NetworkRecord(
            name=self.model.name,
            layers=tuple(layers),
            facts=self.facts(),
            command=command,
            complete=complete,
            surveyed=self.survey is not None,
        )

    def facts(self) -> dict[str, str]:
        """What the pictures have in common, as lines of label and value; nothing of an atlas without any."""
        planned = next((each for each in self.atlas.plan if each["path"] in self.atlas.store.group), None)
        if planned is None:
            return {}
        shared = self.entries(planned).attributes
        run, words = shared["run"], shared["recipe_words"]
        network = run["network"]
        return {
            "recipe": "of its own" if words is None else " ".join(words).removeprefix("--recipe "),
            "size": " x ".join(map(str, run["size"])) + " px",
            "steps": str(run["steps"]),
            "seed": str(run["seed"]),
            "weights": f"{network['weights'] or 'built in'} ({network['weights_sha256'][:8]})",
            "made with": f"featviz {run['featviz']}, jax {run['versions']['jax']}, {run['device']['kind']}",
        }

    @cached_property
    def links(self) -> StrongestLinks:
        """How the atlas's layers are tied to one another."""
        return StrongestLinks(self.model, self.atlas.layers, self.survey)


def _shown(entries: Entries, unit: int, role: Role, seed: int) -> list[PictureRecord]:
    """An entry's pictures; none where it is not there."""
    outcome = _damage_told(entries, unit, lambda: entries.outcome(unit))
    if outcome is None:
        return []
    history, scores, pixels = _damage_told(
        entries, unit, lambda: (entries.history(unit), entries.score(unit), entries.pixels(unit))
    )
    shared = entries.attributes
    key, command = key_of(entries, unit), command_of(shared, unit)
    return [
        PictureRecord(role, number, each, float(score), outcome, history, seed, key, command)
        for number, (each, score) in enumerate(zip(pixels[..., : shared["channels"]], scores, strict=True))
    ]


def _numbered(pictures: Sequence[PictureRecord]) -> list[PictureRecord]:
    """A unit's pictures, those of one role numbered through: two seeds are two entries, each with a first picture."""
    seen: Counter[Role] = Counter()
    found = []
    for picture in pictures:
        found.append(replace(picture, index=seen[picture.role]))
        seen[picture.role] += 1
    return found


def _damage_told(entries: Entries, unit: int, read: Callable[[], Found]) -> Found:
    """What is read of an entry. Raises FeatvizError that names the entry if it cannot be read."""
    try:
        return read()
    # Whatever a decoder says of bytes that are not its own.
    except Exception as error:
        name = f"{entries.attributes['layer']}:{unit} ({entries.attributes['role']})"
        raise FeatvizError(f"{name} is damaged, drawing the atlas once more mends it: {in_one_line(error)}") from error


def choose_strip(units: Sequence[int], count: int) -> list[int]:
    """Some of a layer's units, spread evenly.

    >>> choose_strip(range(10), 4)
    [0, 3, 6, 9]
    """
    if len(units) <= count:
        return list(units)
    return [units[round(at * (len(units) - 1) / (count - 1))] for at in range(count)]


def striking(pixels: np.ndarray | None) -> float:
    """How much large things stand out in a picture, uint8, (h, w, c): the spread of its 4 x 4 blocks' colors.

    >>> striking(np.tile(np.array([[[0], [255]]], np.uint8), (16, 8, 1))), striking(None)
    (0.0, 0.0)
    """
    if pixels is None or min(pixels.shape[:2]) < 4:
        return 0.0
    rows, columns = (side // 4 * 4 for side in pixels.shape[:2])
    blocks = pixels[:rows, :columns].reshape(4, rows // 4, 4, columns // 4, -1).mean((1, 3))
    return float(blocks.std((0, 1)).mean())
