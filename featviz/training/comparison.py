"""One unit, or a few, at several checkpoints: the same noise, one scale for the activations, a sheet and a film."""

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jax.typing import DTypeLike
from jaxtyping import Float

from featviz.ascent import Convergence
from featviz.dreaming.film_files import save_film
from featviz.errors import FeatvizError
from featviz.model import Model, require_model
from featviz.objectives import Objective
from featviz.pictures.picture import Picture
from featviz.pictures.sheets import contact_sheet, near_square, save_sheet
from featviz.recipes import Recipe
from featviz.rendering.checks import Size, Start, as_objectives
from featviz.rendering.render import render
from featviz.training.training_weights import checkpoints_in, read_checkpoint, weights_in

if TYPE_CHECKING:
    from PIL.Image import Image

# The bar under a picture: its share of the height, its color, and that of its background.
BAR_HEIGHT, BAR_COLOR, BACKGROUND = 1 / 16, (0.86, 0.36, 0.1), (0.85, 0.85, 0.85)


@dataclass(frozen=True)
class Comparison:
    """Pictures of targets at checkpoints: `pictures[target][checkpoint]`, and the checkpoints' `labels`.

    In sheets and films a bar under each picture is its score, as a share of the highest score of its target.
    """

    labels: tuple[str, ...]
    pictures: tuple[tuple[Picture, ...], ...]

    def scales(self) -> list[float]:
        """The highest score of each target at any checkpoint, which a full bar stands for; 0 if none is above 0."""
        return [max(0.0, *(picture.score for picture in row if np.isfinite(picture.score))) for row in self.pictures]

    def sheet(self) -> "Image":
        """A row for each target, a column for each checkpoint, with unit, label and score beneath."""
        return contact_sheet(self._with_bars(), columns=len(self.labels), notes=self._notes())

    def save_sheet(self, path: str | os.PathLike[str]) -> Path:
        """Writes the sheet as .png or .webp."""
        return save_sheet(self._with_bars(), path, columns=len(self.labels), notes=self._notes())

    def frames(self) -> Iterator[Float[np.ndarray, "h w c"]]:
        """A frame for each checkpoint: all targets side by side, each with its bar."""
        for checkpoint in range(len(self.labels)):
            yield _grid(
                [
                    with_bar(row[checkpoint], scale=scale).pixels
                    for row, scale in zip(self.pictures, self.scales(), strict=True)
                ]
            )

    def save_film(self, path: str | os.PathLike[str], *, rate: float = 4.0) -> Path:
        """Writes the film, a checkpoint after the other, as .gif, .webp or .mp4."""
        return save_film(self.frames(), path, rate=rate)

    def _notes(self) -> list[str]:
        return [*self.labels] * len(self.pictures)

    def _with_bars(self) -> list[Picture]:
        return [
            with_bar(picture, scale=scale)
            for row, scale in zip(self.pictures, self.scales(), strict=True)
            for picture in row
        ]


def compare(
    model: Model,
    checkpoints: Sequence[Any] | Mapping[str, Any] | str | os.PathLike[str],
    target: Objective | Sequence[Objective],
    *,
    labels: Sequence[str] | None = None,
    recipe: Recipe | str | None = None,
    size: Size | None = None,
    steps: int | None = None,
    seed: int = 0,
    start: Start | None = None,
    keep: Iterable[int] | None = None,
    lanes: int | None = None,
    dtype: DTypeLike | None = None,
    convergence: Convergence | None = None,
    transparency: bool | None = None,
    progress: bool = True,
) -> Comparison:
    """Pictures of one or more targets at several checkpoints of one network, from the same noise.

    The program is compiled once for all checkpoints.

    Args:
      checkpoints: weights, or a train state or nnx module that holds them; .safetensors files or folders written by
        Orbax; or one folder of such, in the order of the numbers in their names. A mapping gives them names.
      target: one objective, or a list of them.
      labels: a name for each checkpoint. None: the keys, the names of the files, or the position.

    The other args are those of `render`.

    Returns:
      A Comparison, which makes sheets and films.

    Raises:
      FeatvizError: if there is no checkpoint, or one does not fit the model; else as `render` does.

    >>> import jax
    >>> import featviz as fv
    >>> model = fv.load("patterns")
    >>> half = jax.tree.map(lambda leaf: leaf / 2, model.weights)
    >>> compared = fv.compare(model, {"half": half, "full": model.weights}, fv.channel("conv1", 0), size=16, steps=2)
    >>> compared.labels, [picture.name for picture in compared.pictures[0]]
    (('half', 'full'), ['conv1:0', 'conv1:0'])
    """
    labeled = _label(checkpoints, labels)
    targets = as_objectives("target", target)
    columns: list[list[Picture]] = []
    for label, given in labeled:
        tree = read_checkpoint(given) if isinstance(given, str | os.PathLike) else given
        pictures = render(
            model,
            targets,
            weights=weights_in(require_model(model), tree, name=label),
            recipe=recipe,
            size=size,
            steps=steps,
            seed=seed,
            start=start,
            keep=keep,
            lanes=lanes,
            dtype=dtype,
            convergence=convergence,
            transparency=transparency,
            progress=progress,
        )
        columns.append(pictures)
    return Comparison(tuple(label for label, _ in labeled), tuple(zip(*columns, strict=True)))


def with_bar(picture: Picture, *, scale: float) -> Picture:
    """The picture above a bar whose length is its score as a share of `scale`."""
    height, width, channels = picture.pixels.shape
    share = picture.score / scale if scale > 0 and np.isfinite(picture.score) else 0.0
    bar = np.empty((max(2, round(height * BAR_HEIGHT)), width, channels), np.float32)
    filled = round(width * min(max(share, 0.0), 1.0))
    for part, color in ((bar[:, :filled], BAR_COLOR), (bar[:, filled:], BACKGROUND)):
        part[:] = color if channels == 3 else np.mean(color)
    return replace(picture, pixels=np.concatenate([picture.pixels, bar]), alpha=None)


def _grid(images: Sequence[Float[np.ndarray, "h w c"]]) -> Float[np.ndarray, "rows columns c"]:
    """Images of one size in a grid on white, a few pixels apart."""
    height, width, channels = images[0].shape
    columns = near_square(len(images))
    gap = max(2, width // 32)
    rows = -(-len(images) // columns)
    page = np.ones((rows * (height + gap) + gap, columns * (width + gap) + gap, channels), np.float32)
    for index, image in enumerate(images):
        row, column = divmod(index, columns)
        top, left = gap + row * (height + gap), gap + column * (width + gap)
        page[top : top + height, left : left + width] = image
    return page


def _label(checkpoints: Any, labels: Sequence[str] | None) -> list[tuple[str, Any]]:
    """The checkpoints with their labels."""
    if isinstance(checkpoints, str | os.PathLike):
        checkpoints = checkpoints_in(checkpoints)
    if isinstance(checkpoints, Mapping):
        labeled = [(str(label), given) for label, given in checkpoints.items()]
    else:
        labeled = [
            (Path(given).stem if isinstance(given, str | os.PathLike) else str(index), given)
            for index, given in enumerate(checkpoints)
        ]
    if not labeled:
        raise FeatvizError("`checkpoints` is empty; expected one at least")
    if labels is None:
        return labeled
    if len(labels) != len(labeled):
        raise FeatvizError(f"`labels` has {len(labels)} names; expected {len(labeled)}, one for each checkpoint")
    return [(label, given) for label, (_, given) in zip(labels, labeled, strict=True)]
