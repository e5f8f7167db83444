"""Watching a training: pictures of a few units every so many steps, by one compiled program."""

import inspect
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import jax
import numpy as np
from jax.typing import DTypeLike

from featviz.ascent import Convergence
from featviz.errors import FeatvizError
from featviz.model import Model, Weights, require_model
from featviz.objectives import Objective
from featviz.pictures.file_names import file_stems
from featviz.pictures.picture import Picture
from featviz.recipes import Recipe
from featviz.rendering.checks import Size, as_objectives, check_count
from featviz.rendering.render import render_each
from featviz.rendering.request import group_by_structure
from featviz.training.training_weights import weights_in


class Writer(Protocol):
    """The part of TensorBoard's writers that is used; tensorboardX and PyTorch both have it."""

    def add_image(self, tag: str, image: Any, global_step: int, *, dataformats: str) -> Any: ...


@dataclass(frozen=True)
class RenderOptions:
    """The options of `render` that stay the same during a training."""

    recipe: Recipe | str | None
    size: Size | None
    steps: int | None
    seed: int
    dtype: DTypeLike | None
    convergence: Convergence | None
    transparency: bool | None
    progress: bool


@dataclass(frozen=True)
class Report:
    """What watching costs: seconds of all `updates`, of the `first`, which compiles, and of the training with them."""

    updates: int
    seconds: float
    first: float
    total: float

    @property
    def share(self) -> float:
        """Share of the time since the first update that watching took."""
        return self.seconds / self.total if self.total else 0.0

    def __str__(self) -> str:
        return (
            f"{self.updates} updates took {self.seconds:.1f} s of {self.total:.1f} s ({self.share:.1%}), "
            f"the first of them {self.first:.1f} s"
        )


class Watch:
    """Pictures of a network's units while it is trained: `watch(step, weights)` in your own training loop.

    Each update renders the same targets with the current weights, from the same noise or, if `warm`, from the pictures
    of the update before. The first update compiles the program; later ones reuse it. Weights are those of
    `Model.weights`, a tree that holds them, such as linen's variables or a train state, or a live nnx module.

    >>> import featviz as fv
    >>> model = fv.load("patterns")
    >>> watch = fv.Watch(model, fv.channel("conv1", [0, 1]), every=100, size=16, steps=2)
    >>> [len(watch(step, model.weights)) for step in (0, 1, 100)]
    [2, 0, 2]
    >>> watch.report().updates
    2
    """

    def __init__(
        self,
        model: Model,
        targets: Objective | Sequence[Objective],
        *,
        every: int,
        warm: bool = False,
        warm_steps: int | None = None,
        out: str | os.PathLike[str] | None = None,
        writer: Writer | None = None,
        callback: Callable[[int, list[Picture]], Any] | None = None,
        recipe: Recipe | str | None = None,
        size: Size | None = None,
        steps: int | None = None,
        seed: int = 0,
        dtype: DTypeLike | None = None,
        convergence: Convergence | None = None,
        transparency: bool | None = None,
        progress: bool = False,
    ) -> None:
        """Watches `targets` every `every` steps.

        Args:
          warm: whether a picture continues from the one before it, instead of the same noise.
          warm_steps: steps of a picture that continues. None: as many as for the first.
          out: a folder for PNG files, `conv1-3/00001000.png`, with their records.
          writer: one of TensorBoard's, with `add_image`.
          callback: called with the step and its pictures.

        The other args are those of `render`.

        Raises:
          FeatvizError: for an option out of its range; for an unknown layer or unit at the first update.
        """
        self.model = require_model(model)
        self.targets = as_objectives("targets", targets)
        self.every = check_count("every", every, 1, 1_000_000_000)
        if not self.targets:
            raise FeatvizError("`targets` is empty; expected one objective at least")
        self.warm = warm
        if warm_steps is not None:
            check_count("warm_steps", warm_steps, 1, 1_000_000)
        self.warm_steps = warm_steps
        self.out, self.writer, self.callback = out, writer, callback
        self.options = RenderOptions(recipe, size, steps, seed, dtype, convergence, transparency, progress)
        self.last: list[Picture] = []
        self.times: list[float] = []
        self.began = 0.0

    def __repr__(self) -> str:
        how = "warm" if self.warm else "fresh"
        return f"<Watch of {self.model.name}, {len(self.targets)} targets every {self.every} steps, {how}>"

    def due(self, step: int) -> bool:
        """Whether an update is due at a step of the training."""
        return step % self.every == 0

    def __call__(self, step: int, weights: Any) -> list[Picture]:
        """The pictures of a step, in the order of the targets, if an update is due; else an empty list.

        `weights` may be a function that returns them, which is called only if an update is due.
        """
        if not self.due(step):
            return []
        current = weights_in(self.model, weights() if inspect.isroutine(weights) else weights, name="weights")
        # Steps that still run count as the training's time.
        jax.block_until_ready(current)
        now = time.perf_counter()
        self.began = self.began or now
        self.last = self._render(current)
        self._write(step, self.last)
        self.times.append(time.perf_counter() - now)
        return list(self.last)

    def report(self) -> Report:
        """What watching has cost since the first update."""
        total = time.perf_counter() - self.began if self.times else 0.0
        return Report(len(self.times), sum(self.times), self.times[0] if self.times else 0.0, total)

    def _render(self, weights: Weights) -> list[Picture]:
        """The pictures of all targets with these weights, one compiled program for each structure."""
        pictures: dict[int, Picture] = {}
        options, warm = self.options, self.warm and bool(self.last)
        if warm and self.warm_steps is not None:
            options = replace(options, steps=self.warm_steps)
        for indices in group_by_structure(self.targets):
            rendered = render_each(
                self.model,
                [self.targets[index] for index in indices],
                weights=weights,
                start=[np.clip(self.last[index].pixels, 0, 1) for index in indices] if warm else None,
                # The free memory of an accelerator changes during a training; the same lanes keep the same program.
                lanes=self.last[indices[0]].provenance["lanes"] if self.last else None,
                recipe=options.recipe,
                size=options.size,
                steps=options.steps,
                seed=options.seed,
                dtype=options.dtype,
                convergence=options.convergence,
                transparency=options.transparency,
                progress=options.progress,
            )
            pictures |= {indices[position]: picture for position, picture in rendered}
        return [pictures[index] for index in range(len(pictures))]

    def _write(self, step: int, pictures: list[Picture]) -> None:
        """Writes the pictures of a step to the folder and to TensorBoard, and calls the callback."""
        stems = file_stems(self.model, self.targets, classes=False)
        for objective, stem, picture in zip(self.targets, stems, pictures, strict=True):
            if self.out is not None:
                folder = Path(self.out) / stem
                folder.mkdir(parents=True, exist_ok=True)
                suffix = ".png" if picture.pixels.shape[-1] in (1, 3) else ".npy"
                picture.save(folder / f"{step:08d}{suffix}")
            if self.writer is not None:
                # TensorBoard groups by the part of the name before a slash, and takes no colons.
                tag = objective.label.replace(":", "/")
                self.writer.add_image(tag, np.asarray(picture.preview().convert("RGB")), step, dataformats="HWC")
        if self.callback is not None:
            self.callback(step, pictures)
