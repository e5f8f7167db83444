"""What a network's outputs do when a unit is suppressed or clamped: stated on some photographs, verified on others."""

from collections.abc import Iterable
from typing import NamedTuple

import jax
import numpy as np
from jaxtyping import Float, Int, UInt8

from featviz.common.compilation import compiled
from featviz.evaluation.recognition import output_program
from featviz.model import Model
from featviz.model.editable import Editable
from featviz.model.latent_layers import apply_without_latents
from featviz.surveys.reduction import BATCH, batches

# Outputs that are stated.
STATED = 5


class OutputChange(NamedTuple):
    """How holding one unit at a value changes the outputs.

    Attributes:
      value: what the unit is held at.
      outputs: those with the largest mean change on the stated photographs, the largest first.
      changes: their mean change there.
      held_out_changes: their mean change on the photographs held out.
      flips, held_out_flips: the share of photographs whose largest output becomes another.
      agreement: the correlation of the mean changes of all outputs between the two halves; nan if nothing changes.
    """

    value: float
    outputs: Int[np.ndarray, " stated"]
    changes: Float[np.ndarray, " stated"]
    held_out_changes: Float[np.ndarray, " stated"]
    flips: float
    held_out_flips: float
    agreement: float


def is_editable(model: Model) -> bool:
    """Whether units of a network can be held: not those of a plain function of the user's own.

    >>> import featviz as fv
    >>> is_editable(fv.load("patterns"))
    True
    """
    return isinstance(apply_without_latents(model.apply), Editable)


def output_change(
    value: float, changed: Float[np.ndarray, "n outputs"], outputs: Float[np.ndarray, "n outputs"]
) -> OutputChange:
    """Compares outputs with a unit held and without; every other photograph is held out.

    What is stated of one half of the photographs is verified on the other: the outputs are chosen on the first alone.

    Args:
      value: what the unit is held at; 0 suppresses it.
      changed: the outputs then, on at least two photographs (`held_outputs`).
      outputs: those of the network as it is, `network_outputs(model, photos)`.

    >>> found = output_change(0.0, np.array([[1.0, 0.0], [3.0, 0.0]]), np.array([[1.0, 4.0], [3.0, 2.0]]))
    >>> found.outputs.tolist(), found.changes.tolist(), found.held_out_changes.tolist(), found.flips
    ([1, 0], [-4.0, 0.0], [-2.0, 0.0], 1.0)
    """
    changes = changed.astype(np.float64) - outputs
    stated, verified = changes[::2].mean(axis=0), changes[1::2].mean(axis=0)
    flips = changed.argmax(axis=1) != outputs.argmax(axis=1)
    order = np.argsort(-np.abs(stated), kind="stable")[:STATED]
    known = min(stated.std(), verified.std()) > 0
    agreement = float(np.corrcoef(stated, verified)[0, 1]) if known else float("nan")
    halves = float(flips[::2].mean()), float(flips[1::2].mean())
    return OutputChange(value, order, stated[order], verified[order], *halves, agreement)


def network_outputs(model: Model, photos: Iterable[UInt8[np.ndarray, "h w c"]]) -> Float[np.ndarray, "n outputs"]:
    """The network's outputs on photographs of one size."""
    weights, program = model.weights, output_program(model.apply)
    parts = [
        np.asarray(compiled(program, weights, batch)(weights, batch), np.float32)[:count]
        for count, batch in batches(photos, count=BATCH)
    ]
    return np.concatenate(parts)


def has_outputs(model: Model, size: tuple[int, int]) -> bool:
    """Whether a network has an output of several numbers an image of that size, such as classes."""
    images = jax.ShapeDtypeStruct((2, *size, model.input.channels), np.uint8)
    try:
        shape = jax.eval_shape(output_program(model.apply), model.weights, images).shape
    # A network may refuse a size in any way.
    except Exception:
        return False
    return len(shape) == 2 and shape[0] == 2 and shape[1] > 1
