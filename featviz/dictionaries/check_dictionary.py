"""Whether a dictionary fits a layer of a network: what it reconstructs of the layer's activations on photographs."""

from dataclasses import dataclass, replace
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from featviz.common.compilation import compiled
from featviz.dictionaries.dictionary import Dictionary
from featviz.dictionaries.fitting.fit_report import BATCH, FitReport, measure_fit
from featviz.dictionaries.kinds import ConceptVectors
from featviz.dictionaries.normalizations import ConstantNorm, Identity, LayerNorm, Normalization, Standardized
from featviz.errors import FeatvizError
from featviz.model import Apply, Model, Weights, require_model
from featviz.surveys.photos import PhotoInput, read_ahead, some_photos

# Photographs that are used, evenly spread ones of a larger folder, and images of one call.
MAX_PHOTOS, IMAGES = 32, 4
# Below LOW other normalizations are tried, of which one that explains so much more is named. Below LITTLE a dictionary
# is taken for one of another layer: one of a layer's neighbor explains a few hundredths.
LOW, LITTLE, MUCH_MORE = 0.5, 0.2, 0.1


@dataclass(frozen=True)
class DictionaryCheck:
    """What a dictionary makes of a layer's activations.

    Attributes:
      report: explained variance, L0, dead latents.
      faults: what is wrong, each on one line; none where the dictionary fits, nor for concept vectors, which are not
        fitted to reconstruct.
    """

    report: FitReport
    faults: tuple[str, ...]


def check_dictionary(
    model: Model, layer: str, dictionary: Dictionary, photos: PhotoInput, *, size: tuple[int, int] | None = None
) -> DictionaryCheck:
    """Measures how well a dictionary reconstructs a layer's activations on the user's own photographs.

    An explained variance below 0 is worse than the mean activation: the layer is another one, or its activations are
    normalized in another way than those that the dictionary was fitted on. Other normalizations are then tried.

    Args:
      model: the network.
      layer: the name of the layer.
      dictionary: the dictionary.
      photos: a folder, or an iterable of paths, PIL images or arrays; 32 are used.
      size: of the images, by default that of the network's training.

    Raises:
      FeatvizError: for an unknown layer, one of another width, or photos of which none can be read.
    """
    units = require_model(model).layer(layer).units
    if units != dictionary.units:
        raise FeatvizError(f"the dictionary takes {dictionary.units} units; {layer} of {model.name} has {units}")
    rows = layer_activations(model, layer, photos, size=size)
    report = _measure(dictionary, rows)
    if isinstance(dictionary.code, ConceptVectors):
        # Fitted to labels: it was never meant to reconstruct.
        return DictionaryCheck(report, ())
    best = max(_others(dictionary, rows), key=lambda each: each[1]) if report.explained_variance < LOW else None
    faults = []
    if report.explained_variance < LITTLE:
        found = "is below 0, worse than" if report.explained_variance < 0 else "is hardly better than"
        said = dictionary.record.layer
        other = f" (its file says {said})" if said and said != layer else ""
        faults.append(
            f"explained variance {report.explained_variance:.3g} {found} the mean activation: {layer} is not the layer "
            f"that it was fitted on{other}, or activations are normalized in another way"
        )
    if best is not None and best[1] > max(report.explained_variance, 0) + MUCH_MORE:
        faults.append(f"with the normalization {best[0]} the explained variance is {best[1]:.3f}")
    return DictionaryCheck(report, tuple(faults))


def layer_activations(
    model: Model, layer: str, photos: PhotoInput, *, size: tuple[int, int] | None = None
) -> Float[np.ndarray, "positions units"]:
    """A layer's activations at all positions of at most 32 photographs.

    Args:
      model: the network.
      layer: the name of the layer.
      photos: a folder, or an iterable of images.
      size: of the images, by default that of the network's training.

    Raises:
      FeatvizError: if no photo can be read.
    """
    source = some_photos(photos, MAX_PHOTOS)
    rows = []
    for batch in read_ahead(source, size or model.input.size, channels=model.input.channels, batch=IMAGES):
        pixels = [photo.pixels for photo in batch if photo.pixels is not None]
        if pixels:
            # The last batch is filled, so that one program is compiled.
            images = np.stack([*pixels, *[pixels[-1]] * (IMAGES - len(pixels))]).astype(np.float32) / np.float32(255)
            program = compiled(_activations, model.weights, images, owner=model.apply, apply=model.apply, layer=layer)
            found = np.asarray(program(model.weights, images), np.float32)[: len(pixels)]
            rows.append(found.reshape(-1, found.shape[-1]))
    if not rows:
        raise FeatvizError("`photos` hold no image that can be read")
    return np.concatenate(rows)


@partial(jax.jit, static_argnames=("apply", "layer"))
def _activations(weights: Weights, images: jax.Array, *, apply: Apply, layer: str) -> jax.Array:
    return jnp.asarray(apply(weights, images, layers=(layer,))[layer], jnp.float32)


def _measure(dictionary: Dictionary, rows: Float[np.ndarray, "n units"]) -> FitReport:
    return measure_fit(dictionary, (rows[start : start + BATCH] for start in range(0, len(rows), BATCH)))


def _others(dictionary: Dictionary, rows: Float[np.ndarray, "n units"]) -> list[tuple[str, float]]:
    """The explained variance with each other normalization that dictionaries are trained with."""
    mean = rows.mean(axis=0)
    unit, centered = (
        np.array(np.linalg.norm(values, axis=1).mean() / np.sqrt(rows.shape[1]) or 1.0, np.float32)
        for values in (rows, rows - mean)
    )
    candidates: dict[str, Normalization] = {
        "none": Identity(),
        "layer_norm": LayerNorm(),
        "constant_norm": ConstantNorm(),
        f"Standardized(0, {unit:.4g}), mean norm √units": Standardized(np.zeros_like(mean), unit),
        f"Standardized(mean, {centered:.4g}), less the mean and mean norm √units": Standardized(mean, centered),
    }
    return [
        (name, _measure(replace(dictionary, normalization=each), rows).explained_variance)
        for name, each in candidates.items()
        if each.name != dictionary.normalization.name
    ]
