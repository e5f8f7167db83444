"""Where a unit's facets begin: a typical photograph of each cluster that excites the unit much, around the unit."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, UInt8

from featviz.common.arguments import as_int, check_count
from featviz.common.bands import resize_bands
from featviz.recipes import Recipe
from featviz.surveys.facet_clusters import UnitClusters, cluster_photos, other_units, photos_of_facets
from featviz.surveys.receptive_fields import Box, box_around
from featviz.surveys.survey import Survey

# The share of a recipe's steps that facets take from a photograph: they have a picture already.
STARTED_SHARE = 0.25


class StartCrop(NamedTuple):
    """Where a facet begins: the index of a photograph in the survey, and the box that is cut out of it."""

    photo: int
    box: Box


def facet_starts(
    survey: Survey, layer: str, unit: int, *, count: int = 4, size: int | tuple[int, int] = 128
) -> list[Float[np.ndarray, "h w c"]]:
    """A photograph for each of a unit's `count` facets, to begin its picture with: `start` of `render_group`.

    It is the one with the largest product z max(0, r s): z is the unit's activation in standard deviations from its
    mean, r the other units' activations there, of length 1, and s the sum of r over the cluster. It is cut at `size` px
    around the unit's largest activation, and enlarged where it is smaller. Some 32 steps from there put the facet into
    the photograph: the picture is of the photograph as much as of the unit, so say that where you show it. On GoogLeNet
    such pictures tell more about other photographs than facets from noise (docs/natural.md).

    Args:
      survey: of photographs, that has the layer.
      layer: the name of the layer.
      unit: the index of the unit, from 0.
      count: how many facets, as in `facets`.
      size: pixels a side, or (height, width).

    Returns:
      images in [0, 1], in the order of the facets.

    Raises:
      FeatvizError: for an unknown layer or unit, or more facets than photographs.

    References:
      Nguyen, Yosinski and Clune 2016, Multifaceted Feature Visualization: each facet begins at the mean of a cluster.

    >>> import featviz as fv, tempfile
    >>> photos = np.random.default_rng(0).random((24, 64, 64, 3))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     survey = fv.survey(fv.load("patterns"), photos, out=f"{folder}/s", layers=["conv2"], progress=False)
    ...     [image.shape for image in facet_starts(survey, "conv2", 3, count=2, size=32)]
    [(32, 32, 3), (32, 32, 3)]
    """
    tall, wide = (check_count("size", side, 8, 4096) for side in (size if isinstance(size, tuple) else (size, size)))
    index, count = int(as_int("unit", unit)), check_count("count", count, 1, 1024)
    photos = photos_of_facets(survey, layer, [index], count)
    ((_, found),) = cluster_photos(survey, layer, photos, count)
    crops = start_crops(survey, layer, index, found, count=count, size=(tall, wide))
    return [start_image(survey, crop, (tall, wide)) for crop in crops]


def start_crops(
    survey: Survey, layer: str, unit: int, found: UnitClusters, *, count: int, size: tuple[int, int]
) -> tuple[StartCrop, ...]:
    """Where the facets of a unit begin that are of the clusters `found`, for pictures of `size` (height, width)."""
    rows, tall, wide = other_units(found.standard, unit), *size
    grid, positions = survey.grid(layer), survey.positions(layer, units=unit)
    crops = []
    for group in range(count):
        members = np.flatnonzero(found.labels == group)
        typical = np.maximum(rows[members] @ rows[members].sum(0), 0)
        photo = int(found.photos[members[np.argmax(typical * np.maximum(found.standard[members, unit], 0))]])
        left, _, right, _ = box_around(positions[photo], grid, wide, survey.size)
        _, top, _, bottom = box_around(positions[photo], grid, tall, survey.size)
        crops.append(StartCrop(photo, (left, top, right, bottom)))
    return tuple(crops)


def read_start(survey: Survey, crop: StartCrop, size: tuple[int, int]) -> UInt8[np.ndarray, "h w c"]:
    """The image at which a facet begins, enlarged to `size` (height, width) where the photograph is smaller."""
    left, top, right, bottom = crop.box
    image = survey.photo(crop.photo)[top:bottom, left:right]
    return image.copy() if image.shape[:2] == size else resize_bands(image, size)


def start_image(survey: Survey, crop: StartCrop, size: tuple[int, int]) -> Float[np.ndarray, "h w c"]:
    """The image of `read_start` as float32 in [0, 1], as pictures begin at it."""
    return read_start(survey, crop, size).astype(np.float32) / np.float32(255)


def can_start(recipe: Recipe) -> bool:
    """Whether pictures of a recipe can begin at a photograph: a prior that draws from noise would lose it.

    >>> import featviz as fv
    >>> can_start(fv.recipes.default), can_start(fv.recipes.guided)
    (True, False)
    """
    return recipe.prior is None or not recipe.prior.from_noise


def started_steps(steps: int) -> int:
    """The steps of facets that begin at photographs, of a recipe's or those asked for.

    >>> started_steps(128), started_steps(2)
    (32, 1)
    """
    return max(1, round(STARTED_SHARE * steps))
