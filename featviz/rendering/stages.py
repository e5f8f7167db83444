"""Stages: octaves one after the other, each starting from the result of the one before, enlarged."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import jax
import numpy as np
from jax.sharding import Mesh
from jaxtyping import Float

from featviz.ascent import Routine, StepWeights
from featviz.ascent.batching import concurrent_batches
from featviz.ascent.lane_batch import Images, LaneRun
from featviz.ascent.lane_keys import lane_key
from featviz.ascent.lanes import Monitor, run_lanes
from featviz.ascent.outcome import LaneResult
from featviz.model import Weights
from featviz.objectives import Objective
from featviz.recipes.base import Carry
from featviz.rendering.request import Request


@dataclass(frozen=True)
class Placement:
    """Where a request runs: the steps' `weights` on all devices of `mesh`, `lanes` optimizations at a time on each."""

    weights: Weights | StepWeights
    mesh: Mesh
    lanes: int


def run_stages(
    request: Request, indices: Sequence[int], placement: Placement, monitor: Monitor
) -> Iterator[tuple[int, LaneResult]]:
    """The results of the request's objectives at `indices`, of one structure, each with its objective's index.

    A recipe of one stage refills lanes as they finish. With more, as many objectives as there are lanes go through all
    stages before the next ones. Results that are not `finished` are snapshots, at their stage's size.
    """
    if len(request.stages) == 1:
        starts = [_start_images(request, index) for index in indices] if request.starts else None
        yield from _run_stage(request, 0, indices, starts, placement, monitor)
        return
    lanes = placement.lanes * placement.mesh.devices.size * concurrent_batches(placement.mesh)
    for first in range(0, len(indices), lanes):
        yield from _run_batch(request, indices[first : first + lanes], placement, monitor)


def _run_batch(
    request: Request, indices: Sequence[int], placement: Placement, monitor: Monitor
) -> Iterator[tuple[int, LaneResult]]:
    """All stages of as many objectives as there are lanes."""
    if monitor.on_start is not None:
        for index in indices:
            monitor.on_start(index)
    bases = [_base_images(request, index) for index in indices]
    finished: dict[int, LaneResult] = {}
    for stage in range(len(request.stages)):
        before = finished
        starts = [
            _next_images(request, stage, base, before.get(index)) for index, base in zip(indices, bases, strict=True)
        ]
        finished = {}
        quiet = replace(monitor, on_start=None)
        for index, result in _run_stage(request, stage, indices, starts, placement, quiet):
            joined = join(before[index], result) if before else result
            if joined.finished:
                finished[index] = joined
            else:
                yield index, joined
    yield from ((index, finished[index]) for index in indices)


def _run_stage(
    request: Request,
    stage: int,
    indices: Sequence[int],
    starts: Sequence[Images] | None,
    placement: Placement,
    monitor: Monitor,
) -> Iterator[tuple[int, LaneResult]]:
    """One stage of the objectives at `indices`."""
    prepared = request.stages[stage]
    on_start = monitor.on_start
    if on_start is not None:
        monitor = replace(monitor, on_start=lambda position: on_start(indices[position]))
    run = LaneRun(
        routine=prepared.routine,
        weights=placement.weights,
        penalty=prepared.penalty,
        steps=prepared.steps,
        seed=request.seed,
        stage=stage,
        lanes=placement.lanes,
        mesh=placement.mesh,
    )
    objectives = [request.objectives[index] for index in indices]
    results = run_lanes(run, objectives, starts, monitor)
    return ((indices[result.objective_index], result) for result in results)


def _start_images(request: Request, index: int) -> Images:
    """The caller's start images of an objective's group."""
    return np.ascontiguousarray(request.starts[index])


def _base_images(request: Request, index: int) -> Images:
    """The images that the stages grow from, at full size: the start, or the parameterization's own noise."""
    if request.starts:
        return _start_images(request, index)
    return _noise(request.stages[-1].routine, request.seed, request.objectives[index])


def _noise(routine: Routine, seed: int, objective: Objective) -> Images:
    key = jax.random.fold_in(lane_key(seed, objective), 0xFFFFFFFF)
    params = routine.parameterization.init(key, routine.shape)
    return np.asarray(routine.parameterization.to_image(params, routine.shape), np.float32)


def _next_images(request: Request, stage: int, base: Images, before: LaneResult | None) -> Images:
    """The images that a stage starts from: what `carry` takes over from the stage before, else the base."""
    size = request.stages[stage].routine.shape[1:3]
    if before is None:
        return resize(base, size)
    if request.recipe.carry is Carry.DETAIL:
        detail = before.pixels - resize(base, request.stages[stage - 1].routine.shape[1:3])
        images = np.clip(resize(base, size) + resize(detail, size), 0, 1)
    else:
        images = resize(before.pixels, size)
    if request.keep:
        images = images.copy()
        images[..., list(request.keep)] = resize(base, size)[..., list(request.keep)]
    return images


def join(earlier: LaneResult, later: LaneResult) -> LaneResult:
    """Two stages of one lane as one result: the later image; start, histories and attribution of both."""
    history = np.concatenate([earlier.history, later.history])
    # The later stage starts from the image with which the earlier one ends.
    clean_steps = np.concatenate([earlier.clean_steps, len(earlier.history) + later.clean_steps[1:]])
    clean_scores = np.concatenate([earlier.clean_scores, later.clean_scores[1:]])
    attribution = later.attribution
    if earlier.attribution is not None and attribution is not None:
        attribution = attribution + resize(earlier.attribution[..., None], attribution.shape[1:3])[..., 0]
    return later._replace(
        history=history,
        clean_steps=clean_steps,
        clean_scores=clean_scores,
        start=resize(earlier.start, later.pixels.shape[1:3]),
        attribution=attribution,
    )


def resize(images: Float[np.ndarray, "..."], size: tuple[int, ...], *, axis: int = 1) -> Float[np.ndarray, "..."]:
    """Images, (n, height, width, channels), at another (height, width): linear, corners on corners (scipy's zoom).

    `axis` is that of the height: 0 for one image.

    >>> resize(np.array([[0.0, 1.0]], np.float32), (1, 3), axis=0).tolist()
    [[0.0, 0.5, 1.0]]
    """
    if images.shape[axis : axis + 2] == tuple(size):
        return images
    # A sixth of featviz's import, which most pictures do not need.
    from scipy import ndimage

    factors = [1.0] * images.ndim
    factors[axis : axis + 2] = size[0] / images.shape[axis], size[1] / images.shape[axis + 1]
    return np.asarray(ndimage.zoom(images, factors, order=1), np.float32)
