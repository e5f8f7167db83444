"""A unit's record as data, `unit.json`; docs/unit-json.md describes every field."""

import json
from collections.abc import Sequence
from typing import Any

import numpy as np

from featviz.atlas.site.unit_photos import crop_href
from featviz.circuits.strongest_links import UnitLink
from featviz.pages.addresses import crop_name, picture_name
from featviz.pages.records import NetworkRecord, PhotoCrop, PictureRecord, SurveyRecord, UnitRecord
from featviz.pictures.picture import plain_json

# Raised when a field changes its meaning or goes; new ones may come at any time.
SCHEMA = 2


def unit_json(network: NetworkRecord, unit: UnitRecord, *, copied: bool) -> bytes:
    """The file's bytes: strict JSON in UTF-8."""
    seen = unit.survey
    record = {
        "schema": SCHEMA,
        "network": network.name,
        "layer": unit.layer,
        "unit": unit.unit,
        "label": unit.label,
        "faults": unit.faults,
        "pictures": [_picture(shown) for shown in unit.pictures],
        "inputs": _links(unit.inputs),
        "outputs": _links(unit.outputs),
        "similar": _links(unit.similar),
        "classes": [
            {"index": one.index, "name": one.name, "logit": one.logit, "probability": one.probability}
            for one in unit.classes
        ],
        "survey": None if seen is None else _photographs(seen, copied),
        "provenance": unit.provenance,
    }
    return (json.dumps(plain_json(record, "unit")) + "\n").encode()


def _picture(shown: PictureRecord) -> dict[str, Any]:
    height, width, channels = shown.pixels.shape
    return {
        "role": shown.role.value,
        "index": shown.index,
        "file": picture_name(shown.role, shown.index),
        "width": width,
        "height": height,
        "channels": channels,
        "score": shown.score,
        "outcome": shown.outcome.value,
        "history": _decimals(shown.history),
        "seed": shown.seed,
        "key": shown.key,
        "command": shown.command,
    }


def _links(links: Sequence[UnitLink]) -> list[dict[str, Any]]:
    return [{"layer": tie.layer, "unit": tie.unit, "strength": tie.strength} for tie in links]


def _photographs(seen: SurveyRecord, copied: bool) -> dict[str, Any]:
    return {
        "count": seen.count,
        "mean": seen.mean,
        "std": seen.std,
        "active_fraction": seen.active_fraction,
        "edges": _decimals(seen.edges),
        "counts": [int(value) for value in seen.counts],
        "picture_activation": seen.picture_activation,
        "trusted": seen.trusted,
        "verdict": seen.verdict,
        "figures": [
            {"name": one.name, "value": one.value, "comparison": one.comparison, "meaning": one.meaning}
            for one in seen.figures
        ],
        "examples": [_crop(crop, number, copied) for number, crop in enumerate(seen.examples)],
    }


def _crop(crop: PhotoCrop, number: int, copied: bool) -> dict[str, Any]:
    return {
        "percentile": crop.percentile,
        "activation": crop.activation,
        "photo": crop.photo,
        "file": crop_name(number) if copied else None,
        # A copied photograph may go where its own folder's name is nobody's business.
        "href": None if copied else crop_href(crop),
        "photo_size": crop.photo_size,
        "box": crop.box,
    }


def _decimals(values: np.ndarray) -> list[float]:
    """The shortest decimals that give the same float32 again."""
    return [float(text) for text in np.asarray(values, np.float32).astype(str)]
