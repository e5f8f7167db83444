"""How a network responds to photos under each candidate input specification."""

from collections.abc import Sequence
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from featviz.common.compilation import compiled
from featviz.common.kept import kept_with_owner
from featviz.diagnosis.batch_norms import find_batch_norms
from featviz.diagnosis.input_candidates import Candidate, translate
from featviz.model import OUTPUT, Apply, Model, Weights
from featviz.tracing.evaluation import evaluate
from featviz.tracing.program import trace

# Photos at a time.
BATCH = 16
# Batch norms that are measured: later ones show a wrong input less.
MEASURED_NORMS = 3
# Channels whose stored variance is a smaller fraction of their layer's median are dead and carry no information.
DEAD = 1e-4


@dataclass(frozen=True)
class ClassOutputs:
    """A classifier's outputs on photos.

    Attributes:
      information_per_photo: how much each photo's output says about which photo it is, in nats; all 0 if every photo
        has the same output.
      confidence: the mean of the largest probability.
      variation: the fraction of the logits' sum of squares that varies between photos; it hardly depends on the
        contrast of the images.
      influence: each photo's first-order contribution to the logarithm of 1 - `variation`.
      classes: how many classes there are.
    """

    information_per_photo: Float[np.ndarray, " photos"]
    confidence: float
    variation: float
    influence: Float[np.ndarray, " photos"]
    classes: int

    @property
    def information(self) -> float:
        """The mean over photos: the mutual information of photo and class, in nats."""
        return float(self.information_per_photo.mean())


@dataclass(frozen=True)
class Measurement:
    """What photos say about one candidate.

    Attributes:
      candidate: the input specification.
      outputs: None for a network without classes.
      drift: the KL divergence of the inputs of the first batch norms from their stored statistics, in nats per channel;
        None without batch norms.
    """

    candidate: Candidate
    outputs: ClassOutputs | None
    drift: float | None


def measure_candidates(
    model: Model, photos: Float[np.ndarray, "n h w c"], candidates: Sequence[Candidate]
) -> list[Measurement]:
    """Measures each candidate on photos in [0,1] of the network's size."""
    padding = -len(photos) % BATCH
    padded = np.concatenate([photos, np.repeat(photos[-1:], padding, 0)])
    program = compiled(_responses(model.apply), model.weights, padded[:BATCH])
    measurements = []
    for candidate in candidates:
        images = translate(padded, model.input, candidate.spec).astype(np.float32)
        batches = [program(model.weights, images[first : first + BATCH]) for first in range(0, len(images), BATCH)]
        output = np.concatenate([np.asarray(batch[0]) for batch in batches])[: len(photos)]
        norms = [
            [
                np.concatenate([np.asarray(batch[1][norm][moment]) for batch in batches])[: len(photos)]
                for moment in (0, 1)
            ]
            for norm in range(len(batches[0][1]))
        ]
        stored = [tuple(np.asarray(values) for values in pair) for pair in batches[0][2]]
        drifts = [drift(*moments, *pair) for moments, pair in zip(norms, stored, strict=True)]
        mean_drift = float(np.mean(drifts)) if drifts else None
        measurements.append(Measurement(candidate, class_outputs(output), mean_drift))
    return measurements


Pair = tuple[Float[Array, "..."], Float[Array, "..."]]


@kept_with_owner(maxsize=8)
def _responses(apply: Apply) -> jax.stages.Wrapped:
    def responses(
        weights: Weights, images: Float[Array, "n h w c"]
    ) -> tuple[Float[Array, " n *classes"], list[Pair], list[Pair]]:
        """The output; for each measured batch norm, the mean and mean square per image; and its stored statistics."""
        program, _ = trace(lambda w, x: apply(w, x, layers=[OUTPUT])[OUTPUT], weights, images)
        norms = find_batch_norms(program, program.inputs[-1])[:MEASURED_NORMS]
        wanted = [program.outputs[-1], *(value for norm in norms for value in (norm.input, norm.mean, norm.variance))]
        output, *values = evaluate(program, jax.tree.leaves((weights, images)), wanted)
        moments, stored = [], []
        for norm, x, mean, variance in zip(norms, values[::3], values[1::3], values[2::3], strict=True):
            rows = jnp.moveaxis(x, norm.axis, -1).astype(jnp.float32)
            rows = rows.reshape(len(images), -1, rows.shape[-1])
            moments.append((jnp.mean(rows, 1), jnp.mean(jnp.square(rows), 1)))
            stored.append((jnp.ravel(mean), jnp.ravel(variance)))
        return output, moments, stored

    return jax.jit(responses)


def drift(
    means: Float[np.ndarray, "n channels"],
    squares: Float[np.ndarray, "n channels"],
    mean: Float[np.ndarray, " channels"],
    variance: Float[np.ndarray, " channels"],
) -> float:
    """The KL divergence of a batch norm's inputs from its stored statistics, both as normal, mean over channels.

    Args:
      means, squares: the mean and mean square of the inputs on each image.
      mean, variance: the stored statistics.

    >>> rows = np.ones((4, 2), np.float32)
    >>> drift(rows, 2 * rows, np.ones(2), np.ones(2))
    0.0
    """
    input_mean = means.mean(0, dtype=np.float64)
    input_variance = np.maximum(squares.mean(0, dtype=np.float64) - input_mean**2, 0.0)
    alive = variance > DEAD * np.median(variance)
    ratio = np.maximum(input_variance[alive] / variance[alive], 1e-6)
    shift = (input_mean[alive] - mean[alive]) ** 2 / variance[alive]
    return float(np.mean(0.5 * (ratio + shift - 1.0 - np.log(ratio))))


def class_outputs(output: Float[np.ndarray, " n *classes"]) -> ClassOutputs | None:
    """The summary of an output of logits or probabilities; None if it is not (photos, classes) or not finite.

    >>> class_outputs(np.float32([[9, 0, 0], [0, 9, 0]])).information > 0.69
    True
    """
    if output.ndim != 2 or output.shape[1] < 3 or not np.isfinite(output).all():
        return None
    logits, p = _logits_and_probabilities(output.astype(np.float64))
    information = np.sum(p * (np.log(np.maximum(p, 1e-30)) - np.log(np.maximum(p.mean(0), 1e-30))), 1)
    centered = logits - logits.mean(1, keepdims=True)
    mean, squares = centered.mean(0), np.maximum(np.sum(centered**2, 1), 1e-30)
    shared = max(float(np.sum(mean**2)), 1e-30)
    influence = 2 * (centered @ mean - shared) / shared - (squares - squares.mean()) / squares.mean()
    variation = float(1 - shared / squares.mean())
    return ClassOutputs(information, float(p.max(1).mean()), variation, influence, output.shape[1])


def _logits_and_probabilities(
    output: Float[np.ndarray, "n classes"],
) -> tuple[Float[np.ndarray, "n classes"], Float[np.ndarray, "n classes"]]:
    """Both, whichever of them the network returns."""
    if (output >= 0).all() and np.allclose(output.sum(1), 1.0, atol=1e-3):
        return np.log(np.maximum(output, 1e-30)), output
    powers = np.exp(output - output.max(1, keepdims=True))
    return output, powers / powers.sum(1, keepdims=True)
