"""A unit's record as data, `unit.json`: written with its page, and read to see what an existing page shows.

docs/unit-json.md describes every field.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Real

from featviz.ascent.outcome import Outcome
from featviz.atlas.site.unit_survey import crop_href
from featviz.circuits.strongest_links import UnitLink
from featviz.pages import addresses
from featviz.pages.profile_records import ProfileRecord
from featviz.pages.records import (
    NetworkRecord,
    PhotoCrop,
    PictureRecord,
    SurveyRecord,
    UnitRecord,
    UnitSummary,
)
from featviz.pictures.picture_files import plain_json

RECORD_FILE = "unit.json"
# Raised when a field is removed, renamed or changes its meaning; new ones may be added at any time.
SCHEMA = 2

Json = dict[str, object]


def unit_json(network: NetworkRecord, unit: UnitRecord, *, copied: bool) -> bytes:
    """The file's content, strict JSON in UTF-8; `copied` if the crops of photographs are files of the site."""
    record = {
        "schema": SCHEMA,
        "network": network.name,
        "layer": unit.layer,
        "unit": unit.unit,
        "label": unit.label,
        "faults": unit.faults,
        "pictures": [_picture(picture) for picture in unit.pictures],
        "inputs": _links(unit.inputs),
        "outputs": _links(unit.outputs),
        "similar": _links(unit.similar),
        "one_step_inputs": _links(unit.one_step_inputs),
        "one_step_outputs": _links(unit.one_step_outputs),
        "classes": [
            {"index": score.index, "name": score.name, "logit": score.logit, "probability": score.probability}
            for score in unit.classes
        ],
        "survey": None if unit.survey is None else _survey(unit.survey, copied),
        "provenance": unit.provenance,
    }
    return (json.dumps(plain_json(record, "unit")) + "\n").encode()


@dataclass(frozen=True)
class PublishedUnit:
    """A unit whose page the site has: the content addresses of its pictures, and its summary."""

    keys: frozenset[str]
    summary: UnitSummary


def read_published_unit(folder: Path, name: str, unit: int) -> PublishedUnit | None:
    """What a unit's page in the site `folder` shows, or None if there is no page or its record cannot be read.

    `name` is its layer's name in addresses.

    The record is written before the page, so a page that exists shows what its record says.
    """
    required = (addresses.unit_page(name, unit), addresses.main_picture(name, unit))
    try:
        record = json.loads((folder / addresses.unit_folder(name, unit) / RECORD_FILE).read_bytes())
        pictures = record["pictures"]
        keys = frozenset(str(picture["key"]) for picture in pictures)
        score, outcome = float(pictures[0]["score"]), Outcome(pictures[0]["outcome"])
        summary = UnitSummary(unit, record["label"], score, outcome, tuple(record["faults"]))
    # Whatever a power cut left of the file: the page is then made again.
    except (OSError, ValueError, KeyError, TypeError, IndexError):
        return None
    return PublishedUnit(keys, summary) if all((folder / address).is_file() for address in required) else None


def _picture(picture: PictureRecord) -> Json:
    height, width, channels = picture.pixels.shape
    return {
        "role": picture.role.value,
        "index": picture.index,
        "file": addresses.picture_name(picture.role, picture.index),
        "width": width,
        "height": height,
        "channels": channels,
        "score": picture.score,
        "outcome": picture.outcome.value,
        "history": _decimals(picture.history),
        "clean_history": [[int(step), *_decimals(scores)] for step, *scores in picture.clean_history],
        "seed": picture.seed,
        "key": picture.key,
        "command": picture.command,
        "share": picture.share,
        "of_photos": picture.of_photos,
        "begun_at": picture.begun_at,
    }


def _links(links: Sequence[UnitLink]) -> list[Json]:
    return [
        {
            "layer": other.layer,
            "unit": other.unit,
            "strength": other.strength,
            "map": None if other.map is None else other.map.astype(np.float64).round(3).tolist(),
        }
        for other in links
    ]


def _survey(survey: SurveyRecord, copied: bool) -> Json:
    return {
        "count": survey.count,
        "mean": survey.mean,
        "std": survey.std,
        "active_fraction": survey.active_fraction,
        "edges": _decimals(survey.edges),
        "counts": [int(value) for value in survey.counts],
        "picture_activation": survey.picture_activation,
        "trusted": survey.trusted,
        "verdict": survey.verdict,
        "figures": [
            {
                "name": figure.name,
                "value": figure.value,
                "comparison": figure.comparison,
                "meaning": figure.meaning,
            }
            for figure in survey.figures
        ],
        "examples": [_example(crop, index, copied) for index, crop in enumerate(survey.examples)],
        "profile": None if survey.profile is None else _profile(survey.profile),
    }


def _profile(profile: ProfileRecord) -> Json:
    return {
        "position_density": profile.position_density,
        "position_photos": profile.position_photos,
        "active_mean": profile.active_mean,
        "monosemanticity": profile.monosemanticity,
        "mean_similarity": profile.mean_similarity,
        "fired_on": [
            {"photo": fired.crop.photo, "activation": fired.crop.activation, "heat": fired.heat.tolist()}
            for fired in profile.fired_on
        ],
        "co_active": _links(profile.co_active),
        "classes": [{"name": name, "count": count} for name, count in profile.classes],
        "class_photos": profile.class_photos,
        "class_entropy": profile.class_entropy,
        "class_source": profile.class_source,
        "held": [
            {
                "value": held.value,
                "photos": held.photos,
                "held_out": held.held_out,
                "flips": held.flips,
                "held_out_flips": held.held_out_flips,
                "agreement": held.agreement,
                "outputs": [
                    {
                        "index": output.index,
                        "name": output.name,
                        "change": output.change,
                        "held_out_change": output.held_out_change,
                    }
                    for output in held.outputs
                ],
            }
            for held in profile.held
        ],
    }


def _example(crop: PhotoCrop, index: int, copied: bool) -> Json:
    return {
        "percentile": crop.percentile,
        "activation": crop.activation,
        "photo": crop.photo,
        "file": addresses.crop_name(index) if copied else None,
        # A site that has the photographs may be published, and does not reveal the folder they came from.
        "href": None if copied else crop_href(crop),
        "photo_size": crop.photo_size,
        "box": crop.box,
    }


def _decimals(values: Real[np.ndarray, " n"]) -> list[float]:
    """The shortest decimals that give the same float32 again."""
    return [float(text) for text in np.asarray(values, np.float32).astype(str)]
