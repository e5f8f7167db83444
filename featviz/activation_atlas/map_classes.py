"""Which classes the activations of a map speak for: gradient times activation, of each photograph's largest outputs."""

from collections.abc import Generator, Iterator
from contextlib import closing
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from featviz.activation_atlas.map_positions import MapPositions
from featviz.attribution.behind import is_behind, make_problem
from featviz.attribution.methods import GradientTimesActivation
from featviz.common.compilation import compiled
from featviz.model import OUTPUT, Apply, Model, Weights
from featviz.model.editable import Editable
from featviz.model.shapes import shapes_at
from featviz.objectives import logit
from featviz.objectives.logits import Logit
from featviz.objectives.objective import Objective
from featviz.surveys.photos import Source, read_ahead

# Of each photograph's outputs, how many of the largest are attributed.
CLASSES = 5
# Gradients of max pooling relaxed: otherwise maps of attributions are chequered (Olah et al. 2018).
METHOD = GradientTimesActivation(relaxed_pooling=True)
BATCH = 16


class MapClasses(NamedTuple):
    """The classes of each activation.

    Args:
      classes: each photograph's largest outputs, those of unreadable ones -1.
      scores: of each activation, how much it adds to each of its photograph's classes.
    """

    classes: Int[np.ndarray, "photos k"]
    scores: Float[np.ndarray, "rows k"]


def count_classes(model: Model, layer: str) -> int:
    """How many of each photograph's outputs are attributed; 0 unless they are classes, computed from the layer.

    >>> import featviz as fv
    >>> count_classes(fv.load("patterns"), "mixed3a")
    5
    """
    size = model.input.size
    shape = shapes_at(model, (OUTPUT,), size)[OUTPUT]
    if len(shape) != 1 or shape[0] < 2 or not isinstance(model.apply, Editable):
        return 0
    weights = jax.eval_shape(lambda weights: weights, model.weights)
    image = jax.ShapeDtypeStruct((*size, model.input.channels), jnp.float32)
    return min(CLASSES, shape[0]) if is_behind(model.apply, layer, weights, logit(0), image) else 0


def attribute_classes(
    model: Model, layer: str, source: Source, positions: MapPositions, *, start: int = 0
) -> Generator[tuple[Int[np.ndarray, " k"], Float[np.ndarray, "rows k"]], None, None]:
    """Photograph by photograph, its largest outputs and how much each of its activations adds to them.

    Args:
      model: a classifier.
      layer: the map's.
      source: the photographs.
      positions: the activations.
      start: the first photograph.

    Yields:
      As `MapClasses` has them, up to the last photograph that has activations.
    """
    count = count_classes(model, layer)
    photos = int(positions.photo.max(initial=-1)) + 1
    starts = np.searchsorted(positions.photo, np.arange(photos + 1))
    for index, pixels in zip(range(start, photos), _images(model, source, start), strict=False):
        own = positions.position[starts[index] : starts[index + 1]]
        if pixels is None or not len(own):
            yield np.full(count, -1, np.int32), np.zeros((len(own), count), np.float32)
        else:
            classes, shares = _attributed(model, layer, pixels, count)
            yield classes, shares.reshape(count, -1)[:, own].T


def _images(model: Model, source: Source, start: int) -> Iterator[np.ndarray | None]:
    """Each photograph as the network gets it, None for one that cannot be read."""
    reader = read_ahead(source, model.input.size, channels=model.input.channels, batch=BATCH, start=start)
    with closing(reader):
        for batch in reader:
            for photo in batch:
                yield None if photo.pixels is None else np.asarray(photo.pixels, np.float32) / np.float32(255)


def _attributed(
    model: Model, layer: str, image: Float[np.ndarray, "h w c"], count: int
) -> tuple[Int[np.ndarray, " classes"], Float[np.ndarray, "classes ..."]]:
    args = (model.weights, jnp.asarray(image))
    program = compiled(_attribute, *args, owner=model.apply, apply=model.apply, layer=layer, count=count)
    classes, shares = program(*args)
    return np.asarray(classes), np.asarray(shares)


@jax.jit
def _attribute(
    weights: Weights, image: Float[Array, "h w c"], *, apply: Apply, layer: str, count: int
) -> tuple[Int[Array, " classes"], Float[Array, "classes ..."]]:
    outputs = apply(weights, image[None], layers=(OUTPUT,))[OUTPUT][0]
    _, classes = jax.lax.top_k(outputs, count)

    def shares(unit: Int[Array, ""]) -> Float[Array, " *positions"]:
        objective = Objective((Logit(unit),), (jnp.float32(1),))
        problem = make_problem(apply, layer, weights, objective, image, None, rules=METHOD.rules)
        return METHOD.attribute(problem).sum(-1)

    return classes, jax.vmap(shares)(classes)


def strongest_classes(
    found: MapClasses, photo: Int[np.ndarray, " rows"], members: Int[np.ndarray, " members"], *, count: int
) -> list[tuple[int, float]]:
    """The classes that the activations of a cell speak for, with what each activation adds on average, largest first.

    An activation adds nothing to a class that is not among its photograph's largest outputs.

    >>> found = MapClasses(np.array([[3, 5], [5, 2]]), np.array([[1.0, 0.5], [2.0, -1.0]]))
    >>> strongest_classes(found, np.array([0, 1]), np.array([0, 1]), count=2)
    [(5, 1.25), (3, 0.5)]
    """
    classes = found.classes[photo[members]].reshape(-1)
    scores = found.scores[members].reshape(-1).astype(np.float64)
    distinct, index = np.unique(classes, return_inverse=True)
    means = np.bincount(index, weights=scores, minlength=len(distinct)) / max(len(members), 1)
    order = [each for each in np.argsort(-means, kind="stable") if means[each] > 0 and distinct[each] >= 0]
    return [(int(distinct[each]), float(means[each])) for each in order[:count]]
