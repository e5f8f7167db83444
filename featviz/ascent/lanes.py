"""Objectives through lanes: the host's side of the ascent, which starts, advances and refills them."""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from featviz import ascent
from featviz.ascent.batching import concurrent_batches
from featviz.ascent.outcome import Outcome
from featviz.common.compilation import compiled
from featviz.objectives import Objective, stack

# Steps between two looks at the lanes: a stop waits this long at most, and so does a lane that has ended.
WATCH = 16


class LaneResult(NamedTuple):
    """What a lane leaves behind: `pixels` (n, height, width, channels), `scores` (n,), `history` (steps,).

    `attribution`, (n, height, width), is the sum over the steps of |d objective / d image|, where it was wanted. One
    that is not `over` is a snapshot of a lane that runs on.
    """

    number: int
    pixels: np.ndarray
    scores: np.ndarray
    outcome: Outcome
    history: np.ndarray
    attribution: np.ndarray | None
    over: bool = True


@dataclass
class LaneSlot:
    """A place among the lanes, and the objective in it; None where it idles."""

    number: int | None = None
    history: list[np.ndarray] = field(default_factory=list)

    @property
    def steps(self) -> int:
        return sum(len(part) for part in self.history)


class Advanced(NamedTuple):
    """What some steps of a batch of lanes leave: scores (steps, lanes), status (lanes,), steps done (lanes,)."""

    scores: np.ndarray
    status: np.ndarray
    done: np.ndarray


def run_lanes(
    routine: ascent.Routine,
    weights: Any,
    objectives: Sequence[Objective],
    *,
    penalty: Objective | None,
    steps: int,
    seed: int,
    start: Sequence[np.ndarray] | None,
    count: int,
    mesh: Mesh,
    on_progress: Callable[[int, int], None],
    on_start: Callable[[int], None] | None = None,
    stage: int = 0,
    snapshot_every: int | None = None,
) -> Iterator[LaneResult]:
    """Runs objectives of one structure, `count` at a time on each device; a lane that ends makes room for the next.

    On a CPU two batches of so many lanes run concurrently, each advanced by a thread of its own. All run one compiled
    program, so a picture does not depend on its batch. `on_progress(lanes, steps)` is told how many lanes ran and how
    many steps they made together. `weights` lie on all devices of the mesh. The next steps are under way while a
    picture is taken out. `start` has the images of each objective's group, (n, height, width, channels), in place of
    noise. A later `stage` draws afresh. `on_start` is told the number of each objective as a lane takes it up. With
    `snapshot_every` lanes that run on are shown as well, every so many steps.
    """
    waiting = deque(range(len(objectives)))

    def key_of(number: int) -> jax.Array:
        return lane_key(seed, objectives[number], stage=stage)

    limit, penalty = jax.device_put((jnp.int32(steps), penalty), NamedSharding(mesh, PartitionSpec()))
    width = count * mesh.devices.size
    fixed = (routine, weights, limit, penalty, mesh, objectives, start, key_of)
    made = [
        LaneBatch(*fixed, [LaneSlot() for _ in range(width)])
        for _ in range(min(concurrent_batches(mesh), -(-len(objectives) // width)))
    ]
    with ThreadPoolExecutor(len(made)) as pool:
        running: dict[Future[Advanced], LaneBatch] = {}

        def go_on(batch: LaneBatch) -> None:
            for number in batch.fill(waiting):
                if on_start is not None:
                    on_start(number)
            if batch.busy:
                remaining = max(steps - slot.steps for slot in batch.slots if slot.number is not None)
                running[pool.submit(batch.advance, min(snapshot_every or WATCH, remaining))] = batch

        for batch in made:
            go_on(batch)
        while running:
            finished, _ = wait(running, return_when=FIRST_COMPLETED)
            for future in finished:
                batch = running.pop(future)
                advanced = future.result()
                on_progress(*batch.record(advanced))
                results = batch.results(advanced.status, snapshots=snapshot_every is not None)
                go_on(batch)
                # Handed out here, while the steps just begun run on.
                yield from results


@dataclass
class LaneBatch:
    """The lanes of one call of the compiled program, `slots` in their order; the host's state of them."""

    routine: ascent.Routine
    weights: Any
    limit: jax.Array
    penalty: Objective | None
    mesh: Mesh
    objectives: Sequence[Objective]
    start: Sequence[np.ndarray] | None
    key_of: Callable[[int], jax.Array]
    slots: list[LaneSlot]
    stacked: Any = None
    lanes: Any = None
    program: Any = None

    @property
    def busy(self) -> bool:
        return any(slot.number is not None for slot in self.slots)

    def fill(self, waiting: deque[int]) -> list[int]:
        """Puts waiting objectives into idle slots; the numbers of those that were taken up."""
        opened = np.zeros(len(self.slots), bool)
        for at, slot in enumerate(self.slots):
            if slot.number is None and waiting:
                self.slots[at] = LaneSlot(waiting.popleft())
                opened[at] = True
        if not opened.any():
            return []
        lane = NamedSharding(self.mesh, PartitionSpec(ascent.LANES))
        # An idle lane repeats the first objective.
        numbers = [slot.number or 0 for slot in self.slots]
        self.stacked = jax.device_put(stack([self.objectives[number] for number in numbers]), lane)
        keys = jnp.stack([self.key_of(number) for number in numbers])
        images = None if self.start is None else np.stack([self.start[number] for number in numbers])
        fresh = jax.device_put(ascent.start(self.routine, keys, images), lane)
        if self.lanes is None:
            idle = np.where(opened, ascent.RUNNING, ascent.OUT_OF_STEPS).astype(np.int32)
            self.lanes = fresh._replace(status=jax.device_put(idle, lane))
        else:
            self.lanes = jax.device_put(ascent.refill(self.lanes, fresh, jax.device_put(opened, lane)), lane)
        # Compiled here and not by the threads, which would do it once each.
        arguments = (self.weights, self.stacked, self.penalty, self.limit, self.lanes)
        self.program = compiled(ascent.advance, *arguments, routine=self.routine, mesh=self.mesh)
        return [number for number, new in zip(numbers, opened, strict=True) if new]

    def advance(self, steps: int) -> Advanced:
        """At least so many steps of all lanes, in whole chunks."""
        parts = []
        for _ in range(-(-steps // self.routine.chunk)):
            self.lanes, part = self.program(self.weights, self.stacked, self.penalty, self.limit, self.lanes)
            parts.append(part)
        return Advanced(np.concatenate(parts), np.asarray(self.lanes.status), np.asarray(self.lanes.step))

    def record(self, advanced: Advanced) -> tuple[int, int]:
        """Appends each lane's new scores to its history; the number of lanes and of steps that ran."""
        total = 0
        for at, slot in enumerate(self.slots):
            if slot.number is not None:
                # A step that met a nan was made, but not kept.
                new = int(advanced.done[at]) - slot.steps + int(advanced.status[at] == ascent.NOT_FINITE)
                slot.history.append(advanced.scores[:new, at])
                total += new
        return sum(slot.number is not None for slot in self.slots), total

    def results(self, status: np.ndarray, *, snapshots: bool) -> list[LaneResult]:
        """What the lanes have drawn that are over, whose slots idle from now on; of the others too for `snapshots`."""
        busy = [at for at, slot in enumerate(self.slots) if slot.number is not None]
        over = [at for at in busy if status[at] != ascent.RUNNING]
        wanted = sorted(busy if snapshots else over, key=lambda at: at in over)
        if not wanted:
            return []
        program = compiled(ascent.finish, self.weights, self.stacked, self.lanes, routine=self.routine, mesh=self.mesh)
        pixels, finals = map(np.asarray, program(self.weights, self.stacked, self.lanes))
        moved = np.asarray(self.lanes.moved)
        attribution = None if self.lanes.attribution is None else np.asarray(self.lanes.attribution)
        results = []
        for at in wanted:
            number, history = self.slots[at].number, np.concatenate(self.slots[at].history)
            assert number is not None
            outcome = _outcome(int(status[at]), bool(moved[at]), history)
            part = None if attribution is None else attribution[at]
            results.append(LaneResult(number, pixels[at], finals[at], outcome, history, part, over=at in over))
        for at in over:
            self.slots[at] = LaneSlot()
        return results


def lane_key(seed: int, objective: Objective, *, stage: int = 0) -> jax.Array:
    """The key of an objective's lane: the root key of the seed, folded with the objective's hash, then the stage."""
    key = jax.random.key(seed)
    for word in (objective.hash[:8], objective.hash[8:16]):
        key = jax.random.fold_in(key, int(word, 16))
    return jax.random.fold_in(key, stage) if stage else key


def _outcome(status: int, moved: bool, history: np.ndarray) -> Outcome:
    if status == ascent.NOT_FINITE:
        return Outcome.NOT_FINITE
    if not moved or (len(history) > 1 and np.ptp(history) == 0):
        return Outcome.DEAD
    return Outcome.CONVERGED if status == ascent.CONVERGED else Outcome.OUT_OF_STEPS
