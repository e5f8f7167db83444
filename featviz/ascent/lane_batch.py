"""A batch of lanes: the optimizations that one call of the compiled program advances, and the host's state of them."""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from jaxtyping import Array, Bool, Float, Int

from featviz import ascent
from featviz.ascent.lane_keys import lane_keys
from featviz.ascent.outcome import LaneResult, Outcome
from featviz.ascent.program_set import (
    StepShapes,
    step_shapes,
    trace_advance,
    trace_finish,
    trace_prepare,
    trace_start,
)
from featviz.common.compilation import TracedProgram, compile_together
from featviz.common.rare_collection import rare_collection
from featviz.model import Weights
from featviz.objectives import Objective, stack

Images = Float[np.ndarray, "n h w c"]


@dataclass(frozen=True, eq=False)
class LaneRun:
    """How a list of objectives of one structure is optimized.

    `weights`, the step's, lie on all devices of `mesh`, each of which computes `lanes` optimizations at a time, for
    `steps` steps. The draws of a lane depend on `seed`, on the `stage` of the recipe and on its objective.
    """

    routine: ascent.Routine
    weights: Weights | ascent.StepWeights
    penalty: Objective | None
    steps: int
    seed: int
    stage: int
    lanes: int
    mesh: Mesh


class PreparedStep(NamedTuple):
    """The step that all batches of a run share, and the weights as it takes them."""

    plan: ascent.StepPlan
    weights: ascent.PreparedWeights


@rare_collection()
def prepare_step(run: LaneRun, objective: Objective, *, started: bool) -> PreparedStep:
    """The step of a run for objectives like this one; `started` is whether its lanes start from images.

    Where something is to be compiled the lanes' programs are as well, all together, and kept.
    """
    plan = ascent.plan_step(run.routine, run.weights, objective, run.penalty, started=started)
    prepare = trace_prepare(plan, run.weights)
    if not all(part.is_compiled for part in prepare):
        compile_together(_programs(run, objective, plan, prepare, started=started))
    replicated = NamedSharding(run.mesh, PartitionSpec())
    moved, others = (part.compiled()(run.weights) for part in prepare)
    values = tuple(other if value is None else value for value, other in zip(moved, others, strict=True))
    values = jax.device_put(values, replicated)
    return PreparedStep(plan, ascent.PreparedWeights(run.weights, values))


def _programs(
    run: LaneRun, objective: Objective, plan: ascent.StepPlan, prepare: Iterable[TracedProgram], *, started: bool
) -> Iterator[TracedProgram]:
    """The programs of a run, in the order in which threads best compile them."""
    count = run.lanes * run.mesh.devices.size
    keys = lane_keys(run.seed, [objective] * count, stage=run.stage)
    yield trace_start(run.routine, keys, np.zeros((count, *run.routine.shape), np.float32) if started else None)
    shapes = step_shapes(plan, run.weights, count, mesh=run.mesh)
    yield trace_advance(plan, shapes, mesh=run.mesh)
    yield from prepare
    yield trace_finish(plan, shapes, mesh=run.mesh)


@dataclass
class LaneSlot:
    """A slot of a batch with the index of the objective in it; None while it is idle.

    `start` has the images that its lane started from, `clean` the scores of the clean images whenever the host looked,
    and how many steps had been made by then.
    """

    index: int | None = None
    history: list[Float[np.ndarray, " steps"]] = field(default_factory=list)
    start: Images | None = None
    clean: list[tuple[int, Float[np.ndarray, " n"]]] = field(default_factory=list)

    @property
    def steps(self) -> int:
        """Steps recorded so far."""
        return sum(len(scores) for scores in self.history)


class BatchProgress(NamedTuple):
    """The scores of some steps of a batch, and after them its lanes' status, counts of steps and images.

    `clean_scores` are the objectives on these images, without transforms.
    """

    scores: Float[np.ndarray, "steps lanes"]
    status: Int[np.ndarray, " lanes"]
    steps_done: Int[np.ndarray, " lanes"]
    images: Float[Array, "lanes n h w c"]
    clean_scores: Float[np.ndarray, "lanes n"]


class LaneBatch:
    """Lanes that one call of the compiled program advances together; an idle lane repeats the first objective."""

    def __init__(
        self,
        run: LaneRun,
        step: PreparedStep,
        objectives: Sequence[Objective],
        starts: Sequence[Images] | None,
    ) -> None:
        self.run, self.step, self.objectives, self.starts = run, step, objectives, starts
        self.slots = [LaneSlot() for _ in range(run.lanes * run.mesh.devices.size)]
        replicated = NamedSharding(run.mesh, PartitionSpec())
        self.step_limit, self.penalty = jax.device_put((jnp.int32(run.steps), run.penalty), replicated)
        self.stacked: Any = None
        self.lanes: Any = None
        self.program: Any = None
        self.finish: Any = None

    @property
    def busy(self) -> bool:
        """Whether any slot has an objective."""
        return any(slot.index is not None for slot in self.slots)

    def steps_until(self, next_check: int) -> int:
        """Steps to the next check, or to the last step of the lane that is farthest from it if that comes first."""
        return min(next_check, max(self.run.steps - slot.steps for slot in self.slots if slot.index is not None))

    def fill(self, waiting: deque[int]) -> list[int]:
        """Moves waiting objectives into idle slots; the indices of those that were moved."""
        opened = np.zeros(len(self.slots), bool)
        for position, slot in enumerate(self.slots):
            if slot.index is None and waiting:
                self.slots[position] = LaneSlot(waiting.popleft())
                opened[position] = True
        if not opened.any():
            return []
        indices = [slot.index or 0 for slot in self.slots]
        self._start_lanes(indices, opened)
        images, scores = map(np.asarray, self.finish(self.run.weights, self.stacked, self.lanes))
        for position in np.flatnonzero(opened).tolist():
            self.slots[position].start = images[position]
            self.slots[position].clean.append((0, scores[position]))
        return [index for index, is_new in zip(indices, opened, strict=True) if is_new]

    def _start_lanes(self, indices: Sequence[int], opened: Bool[np.ndarray, " lanes"]) -> None:
        """Fresh lanes in the opened slots, and the program that advances them all."""
        run, sharding = self.run, NamedSharding(self.run.mesh, PartitionSpec(ascent.LANES))
        chosen = [self.objectives[index] for index in indices]
        self.stacked = jax.device_put(stack(chosen), sharding)
        keys = lane_keys(run.seed, chosen, stage=run.stage)
        images = None if self.starts is None else np.stack([self.starts[index] for index in indices])
        begin = trace_start(run.routine, keys, images).compiled()
        fresh = jax.device_put(begin(keys, images), sharding)
        if self.lanes is None:
            status = np.where(opened, ascent.RUNNING, ascent.OUT_OF_STEPS).astype(np.int32)
            self.lanes = fresh._replace(status=jax.device_put(status, sharding))
        else:
            self.lanes = jax.device_put(ascent.refill(self.lanes, fresh, jax.device_put(opened, sharding)), sharding)
        if self.program is None:
            # Compiled by `prepare_step`, or else here and not by the threads, which would do it once each.
            shapes = StepShapes(self.step.weights, self.stacked, self.penalty, self.step_limit, self.lanes)
            self.program = trace_advance(self.step.plan, shapes, mesh=run.mesh).compiled()
            self.finish = trace_finish(self.step.plan, shapes, mesh=run.mesh).compiled()

    def advance(self, steps: int) -> BatchProgress:
        """At least `steps` steps of all lanes, in whole chunks."""
        scores = []
        for _ in range(-(-steps // self.run.routine.chunk)):
            arguments = (self.step.weights, self.stacked, self.penalty, self.step_limit)
            self.lanes, chunk_scores = self.program(*arguments, self.lanes)
            scores.append(chunk_scores)
        # One pass of the network in every `CHECK_EVERY` steps; the lanes stay as they are.
        images, clean_scores = self.finish(self.run.weights, self.stacked, self.lanes)
        status, steps_done = np.asarray(self.lanes.status), np.asarray(self.lanes.step)
        return BatchProgress(np.concatenate(scores), status, steps_done, images, np.asarray(clean_scores))

    def record(self, progress: BatchProgress) -> tuple[int, int]:
        """Appends each lane's new scores to its histories; the number of lanes and of steps that ran."""
        total = 0
        for position, slot in enumerate(self.slots):
            if slot.index is not None:
                # A step that met a nan was made, but not kept.
                not_finite = int(progress.status[position] == ascent.NOT_FINITE)
                new_steps = int(progress.steps_done[position]) - slot.steps + not_finite
                slot.history.append(progress.scores[:new_steps, position])
                slot.clean.append((int(progress.steps_done[position]), progress.clean_scores[position]))
                total += new_steps
        return sum(slot.index is not None for slot in self.slots), total

    def results(self, progress: BatchProgress, *, snapshots: bool) -> list[LaneResult]:
        """The results of finished lanes, whose slots become idle; with `snapshots` of the other lanes too."""
        busy = [position for position, slot in enumerate(self.slots) if slot.index is not None]
        status = progress.status
        finished = [position for position in busy if status[position] != ascent.RUNNING]
        wanted = sorted(busy if snapshots else finished, key=lambda position: position in finished)
        if not wanted:
            return []
        pixels, moved = np.asarray(progress.images), np.asarray(self.lanes.moved)
        attribution = None if self.lanes.attribution is None else np.asarray(self.lanes.attribution)
        results = []
        for position in wanted:
            slot = self.slots[position]
            assert slot.index is not None
            assert slot.start is not None
            history = np.concatenate(slot.history)
            clean_steps, clean_scores = zip(*slot.clean, strict=True)
            silent = not any(scores.any() for scores in (history, *clean_scores))
            result = LaneResult(
                objective_index=slot.index,
                pixels=pixels[position],
                scores=progress.clean_scores[position],
                outcome=decide_outcome(int(status[position]), bool(moved[position]) and not silent),
                history=history,
                clean_steps=np.array(clean_steps),
                clean_scores=np.stack(clean_scores),
                start=slot.start,
                attribution=None if attribution is None else attribution[position],
                finished=position in finished,
            )
            results.append(result)
        for position in finished:
            self.slots[position] = LaneSlot()
        return results


def decide_outcome(status: int, alive: bool) -> Outcome:
    """How a lane ended.

    It is `alive` if any gradient was other than zero, and any score: the redirected gradient moves silent units too.
    """
    if status == ascent.NOT_FINITE:
        return Outcome.NOT_FINITE
    if not alive:
        return Outcome.DEAD
    return Outcome.CONVERGED if status == ascent.CONVERGED else Outcome.OUT_OF_STEPS
