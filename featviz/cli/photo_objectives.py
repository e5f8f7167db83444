"""Objectives with photographs in them, of --exemplars and --references, and the photographs at which facets begin."""

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from featviz.errors import FeatvizError

if TYPE_CHECKING:
    import numpy as np
    from jaxtyping import Float

    from featviz.model import Model
    from featviz.objectives import Objective
    from featviz.recipes import Recipe
    from featviz.surveys.survey import Survey

Channels = list[tuple[str, int]]


class PhotoObjectives(NamedTuple):
    """What pictures maximize, and the photographs that they begin at; `starts` is None where they begin from noise."""

    objectives: list["Objective"]
    starts: "list[Float[np.ndarray, 'h w c']] | None"


def match_exemplars(
    objectives: list["Objective"],
    folder: Path,
    model: "Model",
    recipe: "Recipe",
    size: int | tuple[int, int] | None,
    *,
    facets: int,
) -> PhotoObjectives:
    """The objectives of channels, each as a direction of the unit and its best photographs, or of clusters of these.

    Args:
      objectives: of channels.
      folder: of the survey.
      model: the network.
      recipe: of the pictures; with one that draws from noise no facet begins at a photograph.
      size: of the pictures, None for the recipe's.
      facets: how many pictures of each channel; of several each has a cluster.

    Raises:
      FeatvizError: for an objective that is no channel, or more facets than photographs.
    """
    from featviz.surveys.survey import open_survey

    survey = open_survey(folder, model)
    channels: Channels = []
    for objective in objectives:
        term, unit = objective.terms[0], objective.terms[0].channel_index
        # Only what the command line can write: neither a negative, nor a channel of the image or the output.
        if unit is None or objective.target != term.target:
            raise FeatvizError(f"--exemplars: `{objective.label}` is not a channel; expected one such as 103 or 0-15")
        channels.append((term.layers[0], unit))
    if facets == 1:
        return PhotoObjectives(_directions(survey, channels), None)
    return _facets(survey, channels, model, recipe, size, count=facets)


def match_references(objectives: list["Objective"], folder: Path, model: "Model") -> list["Objective"]:
    """The objectives of channels and classes, each as the statistics of a survey's or a folder's photographs."""
    from featviz.surveys.survey import open_survey
    from featviz.surveys.survey_store import is_survey
    from featviz.surveys.vital import vital

    references = open_survey(folder, model) if is_survey(folder) else folder
    return [vital(model, objective, references) for objective in objectives]


def _directions(survey: "Survey", channels: Channels) -> "list[Objective]":
    from featviz.surveys.exemplars import exemplars

    directions: dict[tuple[str, int], Objective] = {}
    for layer, units in _by_layer(channels).items():
        directions |= zip(((layer, unit) for unit in units), exemplars(survey, layer, units), strict=True)
    return [directions[channel] for channel in channels]


def _facets(
    survey: "Survey",
    channels: Channels,
    model: "Model",
    recipe: "Recipe",
    size: int | tuple[int, int] | None,
    *,
    count: int,
) -> PhotoObjectives:
    from featviz.atlas.facet_objectives import UnitFacets, unit_facets
    from featviz.recipes import default_size
    from featviz.surveys.facet_clusters import photos_of_facets
    from featviz.surveys.facet_starts import can_start, start_image

    layers = _by_layer(channels)
    size = size or default_size(model, recipe, tuple(layers))
    size = size if isinstance(size, tuple) else (size, size)
    found: dict[tuple[str, int], UnitFacets] = {}
    for layer, units in layers.items():
        photos_of_facets(survey, layer, units, count)  # refuses units that too few photographs excite
        made = unit_facets(survey, layer, units, count, size=size)
        found |= {(layer, unit): facets for unit, facets in made.items()}
    objectives, starts = [found[channel].objective for channel in channels], None
    if can_start(recipe):
        crops = [crop for channel in channels for crop in found[channel].crops]
        starts = [start_image(survey, crop, size) for crop in crops]
    return PhotoObjectives(objectives, starts)


def _by_layer(channels: Channels) -> dict[str, list[int]]:
    """The units of each layer: its statistics, and each photograph, are looked at once for all of them."""
    layers: dict[str, list[int]] = {}
    for layer, unit in dict.fromkeys(channels):
        layers.setdefault(layer, []).append(unit)
    return layers
