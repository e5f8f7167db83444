"""Stages: octaves one after the other, each from what the one before has left, enlarged."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh
from scipy import ndimage

from featviz.ascent import Routine
from featviz.ascent.lanes import LaneResult, lane_key, run_lanes
from featviz.objectives import Objective
from featviz.recipes.base import Carry


@dataclass(frozen=True)
class Octave:
    """A stage that is ready to run: its routine, which has the size, and its steps."""

    routine: Routine
    steps: int
    penalty: Objective | None


def run_stages(
    octaves: Sequence[Octave],
    weights: Any,
    objectives: Sequence[Objective],
    *,
    carry: Carry,
    seed: int,
    start: Sequence[np.ndarray] | None,
    count: int,
    mesh: Mesh,
    on_progress: Callable[[int, int], None],
    on_start: Callable[[int], None] | None = None,
    snapshot_every: int | None = None,
) -> Iterator[LaneResult]:
    """What each objective's lane leaves after the last stage, with the history of all; of one structure.

    `start` has each objective's group of images, (n, height, width, channels), at the last stage's size. A recipe of
    one stage refills lanes as they end; with more, as many objectives as there are lanes go through all stages before
    the next ones. `on_start` is told the number of each objective as it is taken up. With `snapshot_every`, a number of
    steps, lanes that run on are shown as well, at their stage's size.
    """
    if len(octaves) == 1:
        options = {
            "seed": seed,
            "count": count,
            "mesh": mesh,
            "on_progress": on_progress,
            "on_start": on_start,
            "snapshot_every": snapshot_every,
        }
        yield from _run(octaves[0], weights, objectives, 0, start, **options)
        return
    width = count * mesh.devices.size
    for first in range(0, len(objectives), width):
        some = objectives[first : first + width]
        if on_start is not None:
            for at in range(len(some)):
                on_start(first + at)
        given = [None] * len(some) if start is None else start[first : first + width]
        bases = [_base(octaves[-1].routine, seed, each, image) for each, image in zip(some, given, strict=True)]
        ended: list[LaneResult] = []
        for number, octave in enumerate(octaves):
            size = octave.routine.shape[1:3]
            images = [resize(base, size) for base in bases]
            if ended and carry is Carry.DETAIL:
                before = octaves[number - 1].routine.shape[1:3]
                details = [part.pixels - resize(base, before) for part, base in zip(ended, bases, strict=True)]
                images = [np.clip(b + resize(d, size), 0, 1) for b, d in zip(images, details, strict=True)]
            elif ended:
                images = [resize(part.pixels, size) for part in ended]
            options = {
                "seed": seed,
                "count": count,
                "mesh": mesh,
                "on_progress": on_progress,
                "snapshot_every": snapshot_every,
            }
            parts: dict[int, LaneResult] = {}
            for part in _run(octave, weights, some, number, images, **options):
                joined = join(ended[part.number], part) if ended else part
                if part.over:
                    parts[part.number] = joined
                else:
                    yield joined._replace(number=first + part.number)
            ended = [parts[at] for at in range(len(some))]
        yield from (part._replace(number=first + part.number) for part in ended)


def _run(
    octave: Octave,
    weights: Any,
    objectives: Sequence[Objective],
    number: int,
    start: Sequence[np.ndarray] | None,
    **options: Any,
) -> Iterator[LaneResult]:
    yield from run_lanes(
        octave.routine,
        weights,
        objectives,
        penalty=octave.penalty,
        steps=octave.steps,
        start=start,
        stage=number,
        **options,
    )


def _base(routine: Routine, seed: int, objective: Objective, start: np.ndarray | None) -> np.ndarray:
    """The images that the stages grow from, at full size: the start, or the parameterization's own noise."""
    if start is not None:
        return start
    key = jax.random.fold_in(lane_key(seed, objective), 0xFFFFFFFF)
    params = routine.parameterization.init(key, routine.shape)
    return np.asarray(routine.parameterization.to_image(params, routine.shape), np.float32)


def join(old: LaneResult, new: LaneResult) -> LaneResult:
    """One lane's two stages: the new one's picture with the history, and the attribution, of both."""
    history = np.concatenate([old.history, new.history])
    attribution = new.attribution
    if old.attribution is not None and attribution is not None:
        attribution = attribution + resize(old.attribution[..., None], attribution.shape[1:3])[..., 0]
    return new._replace(history=history, attribution=attribution)


def resize(images: np.ndarray, size: tuple[int, ...], *, axis: int = 1) -> np.ndarray:
    """Images, (n, height, width, channels), at another (height, width): linear, corners on corners (scipy's zoom).

    `axis` is that of the height: 0 for one image.

    >>> resize(np.array([[0.0, 1.0]], np.float32), (1, 3), axis=0).tolist()
    [[0.0, 0.5, 1.0]]
    """
    if images.shape[axis : axis + 2] == tuple(size):
        return images
    factors = [1.0] * images.ndim
    factors[axis : axis + 2] = size[0] / images.shape[axis], size[1] / images.shape[axis + 1]
    return np.asarray(ndimage.zoom(images, factors, order=1), np.float32)


def show_attribution(attribution: np.ndarray, *, percentile: float = 80.0) -> np.ndarray:
    """The accumulated gradient as alpha in [0,1]: clipped at its 80th percentile (Fel et al. 2023, MACO).

    >>> show_attribution(np.array([[0.0, 1.0], [2.0, 2.0]]), percentile=50.0).tolist()
    [[0.0, 0.6666666865348816], [1.0, 1.0]]
    """
    bar = np.percentile(attribution, percentile)
    return np.clip(attribution / max(float(bar), 1e-30), 0, 1).astype(np.float32)
