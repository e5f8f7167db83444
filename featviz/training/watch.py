"""Watching a training: pictures of a few units every so many steps, by one compiled program."""

import inspect
import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, Unpack

import jax
import numpy as np

from featviz.common.signatures import spelled_out
from featviz.errors import FeatvizError
from featviz.model import Model, require_model
from featviz.objectives import Objective
from featviz.pictures.file_names import file_stem
from featviz.pictures.picture import Picture
from featviz.rendering.checks import as_objectives, check_count
from featviz.rendering.render import render_each
from featviz.rendering.render_options import LookOptions, RenderOptions
from featviz.training.training_weights import weights_in


class Writer(Protocol):
    """What TensorBoard's writers have, tensorboardX's and PyTorch's alike."""

    def add_image(self, tag: str, image: Any, global_step: int, *, dataformats: str) -> Any: ...


@dataclass(frozen=True)
class Report:
    """What watching took: seconds of all `looks`, of the first, which compiles, and of the training with them."""

    looks: int
    seconds: float
    first: float
    total: float

    @property
    def share(self) -> float:
        """Of the time since the first look."""
        return self.seconds / self.total if self.total else 0.0

    def __str__(self) -> str:
        return (
            f"{self.looks} looks took {self.seconds:.1f} s of {self.total:.1f} s ({self.share:.1%}), "
            f"the first of them {self.first:.1f} s"
        )


class Watch:
    """Pictures of a network's units while it is trained: `watch(step, weights)` in a loop of one's own.

    Each look draws the same targets from the same noise, or `warm`, each from the picture before it, with the weights
    as they are now; what is compiled is compiled at the first look. Weights are those of `Model.weights`, a tree
    that holds them, as linen's variables or a train state, or a live nnx module.

    >>> import featviz as fv
    >>> model = fv.load("patterns")
    >>> watch = fv.Watch(model, fv.channel("conv1", [0, 1]), every=100, size=16, steps=2)
    >>> [len(watch(step, model.weights)) for step in (0, 1, 100)]
    [2, 0, 2]
    >>> watch.report().looks
    2
    """

    @spelled_out(LookOptions, seed=0, progress=False)
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
        **options: Unpack[LookOptions],
    ) -> None:
        """Watches `targets` every `every` steps.

        Args:
          warm: whether a picture goes on from the one before it, or starts afresh from the same noise.
          warm_steps: of a picture that goes on; by default as many as for the first.
          out: a folder for PNG files, `conv1-3/00001000.png`, with their records.
          writer: one of TensorBoard's, with `add_image`.
          callback: called with the step and its pictures.
          options: those of `render_each`: recipe, size, steps, seed and others.

        Raises: FeatvizError for options without sense; a layer or unit that is not there is told at the first look.
        """
        self.model = require_model(model)
        self.targets = as_objectives("targets", targets)
        self.every = check_count("every", every, 1, 1_000_000_000)
        if not self.targets:
            raise FeatvizError("`targets` is empty; expected one objective at least")
        for name in ("weights", "start", "lanes"):
            if name in options:
                raise FeatvizError(
                    f"`{name}` is what Watch gives to each look; expected other options of `render_each`"
                )
        self.warm = warm
        if warm_steps is not None:
            check_count("warm_steps", warm_steps, 1, 1_000_000)
        self.warm_steps = warm_steps
        self.out, self.writer, self.callback = out, writer, callback
        self.options: LookOptions = {"progress": False, **options}
        self.last: list[Picture] = []
        self.times: list[float] = []
        self.began = 0.0

    def __repr__(self) -> str:
        how = "warm" if self.warm else "fresh"
        return f"<Watch of {self.model.name}, {len(self.targets)} targets every {self.every} steps, {how}>"

    def due(self, step: int) -> bool:
        """Whether a look is due at a step."""
        return step % self.every == 0

    def __call__(self, step: int, weights: Any) -> list[Picture]:
        """The pictures of a step, in the order of the targets, if a look is due; else none.

        `weights` may be a function that gives them, which is called only then.
        """
        if not self.due(step):
            return []
        given = weights_in(self.model, weights() if inspect.isroutine(weights) else weights, name="weights")
        # The steps that are under way are the training's own time.
        jax.block_until_ready(given)
        now = time.perf_counter()
        self.began = self.began or now
        self.last = self._look(given)
        self._hand_out(step, self.last)
        self.times.append(time.perf_counter() - now)
        return list(self.last)

    def report(self) -> Report:
        """What watching has taken, of the time since the first look."""
        total = time.perf_counter() - self.began if self.times else 0.0
        return Report(len(self.times), sum(self.times), self.times[0] if self.times else 0.0, total)

    def _look(self, weights: Any) -> list[Picture]:
        pictures: dict[int, Picture] = {}
        for numbers in _alike(self.targets):
            some = [self.targets[number] for number in numbers]
            options: RenderOptions = {**self.options, "weights": weights}
            if self.last:
                # An accelerator has another share of its memory free: the lanes, and so the program, stay.
                options["lanes"] = self.last[numbers[0]].provenance["lanes"]
            if self.last and self.warm:
                options["start"] = [np.clip(self.last[number].pixels, 0, 1) for number in numbers]
                options |= {} if self.warm_steps is None else {"steps": self.warm_steps}
            for at, picture in render_each(self.model, some, **options):
                pictures[numbers[at]] = picture
        return [pictures[number] for number in range(len(pictures))]

    def _hand_out(self, step: int, pictures: list[Picture]) -> None:
        for objective, picture in zip(self.targets, pictures, strict=True):
            if self.out is not None:
                folder = Path(self.out) / file_stem(objective)
                folder.mkdir(parents=True, exist_ok=True)
                suffix = ".png" if picture.pixels.shape[-1] in (1, 3) else ".npy"
                picture.save(folder / f"{step:08d}{suffix}")
            if self.writer is not None:
                # TensorBoard shows together what is under one name, and takes no colons.
                tag = objective.label.replace(":", "/")
                self.writer.add_image(tag, np.asarray(picture.preview().convert("RGB")), step, dataformats="HWC")
        if self.callback is not None:
            self.callback(step, pictures)


def _alike(targets: Sequence[Objective]) -> Iterator[list[int]]:
    """The numbers of targets that one program draws."""
    groups: dict[Any, list[int]] = {}
    for number, target in enumerate(targets):
        groups.setdefault(jax.tree.structure(target), []).append(number)
    yield from groups.values()
