"""What the outputs do when a unit is suppressed, and when it is held at its largest activation, for its page."""

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float, Int

from featviz.atlas.surveyed_photos import PhotoCache
from featviz.evaluation.held_outputs import Held, held_outputs
from featviz.evaluation.output_changes import OutputChange, output_change
from featviz.pages.profile_records import HeldUnitRecord, OutputRecord
from featviz.surveys.survey import Survey

# Photographs of a unit's largest activations, half of them held out. Fewer than the second say nothing.
HELD, MIN_HELD = 16, 4


def held_records(
    survey: Survey,
    layer: str,
    units: Sequence[int],
    top: Int[np.ndarray, "units top"],
    top_values: Float[np.ndarray, "units top"],
    outputs: Mapping[int, Float[np.ndarray, " outputs"]],
    *,
    progress: bool = False,
) -> dict[int, tuple[HeldUnitRecord, ...]]:
    """Of each unit that fires on enough photographs: suppressed, and held at its largest activation.

    Args:
      survey: of a network whose layers can be edited.
      layer: a surveyed layer.
      units: of the layer.
      top: the photographs of each unit's largest activations, the largest first, -1 where it fires on fewer.
      top_values: the activations there.
      outputs: of the network on these photographs, by index.
      progress: whether a progress bar is shown.
    """
    asked = [
        Held(unit, value, photos)
        for unit, indices, values in zip(units, top.tolist(), top_values, strict=True)
        if len(photos := tuple(index for index in indices[:HELD] if index >= 0)) >= MIN_HELD
        for value in (0.0, float(values[0]))
    ]
    changed = held_outputs(survey.model, layer, asked, PhotoCache(survey), survey.size, progress=progress)
    records: dict[int, tuple[HeldUnitRecord, ...]] = {}
    for held, found in zip(asked, changed, strict=True):
        change = output_change(held.value, found, np.stack([outputs[index] for index in held.photos]))
        record = _record(change, len(held.photos), survey.model.classes, found.shape[1])
        records[held.unit] = (*records.get(held.unit, ()), record)
    return records


def _record(change: OutputChange, photos: int, classes: Sequence[str], count: int) -> HeldUnitRecord:
    names = classes if len(classes) == count else [""] * count
    outputs = tuple(
        OutputRecord(int(index), names[index], float(stated), float(verified))
        for index, stated, verified in zip(change.outputs, change.changes, change.held_out_changes, strict=True)
    )
    agreement = None if np.isnan(change.agreement) else change.agreement
    return HeldUnitRecord(
        change.value, -(-photos // 2), photos // 2, outputs, change.flips, change.held_out_flips, agreement
    )
