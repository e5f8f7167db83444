"""`fv.fit_probe`: the direction of a layer that tells photographs of a concept from others, and whether it holds."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from featviz.common.arguments import check_count
from featviz.dictionaries.dictionary import Dictionary, DictionaryRecord
from featviz.dictionaries.fitting.logistic_regression import FOLDS, draw_folds, fit_logistic, held_out_accuracy
from featviz.dictionaries.fitting.photo_features import photo_features
from featviz.dictionaries.fitting.position_sampling import Sampling
from featviz.dictionaries.kinds import ConceptVectors
from featviz.errors import FeatvizError
from featviz.model import Model, hash_weights, require_model
from featviz.objectives import Objective, direction
from featviz.rendering.checks import check_seed, check_size
from featviz.surveys.photos import PhotoInput

# Of examples whose mean squared distance from their mean is 1.
DECAY = 0.01
# Examples of each class in the permutation test, which fits again for each permutation and fold.
TESTED = 200


class Probe(NamedTuple):
    """A linear classifier of a layer's mean activation, and its direction: a concept activation vector.

    Args:
      layer: that it reads.
      name: of the concept.
      vector: (units,); its product with an activation, plus the bias, is the logit of the concept.
      bias: of the logit.
      accuracy: on photographs held out in five folds, a mean of both classes'; .5 is chance.
      p_value: the share of permuted labelings with that accuracy or more, the labels' own counted.
      positives: how many photographs of the concept.
      negatives: how many others.
      model: the network's name.
      weights_sha256: of its weights.
    """

    layer: str
    name: str
    vector: Float[np.ndarray, " units"]
    bias: float
    accuracy: float
    p_value: float
    positives: int
    negatives: int
    model: str = ""
    weights_sha256: str = ""

    @property
    def objective(self) -> Objective:
        """What a picture of the concept maximizes: `fv.render(model, probe.objective)`."""
        return direction(self.layer, self.vector)

    @property
    def dictionary(self) -> Dictionary:
        """A dictionary of this one concept, whose latent is the logit."""
        code = ConceptVectors(vectors=self.vector[None], bias=np.array([self.bias], np.float32))
        notes = (
            ("held-out accuracy", f"{self.accuracy:.3f}"),
            ("p-value", f"{self.p_value:.4f}"),
            ("photos", f"{self.positives} of the concept, {self.negatives} others"),
        )
        record = DictionaryRecord(
            model=self.model,
            layer=self.layer,
            weights_sha256=self.weights_sha256,
            names=(self.name,),
            notes=notes,
        )
        return Dictionary(code, record=record)


def fit_probe(
    model: Model,
    layer: str,
    positives: PhotoInput,
    negatives: PhotoInput,
    *,
    name: str = "concept",
    permutations: int = 100,
    class_tokens: bool = False,
    size: int | tuple[int, int] | None = None,
    seed: int = 0,
) -> Probe:
    """Fits a linear probe: logistic regression of a layer's mean over positions, both classes of equal weight.

    Its accuracy is that on held-out photographs, in five folds. The permutation test fits the same to labels in random
    order (Ojala and Garriga 2010).

    Args:
      model: the network.
      layer: its name.
      positives: photographs of the concept: a folder, or an iterable of paths, PIL images or arrays.
      negatives: others.
      name: of the concept.
      permutations: labelings of the test; its smallest p-value is 1 / (permutations + 1).
      class_tokens: whether tokens without a place in the image are in the mean.
      size: pixels, or (height, width); by default that of the network's training.
      seed: of folds and permutations.

    Raises:
      FeatvizError: for an unknown layer, or fewer than ten photographs of either kind.

    References:
      Alain and Bengio 2016; Kim et al. 2018.

    >>> import featviz as fv
    >>> rng = np.random.default_rng(0)
    >>> dark, light = rng.random((2, 12, 64, 64, 3)) * np.array([0.4, 1.0])[:, None, None, None, None]
    >>> probe = fv.fit_probe(fv.load("patterns"), "conv1", light, dark, name="light", permutations=20)
    >>> probe.accuracy, round(probe.p_value, 3)
    (1.0, 0.048)
    """
    chosen = require_model(model).layer(layer).name
    sides = check_size(model.input.size if size is None else size, None)
    check_count("permutations", permutations, 1, 100_000)
    check_seed(seed)
    sampling = Sampling(class_tokens=class_tokens)
    first, second = (
        photo_features(model, chosen, photos, sides, sampling, min_photos=2 * FOLDS, name=given)
        for given, photos in (("positives", positives), ("negatives", negatives))
    )
    vector, bias = separate(first, second)
    accuracy, p_value = judge_separation(first, second, permutations, seed)
    return Probe(
        layer=chosen,
        name=name,
        vector=vector,
        bias=bias,
        accuracy=accuracy,
        p_value=p_value,
        positives=len(first),
        negatives=len(second),
        model=model.name,
        weights_sha256=hash_weights(model.weights),
    )


def separate(
    first: Float[np.ndarray, "n units"], second: Float[np.ndarray, "m units"], *, decay: float = DECAY
) -> tuple[Float[np.ndarray, " units"], float]:
    """The direction and the bias of a logistic regression of the first against the second examples.

    Raises:
      FeatvizError: if all examples are alike.
    """
    examples, mean, scale = _scaled(first, second)
    labels = np.arange(len(examples)) < len(first)
    coefficients, bias = fit_logistic(examples @ examples.T, labels[None], decay)
    vector = (coefficients[0] @ examples) / scale
    return vector.astype(np.float32), float(bias[0] - vector @ mean)


def judge_separation(
    first: Float[np.ndarray, "n units"], second: Float[np.ndarray, "m units"], permutations: int, seed: int
) -> tuple[float, float]:
    """The held-out accuracy of a logistic regression, and the share of permuted labelings that reach it."""
    rng = np.random.default_rng(seed)
    accuracy = _accuracies(first, second, None, seed)[0]
    some, others = (rows[np.sort(rng.permutation(len(rows))[:TESTED])] for rows in (first, second))
    labels = np.arange(len(some) + len(others)) < len(some)
    labelings = np.stack([labels, *[rng.permutation(labels) for _ in range(permutations)]])
    own, *permuted = _accuracies(some, others, labelings, seed)
    return float(accuracy), float((1 + np.sum(np.array(permuted) >= own)) / (1 + permutations))


def _accuracies(
    first: np.ndarray, second: np.ndarray, labelings: np.ndarray | None, seed: int
) -> Float[np.ndarray, " b"]:
    examples, _, _ = _scaled(first, second)
    labels = np.arange(len(examples)) < len(first)
    folds = draw_folds(labels, seed)
    return held_out_accuracy(examples @ examples.T, labels[None] if labelings is None else labelings, folds, DECAY)


def _scaled(first: np.ndarray, second: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
    """All examples around their mean, with a mean squared length of 1; the mean; what they were divided by."""
    both = np.concatenate([first, second]).astype(np.float64)
    mean = both.mean(axis=0)
    scale = float(np.sqrt(np.mean(np.sum(np.square(both - mean), axis=1))))
    if not scale > 0:
        raise FeatvizError("the layer is the same on all images of `positives` and `negatives`; expected others")
    return (both - mean) / scale, mean, scale
