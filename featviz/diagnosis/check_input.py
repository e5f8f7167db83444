"""`check_input` finds silent faults of a network, above all a wrong input range, mean or channel order."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from os import PathLike
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from featviz.common.compilation import compiled
from featviz.common.kept import kept_with_owner
from featviz.diagnosis.conclusion import Conclusion, conclude
from featviz.diagnosis.input_candidates import input_candidates, to_python
from featviz.diagnosis.measurements import BATCH, Measurement, measure_candidates
from featviz.errors import FeatvizError
from featviz.model import OUTPUT, Apply, Model, Weights, require_model
from featviz.surveys.photos import read_ahead, some_photos

# Photos that are used; from a larger folder, evenly spread ones.
MAX_PHOTOS = 64
# Layers with silent units that are named, those with the largest fraction.
MAX_LAYERS = 5
# The value of a gray image.
GRAY = 0.5

# Layer -> a value per unit.
UnitValues = Mapping[str, Float[np.ndarray, " units"]]


@dataclass(frozen=True)
class InputCheck:
    """The result of `check_input`.

    Attributes:
      lines: the report.
      faults: the lines of it that are faults.
      measurements: what the photos say about each candidate, the given specification first; empty without photos.
      conclusion: which candidates are plausible; None without photos.
    """

    lines: tuple[str, ...]
    faults: tuple[str, ...]
    measurements: tuple[Measurement, ...]
    conclusion: Conclusion | None

    def __str__(self) -> str:
        """The report, a line each."""
        return "\n".join(self.lines)

    @property
    def suggestion(self) -> str | None:
        """The Python expression of the best specification if the given one is wrong, else None."""
        if self.conclusion is None or not self.conclusion.wrong:
            return None
        return to_python(self.conclusion.plausible[0].candidate.spec)


def check_input(model: Model, photos: str | PathLike[str] | Iterable[Any] | None) -> InputCheck:
    """Checks whether a network gets its images as it was trained, and looks for other silent faults.

    Each common input specification is tried on the photos and judged by how well the network's outputs distinguish
    them, and by the statistics that batch norms have stored (`featviz.diagnosis.conclusion`). The report also says
    whether the output and its gradient with respect to the image are finite and not zero, and which units never fire.

    Args:
      model: the network.
      photos: a folder, or paths, PIL images or arrays, like those that the network was trained on. 64 are enough; fewer
        are less conclusive. None leaves the input specification unchecked.

    Raises:
      FeatvizError: if no photo can be read.
    """
    units = sum(layer.units for layer in require_model(model).layers)
    lines = [f"{model.name}: {len(model.layers)} layers, {units:,} units, {model.relus} ReLUs"]
    faults: list[str] = []
    gray = np.full((1, *model.input.size, model.input.channels), GRAY, np.float32)
    images = None if photos is None else read_photos(model, photos)
    samples = gray if images is None else images
    output = np.asarray(compiled(_output(model.apply), model.weights, gray)(model.weights, gray))
    low, high = value_ranges(model, samples)
    where = "on gray" if images is None else f"on gray and on {len(images)} photos"
    infinite = [name for name in low if not (np.isfinite(low[name]) & np.isfinite(high[name])).all()]
    if infinite or not np.isfinite(output).all():
        faults.append(f"not finite {where}: {infinite[0] if infinite else 'the output'}")
    else:
        lines.append(f"finite {where}")
    gradient = output_gradient(model, samples[:1])
    if not np.isfinite(gradient).all() or not gradient.any():
        kind = "zero" if np.isfinite(gradient).all() else "not finite"
        faults.append(f"the output's gradient with respect to the image is {kind}: it cannot be visualized")
    else:
        lines.append("the output's gradient with respect to the image is finite and not zero")
    if images is None:
        lines.append("give PHOTOS to check the input specification and to find silent units")
        return InputCheck((*lines, *faults), tuple(faults), (), None)
    lines.append(_silent_units(low, high, len(images)))
    measurements = measure_candidates(model, images, input_candidates(model.input))
    conclusion = conclude(measurements)
    lines += [*_table(measurements), conclusion.reason]
    faults += [conclusion.reason] if conclusion.wrong else []
    report = (*lines, *(fault for fault in faults if fault not in lines))
    return InputCheck(report, tuple(faults), tuple(measurements), conclusion)


def read_photos(model: Model, photos: str | PathLike[str] | Iterable[Any]) -> Float[np.ndarray, "n h w c"]:
    """Up to 64 photos at the network's size, in [0,1]."""
    source = some_photos(photos, MAX_PHOTOS)
    read = [
        photo
        for batch in read_ahead(source, model.input.size, channels=model.input.channels, batch=BATCH)
        for photo in batch
    ]
    pixels = [photo.pixels for photo in read if photo.pixels is not None]
    if not pixels:
        why = f": {read[0].name}: {read[0].fault}" if read else ""
        raise FeatvizError(f"`photos` hold no image that can be read{why}")
    return np.stack(pixels).astype(np.float32) / np.float32(255)


def value_ranges(model: Model, images: Float[np.ndarray, "n h w c"]) -> tuple[UnitValues, UnitValues]:
    """The smallest and the largest value of every unit over images and positions."""
    size = min(BATCH, len(images))
    padding = -len(images) % size
    padded = np.concatenate([images, np.repeat(images[-1:], padding, 0)])
    program = compiled(_ranges(model.apply, tuple(layer.name for layer in model.layers)), model.weights, padded[:size])
    batches = [program(model.weights, padded[first : first + size]) for first in range(0, len(padded), size)]
    low, high = (
        {name: join([np.asarray(batch[which][name]) for batch in batches]) for name in batches[0][which]}
        for which, join in enumerate((partial(np.min, axis=0), partial(np.max, axis=0)))
    )
    return low, high


@kept_with_owner(maxsize=8)
def _ranges(apply: Apply, layers: tuple[str, ...]) -> jax.stages.Wrapped:
    def ranges(weights: Weights, images: Float[Array, "n h w c"]) -> tuple[dict[str, Array], dict[str, Array]]:
        activations = apply(weights, images, layers=layers)
        rows = {name: activations[name].reshape(-1, activations[name].shape[-1]) for name in layers}
        low, high = ({name: f(value, 0) for name, value in rows.items()} for f in (jnp.min, jnp.max))
        return low, high

    return jax.jit(ranges)


def output_gradient(model: Model, image: Float[np.ndarray, "1 h w c"]) -> Float[np.ndarray, "1 h w c"]:
    """The gradient of the output's squared norm with respect to the image."""
    return np.asarray(compiled(_gradient(model.apply), image, model.weights)(image, model.weights))


@kept_with_owner(maxsize=8)
def _gradient(apply: Apply) -> jax.stages.Wrapped:
    def squared_norm(image: Float[Array, "1 h w c"], weights: Weights) -> Float[Array, ""]:
        return jnp.sum(jnp.square(apply(weights, image, layers=[OUTPUT])[OUTPUT]))

    return jax.jit(jax.grad(squared_norm))


@kept_with_owner(maxsize=8)
def _output(apply: Apply) -> jax.stages.Wrapped:
    return jax.jit(lambda weights, images: apply(weights, images, layers=[OUTPUT])[OUTPUT])


def _silent_units(low: UnitValues, high: UnitValues, count: int) -> str:
    """A line on the units with the same value everywhere on all photos, such as a ReLU's zero."""
    silent = {name: int((low[name] == high[name]).sum()) for name in low}
    total, units = sum(silent.values()), sum(map(len, low.values()))
    worst = sorted((name for name in silent if silent[name]), key=lambda name: -silent[name] / len(low[name]))
    layers = ", ".join(f"{name} {silent[name] / len(low[name]):.0%}" for name in worst[:MAX_LAYERS])
    share = f"{total:,} of {units:,} units ({total / units:.1%})"
    return f"silent on all {count} photos: {share}{f': {layers}' if layers else ''}"


def _table(measurements: list[Measurement]) -> list[str]:
    """The measurements as lines, without empty columns."""
    rows = [["input", "information", "confidence", "variation", "drift"]]
    for measurement in measurements:
        known = measurement.outputs
        outputs = (None,) * 3 if known is None else (known.information, known.confidence, known.variation)
        texts = ["" if value is None else f"{value:.3g}" for value in (*outputs, measurement.drift)]
        rows.append([measurement.candidate.label, *texts])
    columns = [column for column in zip(*rows, strict=True) if any(column[1:])]
    widths = [max(map(len, column)) for column in columns]
    lines = []
    for label, *texts in zip(*columns, strict=True):
        lines.append("  ".join([label.ljust(widths[0]), *(t.rjust(w) for t, w in zip(texts, widths[1:], strict=True))]))
    return lines
