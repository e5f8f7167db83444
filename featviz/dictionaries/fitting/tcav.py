"""`fv.tcav`: whether a class grows with a concept, and whether more than with directions of no concept."""

from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, UInt8

from featviz.common.arguments import check_count
from featviz.common.compilation import compiled
from featviz.common.kept import kept_with_owner
from featviz.dictionaries.fitting.fit_probe import separate
from featviz.dictionaries.fitting.harvest import BATCH
from featviz.dictionaries.fitting.photo_features import photo_features
from featviz.dictionaries.fitting.position_sampling import Sampling
from featviz.errors import FeatvizError
from featviz.model import OUTPUT, Apply, Model, find_class, require_model
from featviz.model.edits import Edit, EditedWeights, Selection
from featviz.model.shapes import shapes_at
from featviz.rendering.checks import check_seed, check_size
from featviz.surveys.photos import PhotoInput, find_photos, read_ahead

MIN_PHOTOS = 10


class TcavScore(NamedTuple):
    """How a class answers to a concept.

    Args:
      layer: of the concept's direction.
      class_index: of the class.
      score: the share of the class's photographs whose logit grows along the concept, a mean over runs.
      random_score: that along directions that tell random images from others.
      p_value: of Welch's two-sided t-test between the runs' scores of both.
      scores: of each run.
      random_scores: of each run.
    """

    layer: str
    class_index: int
    score: float
    random_score: float
    p_value: float
    scores: tuple[float, ...]
    random_scores: tuple[float, ...]


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Shift(Edit):
    """h + values, of each image its own, or the same for all."""

    values: Float[Array, "n *positions units"]

    def new(self, h: Float[Array, "n *positions units"]) -> Float[Array, "n *positions units"]:
        return h + jnp.broadcast_to(self.values, h.shape)


def tcav(
    model: Model,
    layer: str,
    positives: PhotoInput,
    negatives: PhotoInput,
    photos: PhotoInput,
    class_index: int | str,
    *,
    runs: int = 20,
    class_tokens: bool = False,
    size: int | tuple[int, int] | None = None,
    seed: int = 0,
) -> TcavScore:
    """Testing with concept activation vectors: the share of a class's photographs whose logit grows along a concept.

    Each run tells the concept from another random half of `negatives`, and for comparison one random part of them from
    another. A concept whose scores do not differ from these says nothing of the class.

    Args:
      model: the network.
      layer: its name.
      positives: photographs of the concept: a folder, or an iterable of paths, PIL images or arrays.
      negatives: random images; more than of the concept.
      photos: of the class.
      class_index: the class's index or name.
      runs: of each kind.
      class_tokens: whether tokens without a place in the image count.
      size: pixels, or (height, width); by default that of the network's training.
      seed: of the random parts.

    Raises:
      FeatvizError: for an unknown layer or class, too few photographs, or a network that cannot be edited.

    References:
      Kim et al. 2018, Interpretability Beyond Feature Attribution.
    """
    chosen = require_model(model).layer(layer).name
    sides = check_size(model.input.size if size is None else size, None)
    check_count("runs", runs, 2, 10_000)
    index = find_class(model, "`class_index`", class_index)
    sampling = Sampling(class_tokens=class_tokens)
    concept, others = (
        photo_features(model, chosen, given, sides, sampling, min_photos=min_photos, name=name)
        for name, given, min_photos in (("positives", positives, MIN_PHOTOS), ("negatives", negatives, 2 * MIN_PHOTOS))
    )
    gradients = class_gradients(model, chosen, photos, index, sides, sampling)
    rng = np.random.default_rng(check_seed(seed))
    scores, random_scores = [], []
    size_of_part = min(len(concept), len(others) // 2)
    for _ in range(runs):
        order = rng.permutation(len(others))
        part, rest = others[order[:size_of_part]], others[order[size_of_part : 2 * size_of_part]]
        scores.append(float(np.mean(gradients @ separate(concept, part)[0] > 0)))
        random_scores.append(float(np.mean(gradients @ separate(rest, part)[0] > 0)))
    return TcavScore(
        layer=chosen,
        class_index=index,
        score=float(np.mean(scores)),
        random_score=float(np.mean(random_scores)),
        p_value=welch_test(scores, random_scores),
        scores=tuple(scores),
        random_scores=tuple(random_scores),
    )


def class_gradients(
    model: Model, layer: str, photos: PhotoInput, class_index: int, size: tuple[int, int], sampling: Sampling
) -> Float[np.ndarray, "photos units"]:
    """The gradient of a class's logit with respect to a layer's units, summed over positions, of each photograph.

    Args:
      model: the network.
      layer: its name.
      photos: as of `tcav`.
      class_index: the class's index.
      size: (height, width).
      sampling: which positions are summed over.

    Raises:
      FeatvizError: if no photograph can be read, or the network cannot be edited.
    """
    shape = shapes_at(model, (layer,), size)[layer]
    candidates = sampling.candidates(shape, size)
    edited = model.edited({layer: Shift(Selection(), jnp.zeros((1, *shape)))})
    program = _gradient_program(edited.apply, layer, class_index)
    rows: list[np.ndarray] = []
    with closing(read_ahead(find_photos(photos), size, channels=model.input.channels, batch=BATCH)) as reader:
        for batch in reader:
            images = np.zeros((BATCH, *size, model.input.channels), np.uint8)
            for row, photo in enumerate(batch):
                if photo.pixels is not None:
                    images[row] = photo.pixels
            args = (edited.weights, images, candidates.astype(np.int32))
            found = np.asarray(compiled(program, *args)(*args))
            rows += [own for own, photo in zip(found, batch, strict=False) if photo.pixels is not None]
    if not rows:
        raise FeatvizError("`photos` has no image that can be read; expected photographs of the class")
    return np.stack(rows)


@kept_with_owner(maxsize=8)
def _gradient_program(apply: Apply, layer: str, class_index: int) -> Callable[..., Array]:
    def gradients(
        weights: EditedWeights, images: UInt8[Array, "n h w c"], candidates: Int[Array, " p"]
    ) -> Float[Array, "n units"]:
        *others, shift = weights.edits[layer]
        assert isinstance(shift, Shift)

        def logit(values: Array) -> Array:
            edits: dict[str, Any] = {**weights.edits, layer: (*others, Shift(shift.where, values))}
            pixels = images.astype(jnp.float32) / jnp.float32(255)
            output = apply(EditedWeights(weights.network, edits), pixels, layers=(OUTPUT,))[OUTPUT]
            return jnp.sum(output[..., class_index])

        gradient = jax.grad(logit)(jnp.zeros((images.shape[0], *shift.values.shape[1:])))
        flat = gradient.reshape(gradient.shape[0], -1, gradient.shape[-1])
        return jnp.sum(jnp.take(flat, candidates, axis=1), axis=1)

    return jax.jit(gradients)


def welch_test(first: Sequence[float], second: Sequence[float]) -> float:
    """The two-sided p-value of Welch's t-test; where neither varies it is 0 or 1.

    >>> welch_test([1.0, 1.0], [0.5, 0.5]), welch_test([1.0, 1.0], [1.0, 1.0])
    (0.0, 1.0)
    """
    if np.ptp(first) == 0 == np.ptp(second):
        return float(first[0] == second[0])
    from scipy.special import stdtr

    shares = [float(np.var(own, ddof=1)) / len(own) for own in (first, second)]
    t = (np.mean(first) - np.mean(second)) / np.sqrt(sum(shares))
    pairs = zip(shares, (first, second), strict=True)
    freedom = sum(shares) ** 2 / sum(share**2 / (len(own) - 1) for share, own in pairs)
    return float(2 * stdtr(freedom, -abs(t)))
