"""Where units fire: maps of their activations on the photographs of their largest, and the share of positions."""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, UInt8

from featviz.common.compilation import compiled
from featviz.common.kept import kept_with_owner
from featviz.common.progress import progress_bar
from featviz.model import Apply, Weights
from featviz.surveys.receptive_fields import Grid, by_position
from featviz.surveys.reduction import BATCH
from featviz.surveys.survey import Survey

# Photographs over which the share of positions is measured.
SAMPLE = 256


class FiringMaps(NamedTuple):
    """Where the units of a layer fire.

    Attributes:
      grid: the layer's positions.
      photos: how many photographs the share of positions is of.
      density: the share of positions at which each unit is above 0.
      maps: (unit, photograph's index) -> the activation at each position, 255 where it is largest and 0 where it is at
        most 0.
    """

    grid: Grid
    photos: int
    density: Float[np.ndarray, " units"]
    maps: Mapping[tuple[int, int], UInt8[np.ndarray, "rows columns"]]


def firing_maps(
    survey: Survey, layer: str, wanted: Mapping[int, Sequence[int]], *, progress: bool = False
) -> FiringMaps:
    """Runs the network over photographs once, for the maps of many units.

    Args:
      survey: of the network.
      layer: a surveyed layer.
      wanted: a photograph's index -> the units whose maps on it are wanted.
      progress: whether a progress bar is shown.

    Raises:
      FeatvizError: for an unknown layer, or photographs that are no longer there.

    >>> import featviz as fv, tempfile
    >>> photos = np.random.default_rng(0).random((4, 64, 64, 3))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     survey = fv.survey(fv.load("patterns"), photos, out=f"{folder}/s", layers=["conv1"], progress=False)
    ...     found = firing_maps(survey, "conv1", {2: [5, 7]})
    >>> found.maps[7, 2].shape, found.photos, len(found.density)
    ((32, 32), 4, 20)
    """
    grid, units = survey.grid(layer), survey.layer(layer).units
    sample = set(evenly(np.flatnonzero(survey.readable), SAMPLE).tolist())
    indices = sorted(sample | set(wanted))
    fires, maps = np.zeros(units), {}
    model = survey.model
    with progress_bar(None, total=len(indices), unit="photo", shown=progress) as bar:
        for start in range(0, len(indices), BATCH):
            group = indices[start : start + BATCH]
            images = np.zeros((BATCH, *survey.size, model.input.channels), np.uint8)
            for row, index in enumerate(group):
                images[row] = survey.photo(index)
            # One width for all batches but those of photographs that many units want.
            width = max((len(wanted.get(index, ())) for index in group), default=0)
            width = 1 << max(width - 1, 31).bit_length()
            chosen = np.zeros((BATCH, min(width, units)), np.int32)
            for row, index in enumerate(group):
                of_photo = wanted.get(index, ())
                chosen[row, : len(of_photo)] = of_photo
            program = compiled(_firing(model.apply, layer), model.weights, images, chosen)
            shares, found = (np.asarray(values) for values in program(model.weights, images, chosen))
            fires += shares[[row for row, index in enumerate(group) if index in sample]].sum(axis=0)
            for row, index in enumerate(group):
                for column, unit in enumerate(wanted.get(index, ())):
                    maps[unit, index] = found[row, :, column].reshape(grid.rows, grid.columns)
            bar.update(len(group))
    return FiringMaps(grid, len(sample), fires / max(len(sample), 1), maps)


def evenly(indices: Int[np.ndarray, " n"], count: int) -> Int[np.ndarray, " chosen"]:
    """At most `count` of the indices, evenly spread: the first ones of a sorted folder are of a few classes.

    >>> evenly(np.arange(10), 4).tolist()
    [0, 3, 6, 9]
    """
    if len(indices) <= count:
        return indices
    return indices[np.linspace(0, len(indices) - 1, count).round().astype(int)]


@kept_with_owner(maxsize=8)
def _firing(apply: Apply, layer: str) -> Callable[..., tuple[Array, Array]]:
    @jax.jit
    def program(weights: Weights, images: jax.Array, chosen: jax.Array) -> tuple[Array, Array]:
        activation = apply(weights, images.astype(jnp.float32) / jnp.float32(255), layers=[layer])[layer]
        values = by_position(activation, (images.shape[1], images.shape[2])).astype(jnp.float32)
        own = jnp.maximum(jnp.take_along_axis(values, chosen[:, None], axis=-1), 0)
        largest = own.max(axis=1, keepdims=True)
        scaled = jnp.round(255 * own / jnp.where(largest > 0, largest, 1)).astype(jnp.uint8)
        return (values > 0).mean(axis=1), scaled

    return program
