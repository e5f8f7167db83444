"""A network shown photographs as each likely specification would give them, and what it makes of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

from featviz.common.compilation import compiled
from featviz.diagnosis.batch_norms import find_batch_norms
from featviz.diagnosis.specifications import Candidate, translate
from featviz.model import OUTPUT, Model, Weights
from featviz.tracing.evaluation import evaluate
from featviz.tracing.program import trace

# Photographs at a time.
BATCH = 16
# Batch norms that are looked at: behind others, a wrong input shows less.
FIRST = 3
# Channels whose stored variance is a smaller share of their layer's median are dead: they say nothing.
DEAD = 1e-4


@dataclass(frozen=True)
class Answers:
    """What a network of classes makes of photographs.

    `each` is what each photograph tells of its class, in nats; their mean is 0 where all get the same answer.
    `confidence` is the mean largest probability. `spread` is the share of the logits that differs between photographs:
    the contrast of the images hardly changes it. `pulls` are each photograph's part in the logarithm of 1 - `spread`.
    """

    each: np.ndarray
    confidence: float
    spread: float
    pulls: np.ndarray
    classes: int

    @property
    def information(self) -> float:
        return float(self.each.mean())


@dataclass(frozen=True)
class Trial:
    """What photographs say of one specification.

    `answers` are None where the network has no classes. `drift` is how far what goes into the first batch norms lies
    from their stored statistics, in nats a channel, None where there are none.
    """

    candidate: Candidate
    answers: Answers | None
    drift: float | None


def run_trials(model: Model, photos: np.ndarray, candidates: Sequence[Candidate]) -> list[Trial]:
    """A trial of each candidate, on photographs in [0,1], (n, h, w, c), of the network's size."""
    rest = -len(photos) % BATCH
    padded = np.concatenate([photos, np.repeat(photos[-1:], rest, 0)])
    program = compiled(jax.jit(partial(_look, model)), model.weights, padded[:BATCH])
    found = []
    for candidate in candidates:
        shown = translate(padded, model.input, candidate.spec).astype(np.float32)
        parts = [program(model.weights, shown[at : at + BATCH]) for at in range(0, len(shown), BATCH)]
        output = np.concatenate([np.asarray(part[0]) for part in parts])[: len(photos)]
        norms = [
            [np.concatenate([np.asarray(part[1][number][which]) for part in parts])[: len(photos)] for which in (0, 1)]
            for number in range(len(parts[0][1]))
        ]
        stored = [tuple(np.asarray(each) for each in pair) for pair in parts[0][2]]
        drifts = [drift(*moments, *pair) for moments, pair in zip(norms, stored, strict=True)]
        found.append(Trial(candidate, read_answers(output), float(np.mean(drifts)) if drifts else None))
    return found


def _look(
    model: Model, weights: Weights, images: jax.Array
) -> tuple[jax.Array, list[tuple[jax.Array, jax.Array]], list[tuple[jax.Array, jax.Array]]]:
    """The output; of the first batch norms each image's mean and mean square by channel, and the stored pair."""
    program, _ = trace(lambda w, x: model.apply(w, x, layers=[OUTPUT])[OUTPUT], weights, images)
    norms = find_batch_norms(program, program.inputs[-1])[:FIRST]
    wanted = [program.outputs[-1], *(value for norm in norms for value in (norm.input, norm.mean, norm.variance))]
    output, *values = evaluate(program, jax.tree.leaves((weights, images)), wanted)
    moments, stored = [], []
    for norm, x, mean, variance in zip(norms, values[::3], values[1::3], values[2::3], strict=True):
        rows = jnp.moveaxis(x, norm.axis, -1).astype(jnp.float32)
        rows = rows.reshape(len(images), -1, rows.shape[-1])
        moments.append((jnp.mean(rows, 1), jnp.mean(jnp.square(rows), 1)))
        stored.append((jnp.ravel(mean), jnp.ravel(variance)))
    return output, moments, stored


def drift(means: np.ndarray, squares: np.ndarray, mean: np.ndarray, variance: np.ndarray) -> float:
    """How far what goes in lies from the stored mean and variance: KL divergence of normal ones, mean over channels.

    >>> rows = np.ones((4, 2), np.float32)
    >>> drift(rows, 2 * rows, np.ones(2), np.ones(2))
    0.0
    """
    seen = means.mean(0, dtype=np.float64)
    spread = np.maximum(squares.mean(0, dtype=np.float64) - seen**2, 0.0)
    alive = variance > DEAD * np.median(variance)
    ratio = np.maximum(spread[alive] / variance[alive], 1e-6)
    shift = (seen[alive] - mean[alive]) ** 2 / variance[alive]
    return float(np.mean(0.5 * (ratio + shift - 1.0 - np.log(ratio))))


def read_answers(output: np.ndarray) -> Answers | None:
    """The answers of an output of (photographs, classes), logits or probabilities; None where it is none.

    >>> read_answers(np.float32([[9, 0, 0], [0, 9, 0]])).information > 0.69
    True
    """
    if output.ndim != 2 or output.shape[1] < 3 or not np.isfinite(output).all():
        return None
    logits, p = _probabilities(output.astype(np.float64))
    each = np.sum(p * (np.log(np.maximum(p, 1e-30)) - np.log(np.maximum(p.mean(0), 1e-30))), 1)
    centered = logits - logits.mean(1, keepdims=True)
    middle, squares = centered.mean(0), np.maximum(np.sum(centered**2, 1), 1e-30)
    shared = max(float(np.sum(middle**2)), 1e-30)
    pulls = 2 * (centered @ middle - shared) / shared - (squares - squares.mean()) / squares.mean()
    return Answers(each, float(p.max(1).mean()), float(1 - shared / squares.mean()), pulls, output.shape[1])


def _probabilities(output: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Logits and probabilities, whichever of them the network returns."""
    if (output >= 0).all() and np.allclose(output.sum(1), 1.0, atol=1e-3):
        return np.log(np.maximum(output, 1e-30)), output
    powers = np.exp(output - output.max(1, keepdims=True))
    return output, powers / powers.sum(1, keepdims=True)
