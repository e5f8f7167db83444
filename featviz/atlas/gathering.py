"""From an atlas, its network and perhaps a survey to the records that a site shows."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np

from featviz.atlas.classes import class_scores
from featviz.atlas.connections import connections, neighbours_below, similar, strongest
from featviz.atlas.photographs import photographs_of
from featviz.atlas.reading import Atlas, command_of, key_of
from featviz.atlas.records import Brief, LayerShown, Link, NetworkShown, Photographs, Role, Shown, Unit
from featviz.atlas.report import faults_of
from featviz.atlas.spreads import spread_of, surveyed_spread
from featviz.atlas.store import Entries
from featviz.model import Model
from featviz.natural.features import Features
from featviz.natural.survey import Survey
from featviz.picture import Picture

# Links of each kind on a page.
LINKS = 8


class Gathering:
    """Everything that pages say, gathered layer by layer; what does not change while an atlas grows is kept."""

    def __init__(
        self, atlas: Atlas, model: Model, *, survey: Survey | None = None, other: Model | Features | None = None
    ) -> None:
        self.atlas, self.model, self.survey, self.other = atlas, model, survey, other
        self.there: dict[str, list[int]] = {}
        self.known: dict[tuple[str, int], Brief] = {}

    def done(self, layer: str, *, anew: bool = False) -> list[int]:
        """The units of a layer that have a main picture, as of the last time that this was asked `anew`."""
        if anew or layer not in self.there:
            planned = self.atlas.find(layer)
            outcomes = self.entries(planned).outcomes()
            self.there[layer] = [unit for unit in planned["units"] if outcomes[unit]]
        return self.there[layer]

    def entries(self, planned: Mapping[str, Any]) -> Entries:
        return self.atlas.entries(planned["path"])

    def briefs(self, layer: str, *, judged: Mapping[int, Photographs] | None = None) -> list[Brief]:
        """The units of a layer's wall."""
        found = []
        for unit in self.done(layer):
            brief, seen = self.brief(layer, unit), (judged or {}).get(unit)
            found.append(brief if seen is None else replace(brief, trusted=seen.trusted))
        return found

    def brief(self, layer: str, unit: int) -> Brief:
        """A unit that is there, on its layer's wall; read once."""
        if (layer, unit) not in self.known:
            own = self.entries(self.atlas.find(layer))
            outcome, score = own.outcome(unit), float(np.mean(own.score(unit)))
            assert outcome is not None
            faults = faults_of(own.pixels(unit)[0], outcome, own.history(unit))
            self.known[layer, unit] = Brief(unit, self.label(layer, unit), score, outcome, faults)
        return self.known[layer, unit]

    def label(self, layer: str, unit: int) -> str:
        """The name of the class that a unit of the last layer stands for, or nothing."""
        last = self.model.layers[-1]
        return self.model.classes[unit] if layer == last.name and last.units == len(self.model.classes) else ""

    def units(
        self, layer: str, chosen: Sequence[int], *, judged: Mapping[int, Photographs] | None = None
    ) -> list[Unit]:
        """The pages of some of a layer's units."""
        own = self.entries(self.atlas.find(layer))
        planned = [each for each in self.atlas.plan if each["layer"] == layer]
        series = [(Role(each["role"]), each["seed"], self.entries(each)) for each in planned]
        pixels = [own.pixels(unit)[0][..., : own.attributes["channels"]] for unit in chosen]
        classes = class_scores(self.model, np.stack(pixels)) if chosen else []
        links = self.links
        found = []
        for unit, scored in zip(chosen, classes, strict=True):
            pictures = [picture for role, seed, of in series for picture in _shown(of, unit, role, seed)]
            found.append(
                Unit(
                    layer=layer,
                    unit=unit,
                    label=self.label(layer, unit),
                    pictures=tuple(pictures),
                    faults=self.brief(layer, unit).faults,
                    inputs=links.inputs(layer, unit),
                    outputs=links.outputs(layer, unit),
                    similar=links.similar(layer, unit),
                    classes=scored,
                    photographs=(judged or {}).get(unit),
                    provenance=self.atlas.picture(f"{layer}:{unit}").provenance,
                )
            )
        return found

    def photographs(self, layer: str) -> dict[int, Photographs]:
        """What the survey says of a layer's units; nothing where it has not seen the layer."""
        if self.survey is None or layer not in self.survey.layers:
            return {}
        pictures: dict[int, Picture] = {unit: self.atlas.picture(f"{layer}:{unit}") for unit in self.done(layer)}
        return photographs_of(self.survey, layer, pictures, other=self.other) if pictures else {}

    def network(self, *, complete: bool, command: str | None) -> NetworkShown:
        """The front page."""
        layers = []
        for name in self.atlas.layers:
            layer, planned = self.model.layer(name), self.atlas.find(name)
            below = self.links.below.get(name, ())
            layers.append(
                LayerShown(name, layer.shape, layer.units, len(planned["units"]), len(self.done(name)), below)
            )
        return NetworkShown(
            name=self.model.name,
            layers=tuple(layers),
            facts=self.facts(),
            command=command,
            complete=complete,
            surveyed=self.survey is not None,
        )

    def facts(self) -> dict[str, str]:
        """What the pictures have in common, as lines of label and value."""
        shared = self.entries(self.atlas.plan[0]).attributes
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
    def links(self) -> "Links":
        """How the atlas's layers are tied to one another."""
        return Links(self.model, self.atlas.layers, self.survey)


class Links:
    """The strongest ties between the units of some layers, and their likeness, from the weights."""

    def __init__(self, model: Model, layers: Sequence[str], survey: Survey | None) -> None:
        self.below = neighbours_below(model, layers)
        spreads = spread_of(model, layers) if survey is None else surveyed_spread(survey, layers)
        self.ties: dict[tuple[str, str], np.ndarray] = {}
        for layer, upstream in self.below.items():
            for name in upstream:
                self.ties[name, layer] = connections(model, name, layer, spreads[name])
        # Units above differ in the size of their weights, which says nothing of whose input they are.
        self.shares = {
            pair: ties / np.maximum(np.linalg.norm(ties, axis=1, keepdims=True), 1e-30)
            for pair, ties in self.ties.items()
        }
        self.alike = {
            layer: similar(np.concatenate([self.ties[name, layer] for name in upstream], axis=1), LINKS)
            for layer, upstream in self.below.items()
            if upstream
        }

    def inputs(self, layer: str, unit: int) -> tuple[Link, ...]:
        """The units below that drive one most."""
        return self._strongest([(name, self.ties[name, layer][unit]) for name in self.below.get(layer, ())])

    def outputs(self, layer: str, unit: int) -> tuple[Link, ...]:
        """The units above that one drives most, as a share of what drives them."""
        return self._strongest([(to, self.shares[of, to][:, unit]) for of, to in self.ties if of == layer])

    def similar(self, layer: str, unit: int) -> tuple[Link, ...]:
        """The units of the same layer with the most similar weights."""
        found = self.alike[layer][unit] if layer in self.alike else []
        return tuple(Link(layer, other, cosine) for other, cosine in found)

    def _strongest(self, rows: list[tuple[str, np.ndarray]]) -> tuple[Link, ...]:
        if not rows:
            return ()
        places = [(name, unit) for name, row in rows for unit in range(len(row))]
        found = strongest(np.concatenate([row for _, row in rows]), LINKS)
        return tuple(Link(*places[at], strength) for at, strength in found)


def _shown(entries: Entries, unit: int, role: Role, seed: int) -> list[Shown]:
    """An entry's pictures; none where it is not there."""
    outcome = entries.outcome(unit)
    if outcome is None:
        return []
    history, scores = entries.history(unit), entries.score(unit)
    shared = entries.attributes
    key, command = key_of(entries, unit), command_of(shared, unit)
    pixels = entries.pixels(unit)[..., : shared["channels"]]
    return [
        Shown(role, number, each, float(score), outcome, history, seed, key, command)
        for number, (each, score) in enumerate(zip(pixels, scores, strict=True))
    ]


def choose_strip(units: Sequence[int], count: int) -> list[int]:
    """Some of a layer's units, spread evenly.

    >>> choose_strip(range(10), 4)
    [0, 3, 6, 9]
    """
    if len(units) <= count:
        return list(units)
    return [units[round(at * (len(units) - 1) / (count - 1))] for at in range(count)]
