"""What a network loses where a dictionary's reconstruction stands in place of its layer's activations."""

import os
from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import numpy as np
from jaxtyping import Array, Float, Int, UInt8

from featviz.common.compilation import compiled
from featviz.dictionaries.dictionary import Dictionary
from featviz.dictionaries.fitting.harvest import BATCH, HELD_OUT_EVERY
from featviz.dictionaries.fitting.position_sampling import Sampling
from featviz.errors import FeatvizError
from featviz.evaluation.recognition import output_program
from featviz.model import OUTPUT, Model
from featviz.model.edit_kinds import ablate
from featviz.model.edits import Edit, Selection
from featviz.model.model import Editable
from featviz.model.shapes import shapes_for
from featviz.surveys.photos import Folder, PhotoInput, Source, Stream, find_photos, read_ahead

# Photographs that are measured at most.
MAX_PHOTOS = 64


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Reconstruct(Edit):
    """h = what a dictionary makes of h."""

    dictionary: Dictionary

    def new(self, h: Float[Array, "n *positions units"]) -> Float[Array, "n *positions units"]:
        return self.dictionary.reconstruct(h)

    def check_values(self, layer: str, shape: Sequence[int]) -> None:
        if self.dictionary.units != shape[-1]:
            raise FeatvizError(f"the dictionary takes {self.dictionary.units} units; {layer} has {shape[-1]}")


class LossRecovered(NamedTuple):
    """How much of what a network says survives the reconstruction.

    Args:
      photos: how many were measured.
      reconstructed: the divergence KL(network || with the reconstruction) of the classes, in nats, a mean over photos.
      ablated: that with zeros in place of the activations.
      changed: the share of photos of which the reconstruction changes the first class.
    """

    photos: int
    reconstructed: float
    ablated: float
    changed: float

    @property
    def recovered(self) -> float:
        """1 - reconstructed / ablated: 1 where the reconstruction changes nothing, 0 where it is as bad as zeros."""
        return 1 - self.reconstructed / self.ablated if self.ablated > 0 else float("nan")

    @property
    def line(self) -> str:
        """In words."""
        return (
            f"loss recovered {self.recovered:.1%} on {self.photos} photos: divergence {self.reconstructed:.4f} with "
            f"the reconstruction, {self.ablated:.4f} with zeros; the first class changes on {self.changed:.1%}"
        )


def measure_loss_recovered(
    model: Model,
    layer: str,
    dictionary: Dictionary,
    images: Iterable[UInt8[np.ndarray, "h w c"]],
    *,
    tokens: Int[np.ndarray, " tokens"] | None = None,
) -> LossRecovered:
    """What a network loses where a dictionary's reconstruction stands in place of a layer.

    The network's own classes are the target, so that no labels are needed.

    Args:
      model: the network, whose output are logits.
      layer: the dictionary's layer.
      dictionary: of the layer.
      images: as the network gets them.
      tokens: where the reconstruction stands in, and zeros, for a layer of tokens; None for all positions. A dictionary
        knows nothing of class tokens that it was not fitted to.

    Raises:
      FeatvizError: if the dictionary is of another width, or the output is no row of logits.
    """
    places = None if tokens is None else tokens[:, None]
    edited = model.edited({layer: Reconstruct(Selection(positions=places), dictionary)})
    ablated = model.edited({layer: ablate(None, positions=None if places is None else places.tolist())})
    count, sums = 0, np.zeros(3)
    waiting: list[np.ndarray] = []

    def measure(batch: list[np.ndarray]) -> np.ndarray:
        pixels = np.zeros((BATCH, *batch[0].shape), np.uint8)
        pixels[: len(batch)] = batch
        logits = [_logits(each, pixels)[: len(batch)] for each in (model, edited, ablated)]
        if logits[0].ndim != 2:
            raise FeatvizError(f"the output of {model.name} has shape {logits[0].shape[1:]}; expected a row of logits")
        before, *after = (log_softmax(np.asarray(each, np.float64)) for each in logits)
        divergences = [np.sum(np.sum(np.exp(before) * (before - own), axis=1)) for own in after]
        return np.array([*divergences, np.sum(before.argmax(axis=1) != after[0].argmax(axis=1))])

    for image in images:
        waiting.append(image)
        count += 1
        if len(waiting) == BATCH:
            sums += measure(waiting)
            waiting = []
    if waiting:
        sums += measure(waiting)
    return LossRecovered(count, *(float(value) / max(count, 1) for value in sums))


def held_out_loss(
    model: Model,
    layer: str,
    dictionary: Dictionary,
    photos: PhotoInput,
    *,
    size: tuple[int, int],
    class_tokens: bool = False,
) -> LossRecovered | None:
    """What a network loses on photographs that were held out, at most `MAX_PHOTOS` of them, evenly spread ones.

    Args:
      model: the network.
      layer: the dictionary's layer.
      dictionary: of the layer.
      photos: all of them.
      size: (height, width) to which they are cropped.
      class_tokens: whether the dictionary was fitted to class tokens and registers; else they stay as they are.

    Returns:
      None where it cannot be measured: images that came once, a network that cannot be edited or has no row of logits.
    """
    held_out = _held_out(photos)
    shapes = shapes_for(model, (OUTPUT, layer), (1, *size, model.input.channels))
    outputs, shape = shapes[OUTPUT], shapes[layer]
    if held_out is None or not isinstance(model.apply, Editable) or len(outputs) != 1 or outputs[0] < 2:
        return None
    with closing(read_ahead(held_out, size, channels=model.input.channels, batch=BATCH)) as reader:
        images = [photo.pixels for batch in reader for photo in batch if photo.pixels is not None]
    tokens = Sampling(class_tokens=class_tokens).candidates(shape, size)
    chosen = tokens if len(shape) == 2 and len(tokens) < shape[0] else None
    return measure_loss_recovered(model, layer, dictionary, images, tokens=chosen) if images else None


def _held_out(photos: PhotoInput) -> Source | None:
    """The held-out photographs of a folder or a list."""
    source = find_photos(photos) if isinstance(photos, str | os.PathLike | Sequence | np.ndarray) else None
    if source is None:
        return None
    images: Any = source.files if isinstance(source, Folder) else source.images
    held_out = range(HELD_OUT_EVERY - 1, len(images), HELD_OUT_EVERY)
    # The first ones of a sorted folder are of a few classes.
    spread = np.linspace(0, len(held_out) - 1, min(len(held_out), MAX_PHOTOS)).round().astype(int)
    chosen = [images[held_out[index]] for index in spread.tolist()]
    return Folder(source.path, tuple(chosen)) if isinstance(source, Folder) else Stream(chosen)


def log_softmax(logits: Float[np.ndarray, "n classes"]) -> Float[np.ndarray, "n classes"]:
    """The logarithms of the classes' probabilities.

    >>> np.exp(log_softmax(np.zeros((1, 2)))).tolist()
    [[0.5, 0.5]]
    """
    shifted = logits - logits.max(axis=1, keepdims=True)
    result: np.ndarray = shifted - np.log(np.sum(np.exp(shifted), axis=1, keepdims=True))
    return result


def _logits(model: Model, images: UInt8[np.ndarray, "n h w c"]) -> np.ndarray:
    args = (model.weights, images)
    return np.asarray(compiled(output_program(model.apply), *args)(*args))
