"""`check_input`: the commonest silent faults of a network that was brought along, told in lines."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from os import PathLike
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from featviz.common.compilation import compiled
from featviz.diagnosis.specifications import candidates, write
from featviz.diagnosis.trials import BATCH, Trial, run_trials
from featviz.diagnosis.verdict import Verdict, judge
from featviz.errors import FeatvizError
from featviz.model import IMAGE, OUTPUT, Model, Weights, require_model
from featviz.surveys.photos import Folder, Source, Stream, find_photos, read_ahead

# Photographs that are looked at: of a larger folder every so many.
MOST = 64
# Layers whose silent units are told, the worst.
SHOWN = 5
# A gray image, as its value.
GRAY = 0.5


@dataclass(frozen=True)
class InputCheck:
    """What was found: `lines` to read, `faults` among them, and the trials and the verdict on the input.

    Without photographs there are no trials, and the verdict is None. `suggestion` is the specification to write where
    the input is wrong.
    """

    lines: tuple[str, ...]
    faults: tuple[str, ...]
    trials: tuple[Trial, ...]
    verdict: Verdict | None

    @property
    def suggestion(self) -> str | None:
        if self.verdict is None or not self.verdict.wrong:
            return None
        return write(self.verdict.plausible[0].candidate.spec)


def check_input(model: Model, photos: str | PathLike[str] | Iterable[Any] | None) -> InputCheck:
    """Whether a network takes its images as it was trained, as far as photographs can tell, and other silent faults.

    `photos` are a folder, or paths, PIL images or arrays, of the kind that the network was trained on: 64 are enough,
    and with fewer less can be told; None leaves the input unchecked.
    The likely input specifications are each tried on them, and judged by how much the network's classes tell of a
    photograph, and by the statistics that batch norms have stored: see `featviz.diagnosis.verdict`. Also told: whether
    the output and the gradient with respect to the image are finite and not zero, and which units never fire.

    Raises: FeatvizError if there are no photos to be read.
    """
    units = sum(layer.units for layer in require_model(model).layers)
    lines = [f"{model.name}: {len(model.layers)} layers, {units:,} units, {model.relus} ReLUs found"]
    faults: list[str] = []
    gray = np.full((1, *model.input.size, model.input.channels), GRAY, np.float32)
    images = None if photos is None else read_photos(model, photos)
    seen = gray if images is None else images
    output = np.asarray(compiled(jax.jit(partial(_output, model)), model.weights, gray)(model.weights, gray))
    low, high = extremes(model, seen)
    on = "on gray" if images is None else f"on gray and on {len(images)} photos"
    infinite = [name for name in low if not (np.isfinite(low[name]) & np.isfinite(high[name])).all()]
    if infinite or not np.isfinite(output).all():
        faults.append(f"not finite {on}: {infinite[0] if infinite else 'the output'}")
    else:
        lines.append(f"finite {on}")
    slope = gradient(model, seen[:1])
    if not np.isfinite(slope).all() or not slope.any():
        kind = "zero" if np.isfinite(slope).all() else "not finite"
        faults.append(f"the output's gradient with respect to the image is {kind}: no picture can be made of it")
    else:
        lines.append("the output's gradient with respect to the image is finite and not zero")
    if images is None:
        lines.append("with PHOTOS it is also checked which units are silent, and whether the input is right")
        return InputCheck((*lines, *faults), tuple(faults), (), None)
    lines.append(_tell_silent(low, high, len(images)))
    trials = run_trials(model, images, candidates(model.input))
    verdict = judge(trials)
    lines += [*_table(trials), verdict.reason]
    faults += [verdict.reason] if verdict.wrong else []
    return InputCheck((*lines, *(each for each in faults if each not in lines)), tuple(faults), tuple(trials), verdict)


def read_photos(model: Model, photos: str | PathLike[str] | Iterable[Any]) -> np.ndarray:
    """Up to 64 photographs at the network's size, in [0,1]."""
    source: Source = find_photos(photos)
    if isinstance(source, Folder):
        at = np.linspace(0, len(source.files) - 1, min(MOST, len(source.files))).round().astype(int)
        source = replace(source, files=tuple(source.files[number] for number in at))
    else:
        source = Stream(list(islice(source.images, MOST)))
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


def extremes(model: Model, images: np.ndarray) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Of each unit of each layer its smallest and its largest value over images and positions."""
    size = min(BATCH, len(images))
    rest = -len(images) % size
    padded = np.concatenate([images, np.repeat(images[-1:], rest, 0)])
    program = compiled(jax.jit(partial(_extremes, model)), model.weights, padded[:size])
    parts = [program(model.weights, padded[at : at + size]) for at in range(0, len(padded), size)]
    low, high = (
        {name: join([np.asarray(part[which][name]) for part in parts]) for name in parts[0][which]}
        for which, join in enumerate((partial(np.min, axis=0), partial(np.max, axis=0)))
    )
    return low, high


def _extremes(model: Model, weights: Weights, images: jax.Array) -> tuple[dict[str, jax.Array], dict[str, jax.Array]]:
    found = model.apply(weights, images, layers=[layer.name for layer in model.layers])
    rows = {name: value.reshape(-1, value.shape[-1]) for name, value in found.items() if name != IMAGE}
    low, high = ({name: f(value, 0) for name, value in rows.items()} for f in (jnp.min, jnp.max))
    return low, high


def gradient(model: Model, image: np.ndarray) -> np.ndarray:
    """Of the output's squared length with respect to the image."""

    def length(image: jax.Array, weights: Weights) -> jax.Array:
        return jnp.sum(jnp.square(_output(model, weights, image)))

    return np.asarray(compiled(jax.jit(jax.grad(length)), image, model.weights)(image, model.weights))


def _output(model: Model, weights: Weights, images: jax.Array) -> jax.Array:
    return model.apply(weights, images, layers=[OUTPUT])[OUTPUT]


def _tell_silent(low: dict[str, np.ndarray], high: dict[str, np.ndarray], count: int) -> str:
    """A unit is silent that has the same value everywhere on all photographs: a ReLU's zero, say."""
    silent = {name: int((low[name] == high[name]).sum()) for name in low}
    total, units = sum(silent.values()), sum(map(len, low.values()))
    worst = sorted((name for name in silent if silent[name]), key=lambda name: -silent[name] / len(low[name]))[:SHOWN]
    told = ", ".join(f"{name} {silent[name] / len(low[name]):.0%}" for name in worst)
    return (
        f"silent on all {count} photos: {total:,} of {units:,} units ({total / units:.1%}){f': {told}' if told else ''}"
    )


def _table(trials: list[Trial]) -> list[str]:
    """What was measured, without columns that are empty."""
    rows = [["input", "information", "confidence", "spread", "drift"]]
    for trial in trials:
        known = trial.answers
        three = (None,) * 3 if known is None else (known.information, known.confidence, known.spread)
        texts = ["" if number is None else f"{number:.3g}" for number in (*three, trial.drift)]
        rows.append([trial.candidate.label, *texts])
    columns = [column for column in zip(*rows, strict=True) if any(column[1:])]
    widths = [max(map(len, column)) for column in columns]
    lines = []
    for label, *texts in zip(*columns, strict=True):
        lines.append("  ".join([label.ljust(widths[0]), *(t.rjust(w) for t, w in zip(texts, widths[1:], strict=True))]))
    return lines
