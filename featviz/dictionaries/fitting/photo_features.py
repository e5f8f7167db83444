"""A layer's activations as one row a photograph: the mean over its positions."""

from contextlib import closing

import numpy as np
from jaxtyping import Float

from featviz.dictionaries.fitting.harvest import BATCH, sampled_activations
from featviz.dictionaries.fitting.position_sampling import Sampling
from featviz.errors import FeatvizError
from featviz.model import Model
from featviz.model.shapes import shapes_at
from featviz.surveys.photos import PhotoInput, find_photos, read_ahead


def photo_features(
    model: Model,
    layer: str,
    photos: PhotoInput,
    size: tuple[int, int],
    sampling: Sampling,
    *,
    min_photos: int,
    name: str,
) -> Float[np.ndarray, "photos units"]:
    """The mean of a layer over the positions of each photograph; unreadable ones are skipped.

    Args:
      model: the network.
      layer: its name.
      photos: a folder, or an iterable of paths, PIL images or arrays.
      size: (height, width).
      sampling: which positions.
      min_photos: how many photographs there must be.
      name: of the argument, for errors.

    Raises:
      FeatvizError: if fewer photographs can be read.
    """
    candidates = sampling.candidates(shapes_at(model, (layer,), size)[layer], size)
    source = find_photos(photos)
    rows: list[np.ndarray] = []
    with closing(read_ahead(source, size, channels=model.input.channels, batch=BATCH)) as reader:
        for batch in reader:
            drawn = np.broadcast_to(candidates, (BATCH, len(candidates)))
            values = sampled_activations(model, batch, layer, size, drawn).mean(axis=1)
            rows += [own for own, photo in zip(values, batch, strict=False) if photo.pixels is not None]
    if len(rows) < min_photos:
        raise FeatvizError(f"`{name}` has {len(rows)} images that can be read; expected {min_photos} or more")
    return np.stack(rows)
