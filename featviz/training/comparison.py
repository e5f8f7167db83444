"""One unit, or a few, at several checkpoints: the same noise, one scale for the activations, a sheet and a film."""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

import numpy as np

from featviz.common.signatures import spelled_out
from featviz.dreaming.video import save_film
from featviz.errors import FeatvizError
from featviz.model import Model, require_model
from featviz.objectives import Objective
from featviz.pictures.picture import Picture
from featviz.pictures.sheets import contact_sheet, near_square, save_sheet
from featviz.rendering.checks import as_objectives
from featviz.rendering.render import render
from featviz.rendering.render_options import RenderOptions
from featviz.training.training_weights import read_checkpoint, steps_of, weights_in

if TYPE_CHECKING:
    from PIL.Image import Image

# The bar under a picture: its part of the height, its color, and that of its ground.
PART, INK, GROUND = 1 / 16, (0.86, 0.36, 0.1), (0.85, 0.85, 0.85)


@dataclass(frozen=True)
class Comparison:
    """Pictures of targets at checkpoints: `pictures[target][checkpoint]`, and the checkpoints' `labels`.

    In sheets and films a bar under each picture is its score, of the highest score of its target at any checkpoint.
    """

    labels: tuple[str, ...]
    pictures: tuple[tuple[Picture, ...], ...]

    def scales(self) -> list[float]:
        """The highest score of each target, which its whole bar stands for; 0 if none is above 0."""
        return [max(0.0, *(picture.score for picture in row if np.isfinite(picture.score))) for row in self.pictures]

    def sheet(self) -> "Image":
        """A row for each target, a column for each checkpoint, with unit, label and score beneath."""
        return contact_sheet(self._barred(), columns=len(self.labels), notes=self._notes())

    def save_sheet(self, path: str | os.PathLike[str]) -> Path:
        """Writes the sheet as .png or .webp."""
        return save_sheet(self._barred(), path, columns=len(self.labels), notes=self._notes())

    def frames(self) -> Iterator[np.ndarray]:
        """A frame for each checkpoint: all targets side by side, each with its bar."""
        for at in range(len(self.labels)):
            shown = [
                barred(row[at], scale=scale).pixels for row, scale in zip(self.pictures, self.scales(), strict=True)
            ]
            yield _tiled(shown)

    def save_film(self, path: str | os.PathLike[str], *, rate: float = 4.0) -> Path:
        """Writes the film, a checkpoint after the other, as .gif, .webp or .mp4."""
        return save_film(self.frames(), path, rate=rate)

    def _notes(self) -> list[str]:
        return [*self.labels] * len(self.pictures)

    def _barred(self) -> list[Picture]:
        return [
            barred(picture, scale=scale)
            for row, scale in zip(self.pictures, self.scales(), strict=True)
            for picture in row
        ]


@spelled_out(RenderOptions, seed=0, progress=True)
def compare(
    model: Model,
    checkpoints: Sequence[Any] | Mapping[str, Any] | str | os.PathLike[str],
    target: Objective | Sequence[Objective],
    *,
    labels: Sequence[str] | None = None,
    **options: Unpack[RenderOptions],
) -> Comparison:
    """Pictures of a target, or of several, at several checkpoints of one network, from the same noise.

    Checkpoints are weights, or what holds them (a train state, an nnx module); .safetensors files and folders that
    Orbax has written; or one folder of such, in the order of the numbers in their names. The options are those of
    `render_each`. What is compiled is compiled once.

    >>> import jax
    >>> import featviz as fv
    >>> model = fv.load("patterns")
    >>> half = jax.tree.map(lambda leaf: leaf / 2, model.weights)
    >>> found = fv.compare(model, {"half": half, "whole": model.weights}, fv.channel("conv1", 0), size=16, steps=2)
    >>> found.labels, [picture.name for picture in found.pictures[0]]
    (('half', 'whole'), ['conv1:0', 'conv1:0'])

    Raises: FeatvizError if there is no checkpoint, or one does not fit the model; else as `render` does.
    """
    if "weights" in options:
        raise FeatvizError("`weights` is what compare takes from each of `checkpoints`; expected other options")
    named = _named(checkpoints, labels)
    targets = as_objectives("target", target)
    columns: list[list[Picture]] = []
    for label, given in named:
        tree = read_checkpoint(given) if isinstance(given, str | os.PathLike) else given
        options["weights"] = weights_in(require_model(model), tree, name=label)
        columns.append(render(model, targets, **options))
    return Comparison(tuple(label for label, _ in named), tuple(zip(*columns, strict=True)))


def barred(picture: Picture, *, scale: float) -> Picture:
    """The picture above a bar as long as its score is of `scale`."""
    height, width, channels = picture.pixels.shape
    share = picture.score / scale if scale > 0 and np.isfinite(picture.score) else 0.0
    bar = np.empty((max(2, round(height * PART)), width, channels), np.float32)
    long = round(width * min(max(share, 0.0), 1.0))
    for part, color in ((bar[:, :long], INK), (bar[:, long:], GROUND)):
        part[:] = color if channels == 3 else np.mean(color)
    return replace(picture, pixels=np.concatenate([picture.pixels, bar]), alpha=None)


def _tiled(images: Sequence[np.ndarray]) -> np.ndarray:
    """Images of one size in a grid on white, a few pixels apart."""
    height, width, channels = images[0].shape
    columns = near_square(len(images))
    gap = max(2, width // 32)
    rows = -(-len(images) // columns)
    page = np.ones((rows * (height + gap) + gap, columns * (width + gap) + gap, channels), np.float32)
    for number, image in enumerate(images):
        row, column = divmod(number, columns)
        top, left = gap + row * (height + gap), gap + column * (width + gap)
        page[top : top + height, left : left + width] = image
    return page


def _named(checkpoints: Any, labels: Sequence[str] | None) -> list[tuple[str, Any]]:
    """The checkpoints with their labels."""
    if isinstance(checkpoints, str | os.PathLike):
        checkpoints = steps_of(checkpoints)
    if isinstance(checkpoints, Mapping):
        found = [(str(label), given) for label, given in checkpoints.items()]
    else:
        found = [
            (Path(given).stem if isinstance(given, str | os.PathLike) else str(number), given)
            for number, given in enumerate(checkpoints)
        ]
    if not found:
        raise FeatvizError("`checkpoints` is empty; expected one at least")
    if labels is None:
        return found
    if len(labels) != len(found):
        raise FeatvizError(f"`labels` has {len(labels)} names; expected {len(found)}, one a checkpoint")
    return [(label, given) for label, (_, given) in zip(labels, found, strict=True)]
