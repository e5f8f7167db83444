"""Where a unit's facets begin: the photograph in the middle of each cluster, around the unit's largest activation."""

import numpy as np
from jaxtyping import Float

from featviz.common.arguments import as_int, check_count
from featviz.common.bands import resize_bands
from featviz.surveys.facet_clusters import cluster_photos, other_units, photos_of_facets
from featviz.surveys.receptive_fields import box_around
from featviz.surveys.survey import Survey


def facet_starts(
    survey: Survey, layer: str, unit: int, *, count: int = 4, size: int = 128
) -> list[Float[np.ndarray, "h w c"]]:
    """A photograph for each of a unit's `count` facets, to begin its picture with: `start` of `render_group`.

    It is the one whose activations have the largest cosine with the sum of those of its cluster, among the other units
    of the layer, cut at `size` px around the unit's largest activation, and enlarged where it is smaller. Some 32
    steps from there put the facet into the photograph: the picture is of the photograph as much as of the unit, so say
    that where you show it. On GoogLeNet such pictures tell more about other photographs than facets from noise
    (docs/natural.md).

    Args:
      survey: of photographs, that has the layer.
      layer: the name of the layer.
      unit: the index of the unit, from 0.
      count: how many facets, as in `facets`.
      size: pixels a side.

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
    side = check_count("size", size, 8, 4096)
    index, count = int(as_int("unit", unit)), check_count("count", count, 1, 1024)
    photos = photos_of_facets(survey, layer, [index], count)
    ((_, found),) = cluster_photos(survey, layer, photos, count)
    rows = other_units(found.standard, index)
    grid, positions = survey.grid(layer), survey.positions(layer, units=index)
    images = []
    for group in range(count):
        members = np.flatnonzero(found.labels == group)
        middle = members[np.argmax(rows[members] @ rows[members].sum(0))]
        photo = int(found.photos[middle])
        left, top, right, bottom = box_around(positions[photo], grid, side, survey.size)
        crop = survey.photo(photo)[top:bottom, left:right]
        crop = crop if crop.shape[:2] == (side, side) else resize_bands(crop, (side, side))
        images.append(crop.astype(np.float32) / np.float32(255))
    return images
