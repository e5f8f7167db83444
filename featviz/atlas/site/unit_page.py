"""A unit's page: readable without scripts, and linked to its neighbors and to the units it is connected to."""

import json
import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Real

from featviz.atlas.site.unit_pictures import fault_lines, main_facts, main_picture, picture_groups
from featviz.atlas.site.unit_profile_content import profile_content
from featviz.atlas.site.unit_survey import survey_content
from featviz.circuits.strongest_links import UnitLink
from featviz.evaluation.class_scores import ClassScore
from featviz.pages.addresses import INDEX, PageLink, layer_page, link, unit_page
from featviz.pages.charts import score_chart
from featviz.pages.formatting import format_percent
from featviz.pages.map_images import MapImage, map_image
from featviz.pages.page_images import UnitThumbnail, unit_thumbnail
from featviz.pages.records import NetworkRecord, PictureRecord, Role, UnitRecord
from featviz.pages.site_files import FileExists
from featviz.pages.templating import render_page
from featviz.pictures.picture_files import plain_json

PACKAGE = "featviz.atlas.site"
SIMILAR_UNITS = "Units of this layer with the most similar weights."
SIMILAR_LATENTS = "Latents whose decoder rows point in the most similar directions."


class LinkedUnit(NamedTuple):
    """A connected unit's picture, the connection's strength and weights, and its layer if that is another one."""

    thumbnail: UnitThumbnail
    strength: float
    other_layer: str | None
    map: MapImage | None


class LinkGroup(NamedTuple):
    """A section of connected units; `one_step` are those by a single set of weights."""

    id: str
    title: str
    note: str
    units: tuple[LinkedUnit, ...]
    one_step: tuple[LinkedUnit, ...] = ()


class ClassRow(NamedTuple):
    """A row of the table of classes; `bar_percent` is the width of the probability's bar."""

    class_index: int
    name: str
    bar_percent: float
    probability: str
    logit: float


def render_unit(
    network: NetworkRecord,
    unit: UnitRecord,
    *,
    neighbors: tuple[int | None, int | None],
    file_exists: FileExists,
    copied: bool,
) -> bytes:
    """The page's HTML.

    Args:
      network: the unit's network.
      unit: what the page shows.
      neighbors: the units before and after this one, or None.
      file_exists: whether the site has a file; only pictures that exist are shown and linked.
      copied: whether photographs are files of the site; otherwise they are linked.
    """
    name = network.address_name(unit.layer)
    address = unit_page(name, unit.unit)
    main = unit.pictures[0]
    curves = [_curve(picture) for picture in (main, *(p for p in unit.pictures if p.role is Role.SEED))]
    before, after = (
        None if other is None else PageLink(str(other), link(unit_page(name, other), address)) for other in neighbors
    )
    profile = unit.survey.profile if unit.survey else None
    content = {
        "network": network,
        "unit": unit,
        "index_href": link(INDEX, address),
        "layer_href": f"{link(layer_page(name), address)}#unit={unit.unit}",
        "before": before,
        "after": after,
        "main": main_picture(unit),
        "faults": fault_lines(unit),
        "facts": main_facts(network, unit),
        "scores": score_chart([scores for _, scores in curves], steps=[steps for steps, _ in curves]),
        "groups": picture_groups(unit),
        "survey": survey_content(unit.survey, copied=copied, latent=unit.latent) if unit.survey else None,
        "profile": profile_content(profile, copied=copied) if profile else None,
        "survey_command": f"{network.command or 'featviz atlas MODEL -o ATLAS'} --survey FOLDER",
        "links": _link_groups(network, unit, address, file_exists),
        "classes": [_class_row(score) for score in unit.classes],
        "command": main.command,
        "provenance": json.dumps(plain_json(unit.provenance), indent=1, ensure_ascii=False)
        if unit.provenance
        else None,
    }
    return render_page(PACKAGE, "unit.html", address=address, content=content)


def _curve(picture: PictureRecord) -> tuple[Real[np.ndarray, " points"], Float[np.ndarray, " points"]]:
    """Steps and scores: of the picture itself where they are known, else of the views of each step."""
    if len(picture.clean_history):
        return picture.clean_history[:, 0], picture.clean_history[:, 1]
    return np.arange(1, len(picture.history) + 1), picture.history


def _link_groups(network: NetworkRecord, unit: UnitRecord, address: str, file_exists: FileExists) -> list[LinkGroup]:
    def linked(links: Sequence[UnitLink]) -> tuple[LinkedUnit, ...]:
        return tuple(
            LinkedUnit(
                unit_thumbnail(network, other.layer, other.unit, address=address, file_exists=file_exists),
                other.strength,
                None if other.layer == unit.layer else other.layer,
                None if other.map is None else map_image(other.map),
            )
            for other in links
        )

    groups = [
        LinkGroup(
            "inputs",
            "Strongest inputs",
            "Units of earlier layers with the largest weights into this unit. The numbers are weights relative to the "
            "largest; the maps show them place by place, red where the unit is excited and blue where it is inhibited.",
            linked(unit.inputs),
            linked(unit.one_step_inputs),
        ),
        LinkGroup(
            "outputs",
            "Strongest outputs",
            "Units of later layers into which this unit has the largest weights.",
            linked(unit.outputs),
            linked(unit.one_step_outputs),
        ),
        LinkGroup(
            "similar",
            "Similar units",
            f"{SIMILAR_LATENTS if unit.latent else SIMILAR_UNITS} The numbers are cosine similarities.",
            linked(unit.similar),
        ),
        LinkGroup(
            "co-active",
            "Fire together",
            "Units of this layer that fire on the same photographs. The numbers are Jaccard indices: photographs on "
            "which both fire, divided by those on which either does.",
            linked(unit.survey.profile.co_active if unit.survey and unit.survey.profile else ()),
        ),
    ]
    return [group for group in groups if group.units]


def _class_row(score: ClassScore) -> ClassRow:
    width = 0.0 if math.isnan(score.probability) else 100 * min(max(score.probability, 0.0), 1.0)
    name = score.name or f"class {score.index}"
    return ClassRow(score.index, name, width, format_percent(score.probability), score.logit)
