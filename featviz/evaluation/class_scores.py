"""The classes that a network assigns to pictures."""

from collections.abc import Callable
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, UInt8

from featviz.common.compilation import compiled
from featviz.common.kept import kept_with_owner
from featviz.errors import FeatvizError
from featviz.evaluation.features import fit
from featviz.model import OUTPUT, Apply, Model, Weights
from featviz.surveys.reduction import batches
from featviz.tracing.program import trace

# How far the sum of an output that is a distribution may be from 1: rounding in half precision, over a thousand.
ROUNDING = 1e-2


@dataclass(frozen=True)
class ClassScore:
    """An output of the network on a picture; `name` is "" if the class has none."""

    index: int
    name: str
    logit: float
    probability: float


def class_scores(model: Model, pixels: UInt8[np.ndarray, "n h w c"], *, count: int = 5) -> list[tuple[ClassScore, ...]]:
    """The highest outputs on each picture, with logit and softmax, highest first.

    Pictures are resized (bicubic) to the training size if the network cannot run at theirs. An output whose rows are
    distributions, as after a softmax, is taken as the probabilities, and its logarithm as the logits. So is that of a
    sigmoid, whose classes do not exclude one another: there the logit is log(p / (1 - p)).

    Args:
      model: the network.
      pixels: pictures.
      count: how many outputs per picture.

    Returns:
      one tuple per picture, empty if the network has no output of shape (n, classes).

    Raises:
      FeatvizError: for pictures of another dtype or shape.

    >>> import featviz as fv
    >>> found = class_scores(fv.load("patterns"), np.zeros((2, 64, 64, 3), np.uint8), count=3)
    >>> [len(scores) for scores in found], found[0] == found[1]
    ([3, 3], True)
    """
    if pixels.dtype != np.uint8 or pixels.ndim != 4:
        raise FeatvizError(f"`pixels` are {pixels.dtype} of shape {pixels.shape}; expected uint8 (n, h, w, c)")
    given, channels = pixels.shape[1:3], model.input.channels
    size = next((size for size in (given, model.input.size) if _has_classes(model, size)), None)
    if size is None or not len(pixels):
        return [()] * len(pixels)
    rows = []
    for filled, batch in batches(fit(image, size, channels=channels) for image in pixels):
        rows.append(np.asarray(compiled(_outputs(model.apply), model.weights, batch)(model.weights, batch))[:filled])
    logits, probabilities = _logits_and_probabilities(
        np.concatenate(rows).astype(np.float64), is_sigmoid=lambda: _ends_in_sigmoid(model, size)
    )
    names = model.classes if len(model.classes) == logits.shape[1] else ("",) * logits.shape[1]
    return [
        tuple(
            ClassScore(int(index), names[index], float(logits[row, index]), float(probabilities[row, index]))
            for index in np.argsort(-logits[row], kind="stable")[:count]
        )
        for row in range(len(logits))
    ]


@kept_with_owner(maxsize=8)
def _outputs(apply: Apply) -> jax.stages.Wrapped:
    def outputs(weights: Weights, images: UInt8[Array, "n h w c"]) -> Float[Array, " n *classes"]:
        output = apply(weights, images.astype(jnp.float32) / jnp.float32(255), layers=(OUTPUT,))[OUTPUT]
        return output.astype(jnp.float32)

    return jax.jit(outputs)


def _has_classes(model: Model, size: tuple[int, int]) -> bool:
    images = jax.ShapeDtypeStruct((2, *size, model.input.channels), np.uint8)
    try:
        shape = jax.eval_shape(_outputs(model.apply), model.weights, images).shape
    # A network may refuse a size in any way.
    except Exception:
        return False
    return len(shape) == 2 and shape[0] == 2 and shape[1] > 1


def _ends_in_sigmoid(model: Model, size: tuple[int, int]) -> bool:
    """Whether the network's last operation, shape and type aside, is a sigmoid."""
    images = jax.ShapeDtypeStruct((2, *size, model.input.channels), np.uint8)
    leaves, structure = jax.tree.flatten((model.weights, images))
    program, _ = trace(lambda *leaves: _outputs(model.apply)(*jax.tree.unflatten(structure, leaves)), *leaves)
    step = program.producers.get(program.outputs[0])
    while step is not None and step.primitive.name in ("convert_element_type", "copy", "reshape", "squeeze"):
        step = program.producers.get(step.inputs[0])
    return step is not None and step.primitive.name == "logistic"


def _logits_and_probabilities(
    outputs: Float[np.ndarray, "n classes"], *, is_sigmoid: Callable[[], bool] = lambda: False
) -> tuple[Float[np.ndarray, "n classes"], Float[np.ndarray, "n classes"]]:
    """Both, from an output that is one or the other; `is_sigmoid`, which takes time, is called only if needed.

    >>> [values.round(2).tolist() for values in _logits_and_probabilities(np.array([[0.75, 0.25]]))]
    [[[-0.29, -1.39]], [[0.75, 0.25]]]
    >>> independent = np.array([[0.75, 0.5]])
    >>> [values.round(2).tolist() for values in _logits_and_probabilities(independent, is_sigmoid=lambda: True)]
    [[[1.1, 0.0]], [[0.75, 0.5]]]
    """
    tiny = np.finfo(np.float32).tiny
    if (outputs >= 0).all() and (outputs <= 1).all():
        if (np.abs(outputs.sum(1) - 1) < ROUNDING).all():
            return np.log(np.maximum(outputs, tiny)), outputs
        if is_sigmoid():
            return np.log(np.maximum(outputs, tiny)) - np.log(np.maximum(1 - outputs, tiny)), outputs
    powers = np.exp(outputs - outputs.max(1, keepdims=True))
    return outputs, powers / powers.sum(1, keepdims=True)
