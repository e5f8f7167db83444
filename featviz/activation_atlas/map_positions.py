"""The activations that a map is of: sampled positions of photographs, without tokens of high norm."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from featviz.dictionaries.fitting.activation_store import HELD_OUT, TRAIN
from featviz.dictionaries.fitting.harvest import harvest
from featviz.dictionaries.fitting.position_sampling import Sampling
from featviz.model import Model
from featviz.surveys.photos import Source, Stream

# A token whose norm exceeds this many medians is left out: transformers keep global information in such tokens, which
# say nothing of their place (Darcet et al. 2024, Vision Transformers Need Registers).
HIGH_NORM = 5.0
# A layer has signed activations if more than this share of them is negative.
SIGNED = 0.01


class MapPositions(NamedTuple):
    """Activations at positions of photographs, those of a photograph after each other.

    Args:
      values: of the layer, one row a position.
      photo: the index of each row's photograph, ascending.
      position: the index of each row among the layer's positions, class tokens counted.
      left_out: how many tokens were left out as their norm is above five medians.
      unreadable: how many photographs could not be read.
    """

    values: Float[np.ndarray, "rows units"]
    photo: Int[np.ndarray, " rows"]
    position: Int[np.ndarray, " rows"]
    left_out: int
    unreadable: int

    @property
    def signed(self) -> bool:
        """Whether the activations are of both signs, so that directions are meant from their mean and not from zero."""
        return bool(np.mean(self.values < 0) > SIGNED)

    @property
    def center(self) -> Float[np.ndarray, " units"]:
        """What directions are meant from: the mean of signed activations, zero for rectified ones."""
        mean = self.values.mean(0, dtype=np.float64)
        return (mean if self.signed else np.zeros_like(mean)).astype(np.float32)


def sample_positions(
    model: Model,
    layer: str,
    source: Source,
    folder: Path,
    *,
    per_photo: int,
    seed: int,
    tokens: bool,
    progress: bool,
) -> MapPositions:
    """Positions drawn from each photograph, from the folder's store as far as it has them.

    Args:
      model: the network.
      layer: its name.
      source: the photographs.
      folder: of the store, new or of the same activations.
      per_photo: how many positions of each photograph, or all where it has no more.
      seed: of which.
      tokens: whether the layer's positions are tokens, of which those with high norms are left out.
      progress: whether to show a bar.

    Raises:
      FeatvizError: for a folder of other activations, or photographs of which none can be read.
    """
    photos = source.images if isinstance(source, Stream) else source.path
    sampling = Sampling(per_photo=per_photo, seed=seed)
    store = harvest(model, layer, photos, out=folder, sampling=sampling, progress=progress)
    parts = [(store.read(part, 0, store.rows(part)), *store.where(part)) for part in (TRAIN, HELD_OUT)]
    values, photo, position = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
    stays = ~high_norms(values) if tokens else np.ones(len(values), bool)
    order = np.lexsort((position, photo))
    order = order[stays[order]]
    left_out = len(values) - len(order)
    return MapPositions(values[order], photo[order], position[order], left_out, len(store.faults()))


def high_norms(values: Float[np.ndarray, "rows units"]) -> Bool[np.ndarray, " rows"]:
    """Which rows are more than five times as long as the median.

    >>> high_norms(np.array([[1.0, 0.0], [0.0, 1.0], [3.0, 4.5]])).tolist()
    [False, False, True]
    """
    lengths = np.linalg.norm(values, axis=1)
    return lengths > HIGH_NORM * np.median(lengths)
