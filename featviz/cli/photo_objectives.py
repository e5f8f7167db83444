"""Objectives with a unit's best photographs in them, of --exemplars, and the photographs at which facets begin."""

from pathlib import Path
from typing import TYPE_CHECKING

from featviz.errors import FeatvizError

if TYPE_CHECKING:
    import numpy as np
    from jaxtyping import Float

    from featviz.model import Model
    from featviz.objectives import Objective
    from featviz.recipes import Recipe


def add_exemplars(objectives: list["Objective"], folder: Path, model: "Model", *, facets: int) -> list["Objective"]:
    """The objectives of channels, each as a direction of the unit and its best photographs, or of clusters of these."""
    from featviz.surveys.exemplars import exemplars
    from featviz.surveys.survey import open_survey
    from featviz.surveys.unit_facets import facets as clusters

    survey = open_survey(folder, model)
    channels: list[tuple[str, int]] = []
    for objective in objectives:
        term, unit = objective.terms[0], objective.terms[0].channel_index
        # Only what the command line can write: neither a negative, nor a channel of the image or the output.
        if unit is None or objective.target != term.target:
            raise FeatvizError(f"--exemplars: `{objective.label}` is not a channel; expected one such as 103 or 0-15")
        channels.append((term.layers[0], unit))
    if facets > 1:
        return [clusters(survey, layer, unit, count=facets) for layer, unit in channels]
    directions: dict[tuple[str, int], Objective] = {}
    # All units of a layer at once: its statistics are measured once.
    for layer in dict.fromkeys(layer for layer, _ in channels):
        units = [unit for name, unit in channels if name == layer]
        directions |= zip(((layer, unit) for unit in units), exemplars(survey, layer, units), strict=True)
    return [directions[channel] for channel in channels]


def read_facet_starts(
    objectives: list["Objective"],
    folder: Path,
    model: "Model",
    recipe: "Recipe",
    size: int | tuple[int, int] | None,
    *,
    facets: int,
) -> "list[Float[np.ndarray, 'h w c']] | None":
    """The photographs at which the facets of `add_exemplars` begin; None for a recipe that draws from noise."""
    from featviz.recipes import default_size
    from featviz.surveys.facet_starts import can_start, facet_starts
    from featviz.surveys.survey import open_survey

    if not can_start(recipe):
        return None
    survey = open_survey(folder, model)
    units = [(objective.layers[0], int(objective.terms[0].unit)) for objective in objectives]  # type: ignore[attr-defined]
    size = size or default_size(model, recipe, tuple(dict.fromkeys(layer for layer, _ in units)))
    return [image for layer, unit in units for image in facet_starts(survey, layer, unit, count=facets, size=size)]
