"""What the pages of a site show, read from an atlas, its network and, if there is one, a survey."""

from bisect import bisect_left, insort
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np
from jaxtyping import UInt8

from featviz.atlas.entries import Entries
from featviz.atlas.entry_records import entry_key, entry_provenance, picture_faults
from featviz.atlas.photo_records import survey_records_in_chunks
from featviz.atlas.picture_records import main_pixels, picture_records, unit_pictures
from featviz.atlas.reading import Atlas
from featviz.atlas.series import PlannedSeries
from featviz.circuits.cosine_neighbors import cosine_neighbors
from featviz.circuits.ranking import RankedRows
from featviz.circuits.strongest_links import StrongestLinks, UnitLink
from featviz.common.bands import shown_bands
from featviz.dictionaries.dictionary import Dictionary
from featviz.dictionaries.latent_map import LatentMap, lay_out
from featviz.evaluation.class_scores import class_scores
from featviz.evaluation.features import Features
from featviz.model import Model
from featviz.model.latent_layers import dictionary_of
from featviz.pages.records import LayerRecord, NetworkRecord, PictureRecord, Role, SurveyRecord, UnitRecord, UnitSummary
from featviz.surveys.survey import Survey
from featviz.surveys.unit_facets import facet_shares

# Fewer units than this have a grid alone; latents shown beside one.
MIN_MAPPED, NEIGHBORS = 3, 10


class SiteData:
    """The records that pages show, layer by layer; what does not change while an atlas grows is kept.

    Args:
      atlas: the pictures.
      model: the atlas's network.
      survey: of natural images, for photos, statistics and evidence.
      other: another network, for the evidence figures.
    """

    def __init__(
        self, atlas: Atlas, model: Model, *, survey: Survey | None = None, other: Model | Features | None = None
    ) -> None:
        self.atlas, self.model, self.survey, self.other = atlas, model, survey, other
        self._finished: dict[str, list[int]] = {}
        self._summaries: dict[tuple[str, int], UnitSummary] = {}
        self._opened: dict[str, Entries] = {}
        self._decoder_neighbors: dict[str, RankedRows] = {}

    def finished_units(self, layer: str, *, refresh: bool = False) -> list[int]:
        """The units of a layer that have a main picture, ascending.

        The disk is read on the first call, or to `refresh`; after that `add_finished` adds to the list.
        """
        if refresh or layer not in self._finished:
            series = self.atlas.find(layer)
            written = self._written(series)
            self._finished[layer] = [unit for unit in sorted(series.units) if unit in written]
        return self._finished[layer]

    def add_finished(self, layer: str, unit: int) -> None:
        """A unit's main picture has been written; listing a large layer's folder again would take long."""
        self._summaries.pop((layer, unit), None)
        finished = self.finished_units(layer)
        index = bisect_left(finished, unit)
        if finished[index : index + 1] != [unit]:
            insort(finished, unit)

    def is_complete(self) -> bool:
        """Whether everything that is planned is on disk."""
        return all(self._written(series).issuperset(series.units) for series in self.atlas.plan)

    def entry_keys(self, layer: str) -> dict[int, set[str]]:
        """The content addresses of all written entries of each unit of a layer."""
        keys: dict[int, set[str]] = {}
        for series in self.atlas.plan:
            for unit in self._written(series).intersection(series.units) if series.layer == layer else ():
                keys.setdefault(unit, set()).add(entry_key(self._entries(series), unit))
        return keys

    def add_summary(self, layer: str, summary: UnitSummary) -> None:
        """Takes a unit's summary from its page instead of reading its entry."""
        self._summaries.setdefault((layer, summary.unit), summary)

    def summaries(self, layer: str, *, trusted: Mapping[int, bool | None] | None = None) -> list[UnitSummary]:
        """The units of a layer's page; `trusted` has their flags."""
        flags = trusted or {}
        return [replace(self.summary(layer, unit), trusted=flags.get(unit)) for unit in self.finished_units(layer)]

    def summary(self, layer: str, unit: int) -> UnitSummary:
        """A finished unit on its layer's page; read once."""
        if (layer, unit) not in self._summaries:
            (main,) = picture_records(self._entries(self.atlas.find(layer)), unit)
            self._summaries[layer, unit] = self._summarize(layer, unit, main)
        return self._summaries[layer, unit]

    def main_pixels(self, layer: str) -> Callable[[int], UInt8[np.ndarray, "h w c"]]:
        """A function that reads the main picture of a layer's unit; fastest for ascending units."""
        series, rgb = self.atlas.find(layer), self.model.input.rgb
        read = main_pixels(lambda: self._entries(series))
        return lambda unit: shown_bands(read(unit), rgb)

    def unit_records(
        self, layer: str, units: Sequence[int], *, surveyed: Mapping[int, SurveyRecord] | None = None
    ) -> list[UnitRecord]:
        """The pages of finished units of a layer, with what a survey says of them."""
        main = self._entries(self.atlas.find(layer))
        planned = [series for series in self.atlas.plan if series.layer == layer]
        # The main picture comes first on a page.
        planned.sort(key=lambda series: series.role is not Role.MAIN)
        found = [(self._entries(s), frozenset(s.units)) for s in planned if s.path in self.atlas.store.group]
        pictures = [unit_pictures([entries for entries, own in found if unit in own], unit) for unit in units]
        classes = class_scores(self.model, np.stack([shown[0].pixels for shown in pictures])) if pictures else []
        records = []
        for unit, shown, scores in zip(units, pictures, classes, strict=True):
            summary = self._summaries[layer, unit] = self._summarize(layer, unit, shown[0])
            shown = self._with_shares(layer, unit, shown)
            # Of more than three bands, those that are looked at.
            shown = [replace(each, pixels=shown_bands(each.pixels, self.model.input.rgb)) for each in shown]
            records.append(
                UnitRecord(
                    layer=layer,
                    unit=unit,
                    label=summary.label,
                    pictures=tuple(shown),
                    faults=summary.faults,
                    inputs=self.links.inputs(layer, unit),
                    outputs=self.links.outputs(layer, unit),
                    similar=self._similar(layer, unit),
                    one_step_inputs=self.links.one_step_inputs(layer, unit),
                    one_step_outputs=self.links.one_step_outputs(layer, unit),
                    classes=scores,
                    survey=(surveyed or {}).get(unit),
                    provenance=entry_provenance(main, unit),
                    latent=self.model.layer(layer).latents,
                )
            )
        return records

    def _with_shares(self, layer: str, unit: int, shown: Sequence[PictureRecord]) -> list[PictureRecord]:
        """The pictures; facets with the share of the unit's best photographs that each stands for.

        Facets of photographs have it already: that of their clusters.
        """
        facets = [picture.pixels for picture in shown if picture.role is Role.FACET and not picture.of_photos]
        if not facets or self.survey is None or layer not in self.survey.layers:
            return list(shown)
        shares = iter(facet_shares(self.survey, layer, unit, facets).tolist())
        return [
            replace(picture, share=None if np.isnan(share := next(shares)) else share)
            if picture.role is Role.FACET and not picture.of_photos
            else picture
            for picture in shown
        ]

    def survey_records(self, layer: str) -> Iterator[dict[int, SurveyRecord]]:
        """What the survey says of a layer's finished units, chunk by chunk; nothing if it does not cover the layer."""
        if self.survey is None or layer not in self.survey.layers:
            return iter(())
        return survey_records_in_chunks(
            self.survey,
            layer,
            self.finished_units(layer),
            lambda unit: self.atlas.picture(f"{layer}:{unit}"),
            other=self.other,
        )

    def network_record(self, *, complete: bool, command: str | None) -> NetworkRecord:
        """The front page."""
        layers = []
        for name in self.atlas.layers:
            layer, planned = self.model.layer(name), len(self.atlas.find(name).units)
            finished, below = len(self.finished_units(name)), self.links.below.get(name, ())
            layers.append(LayerRecord(name, layer.shape, layer.units, planned, finished, below))
        return NetworkRecord(
            name=self.model.name,
            layers=tuple(layers),
            facts=self._facts(),
            command=command,
            complete=complete,
            surveyed=self.survey is not None,
            picture_width=self._shared["run"]["size"][1] if self._shared else None,
        )

    def _similar(self, layer: str, unit: int) -> tuple[UnitLink, ...]:
        """The most similar units: latents by their decoder rows, others by their weights."""
        dictionary = dictionary_of(self.model, layer)
        if not isinstance(dictionary, Dictionary):
            return self.links.similar(layer, unit)
        if layer not in self._decoder_neighbors:
            self._decoder_neighbors[layer] = cosine_neighbors(np.asarray(dictionary.directions), NEIGHBORS)
        return tuple(UnitLink(layer, other, cosine) for other, cosine in self._decoder_neighbors[layer].row(unit))

    def latent_map(self, layer: str) -> LatentMap | None:
        """Where the latents of a layer lie on its map; None for other layers, or too few latents."""
        dictionary = dictionary_of(self.model, layer)
        if not isinstance(dictionary, Dictionary) or len(self.finished_units(layer)) < MIN_MAPPED:
            return None
        return lay_out(np.asarray(dictionary.directions))

    @cached_property
    def links(self) -> StrongestLinks:
        """The strongest links between the units of the atlas's layers."""
        return StrongestLinks(self.model, self.atlas.layers, self.survey)

    def _written(self, series: PlannedSeries) -> set[int]:
        """The units of a planned series that are on disk with a readable outcome."""
        if series.path not in self.atlas.store.group:
            return set()
        return set(np.flatnonzero(self._entries(series).outcomes()).tolist())

    def _entries(self, series: PlannedSeries) -> Entries:
        """The entries of a planned series; kept from its first entry on, with which the number of lanes is known."""
        path = series.path
        if path not in self._opened or "lanes" not in self._opened[path].attributes:
            self._opened[path] = self.atlas.store.entries(path)
        return self._opened[path]

    def _summarize(self, layer: str, unit: int, main: PictureRecord) -> UnitSummary:
        faults = picture_faults(main.pixels, main.outcome, main.history, clean_scores=main.clean_history[:, 1])
        return UnitSummary(unit, self._label(layer, unit), main.score, main.outcome, faults)

    def _label(self, layer: str, unit: int) -> str:
        """The name of the class that a unit of the last layer stands for, or ""."""
        last = self.model.layers[-1]
        return self.model.classes[unit] if layer == last.name and last.units == len(self.model.classes) else ""

    @property
    def _shared(self) -> dict[str, Any]:
        """What the store says of the first series; empty for an atlas without pictures."""
        first = next((series for series in self.atlas.plan if series.path in self.atlas.store.group), None)
        return {} if first is None else self._entries(first).attributes

    def _facts(self) -> dict[str, str]:
        """What the pictures have in common, as label -> value; empty for an atlas without pictures."""
        shared = self._shared
        if not shared:
            return {}
        run, words = shared["run"], shared["recipe_words"]
        network = run["network"]
        return {
            "recipe": "custom" if words is None else " ".join(words).removeprefix("--recipe "),
            "size": " x ".join(map(str, run["size"])) + " px",
            "steps": str(run["steps"]),
            "seed": str(run["seed"]),
            "weights": f"{network['weights'] or 'built in'} ({network['weights_sha256'][:8]})",
            "made with": f"featviz {run['featviz']}, jax {run['versions']['jax']}, {run['device']['kind']}",
        }
