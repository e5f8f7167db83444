"""What a network's outputs do when a unit is suppressed or clamped: stated on some photographs, verified on others."""

from collections.abc import Iterable
from typing import NamedTuple

import jax
import numpy as np
from jaxtyping import Float, Int, UInt8

from featviz.common.compilation import compiled
from featviz.evaluation.recognition import output_program
from featviz.model import Model, Weights
from featviz.model.edit_kinds import clamp
from featviz.model.editable import Editable
from featviz.model.latent_layer import LatentApply
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
    apply = model.apply
    while isinstance(apply, LatentApply):
        apply = apply.base
    return isinstance(apply, Editable)


def with_unit_held(model: Model, layer: str) -> Model:
    """The network with a unit of a layer held at a value; `output_change` says which, by its weights."""
    return model.edited({layer: clamp(0, 0.0)})


def output_change(
    held: Model,
    layer: str,
    unit: int,
    value: float,
    photos: UInt8[np.ndarray, "n h w c"],
    outputs: Float[np.ndarray, "n outputs"],
) -> OutputChange:
    """Holds a unit at a value at all positions, and compares outputs; every other photograph is held out.

    What is stated of one half of the photographs is verified on the other: the outputs are chosen on the first alone.

    Args:
      held: `with_unit_held(model, layer)`, of a network with an output of shape (n, outputs).
      layer: the unit's layer. Of latents, what the dictionary cannot reconstruct stays as it is.
      unit: its index.
      value: 0 suppresses it.
      photos: on which it fires, at least two.
      outputs: the outputs of the network as it is, `network_outputs(model, photos)`.

    >>> import featviz as fv
    >>> model, photos = fv.load("patterns"), np.random.default_rng(0).integers(0, 256, (6, 64, 64, 3), np.uint8)
    >>> outputs = network_outputs(model, photos)
    >>> found = output_change(with_unit_held(model, "mixed4a"), "mixed4a", 3, 0.0, photos, outputs)
    >>> len(found.outputs), 0 <= found.flips <= 1
    (5, True)
    """
    # One compiled program for every unit and value: they are among the weights.
    edits = {**held.weights.edits, layer: (*held.weights.edits[layer][:-1], clamp(unit, value))}
    changed = network_outputs(held, photos, weights=held.weights._replace(edits=edits))
    changes = changed.astype(np.float64) - outputs
    stated, verified = changes[::2].mean(axis=0), changes[1::2].mean(axis=0)
    flips = changed.argmax(axis=1) != outputs.argmax(axis=1)
    order = np.argsort(-np.abs(stated), kind="stable")[:STATED]
    known = min(stated.std(), verified.std()) > 0
    agreement = float(np.corrcoef(stated, verified)[0, 1]) if known else float("nan")
    halves = float(flips[::2].mean()), float(flips[1::2].mean())
    return OutputChange(value, order, stated[order], verified[order], *halves, agreement)


def network_outputs(
    model: Model, photos: Iterable[UInt8[np.ndarray, "h w c"]], *, weights: Weights = None
) -> Float[np.ndarray, "n outputs"]:
    """The network's outputs on photographs of one size; `weights` are the model's by default."""
    weights = model.weights if weights is None else weights
    parts = [
        np.asarray(compiled(output_program(model.apply), weights, batch)(weights, batch), np.float32)[:count]
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
