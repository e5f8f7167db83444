"""Objectives through lanes: the host's side of the ascent, which starts, watches and refills them."""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from featviz import ascent
from featviz.ascent.outcome import Outcome
from featviz.common.compilation import compiled
from featviz.objectives import Objective, stack

# Steps between two looks at the lanes: a stop waits this long at most, and so does a lane that has ended.
WATCH = 16


class LaneResult(NamedTuple):
    """What a lane leaves behind: `pixels` (n, height, width, channels), `scores` (n,), `history` (steps,).

    `attribution`, (n, height, width), is the sum over the steps of |d objective / d image|, where it was wanted. One
    that is not `over` is a look at a lane that runs on.
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

    `tick(lanes, steps)` is told how many lanes ran and how many steps they made together. Every call runs one
    compiled program of `count` lanes a device, idle ones frozen, so a picture does not depend on its slot or
    neighbors. `weights` lie on all devices of the mesh. The next steps are under way while a picture is taken out.
    `start` has the images of each objective's group, (n, height, width, channels), in place of noise. A later `stage`
    draws afresh. `on_start` is told the number of each objective as a lane takes it up. With `snapshot_every`
    lanes that run on are shown as well, every so many steps.
    """
    lane, every = (NamedSharding(mesh, spec) for spec in (PartitionSpec(ascent.LANES), PartitionSpec()))
    waiting = deque(range(len(objectives)))
    slots = [LaneSlot() for _ in range(count * mesh.devices.size)]
    limit, penalty = jax.device_put((jnp.int32(steps), penalty), every)
    lanes = stacked = None
    ready: list[LaneResult] = []
    while True:
        if lanes is None or (waiting and any(slot.number is None for slot in slots)):
            opened = _fill(slots, waiting)
            # An idle lane repeats the first objective.
            chosen = [objectives[slot.number or 0] for slot in slots]
            stacked = jax.device_put(stack(chosen), lane)
            keys = jnp.stack([lane_key(seed, objective, stage=stage) for objective in chosen])
            images = None if start is None else np.stack([start[slot.number or 0] for slot in slots])
            fresh = jax.device_put(ascent.start(routine, keys, images), lane)
            for slot, new in zip(slots, opened, strict=True):
                if on_start is not None and new and slot.number is not None:
                    on_start(slot.number)
            if lanes is None:
                idle = np.where(opened, ascent.RUNNING, ascent.OUT_OF_STEPS).astype(np.int32)
                lanes = fresh._replace(status=jax.device_put(idle, lane))
            else:
                lanes = jax.device_put(ascent.refill(lanes, fresh, jax.device_put(opened, lane)), lane)
        busy = any(slot.number is not None for slot in slots)
        parts = []
        if busy:
            arguments = (weights, stacked, penalty, limit)
            program = compiled(ascent.advance, *arguments, lanes, routine=routine, mesh=mesh)
            left = max(steps - slot.steps for slot in slots if slot.number is not None)
            for _ in range(-(-min(snapshot_every or WATCH, left) // routine.chunk)):
                lanes, part = program(*arguments, lanes)
                parts.append(part)
        # Handed out here, while the steps just begin run on.
        yield from ready
        if not busy:
            return
        scores, status, made = np.concatenate(parts), np.asarray(lanes.status), np.asarray(lanes.step)
        on_progress(*_record(slots, scores, status, made))
        over = [at for at, slot in enumerate(slots) if slot.number is not None and status[at] != ascent.RUNNING]
        seen = (
            [at for at, slot in enumerate(slots) if slot.number is not None and at not in over]
            if snapshot_every
            else []
        )
        ready = [each._replace(over=False) for each in _see(routine, weights, stacked, lanes, slots, seen, mesh=mesh)]
        ready += _see(routine, weights, stacked, lanes, slots, over, mesh=mesh)
        for at in over:
            slots[at] = LaneSlot()


def _see(
    routine: ascent.Routine,
    weights: Any,
    stacked: Any,
    lanes: ascent.Lane,
    slots: list[LaneSlot],
    chosen: list[int],
    *,
    mesh: Mesh,
) -> list[LaneResult]:
    """What the lanes in the chosen slots have drawn."""
    if not chosen:
        return []
    program = compiled(ascent.finish, weights, stacked, lanes, routine=routine, mesh=mesh)
    pixels, finals = map(np.asarray, program(weights, stacked, lanes))
    moved, status = np.asarray(lanes.moved), np.asarray(lanes.status)
    attribution = None if lanes.attribution is None else np.asarray(lanes.attribution)
    left = []
    for at in chosen:
        number, history = slots[at].number, np.concatenate(slots[at].history)
        assert number is not None
        outcome = _outcome(int(status[at]), bool(moved[at]), history)
        part = None if attribution is None else attribution[at]
        left.append(LaneResult(number, pixels[at], finals[at], outcome, history, part))
    return left


def lane_key(seed: int, objective: Objective, *, stage: int = 0) -> jax.Array:
    """The key of an objective's lane: the root key of the seed, folded with the objective's hash, then the stage."""
    key = jax.random.key(seed)
    for word in (objective.hash[:8], objective.hash[8:16]):
        key = jax.random.fold_in(key, int(word, 16))
    return jax.random.fold_in(key, stage) if stage else key


def _fill(slots: list[LaneSlot], waiting: deque[int]) -> np.ndarray:
    """Puts waiting objectives into idle slots; which slots were opened, (lanes,) bool."""
    opened = np.zeros(len(slots), bool)
    for at, slot in enumerate(slots):
        if slot.number is None and waiting:
            slots[at] = LaneSlot(waiting.popleft())
            opened[at] = True
    return opened


def _record(slots: list[LaneSlot], scores: np.ndarray, status: np.ndarray, made: np.ndarray) -> tuple[int, int]:
    """Appends each lane's new scores to its history; the number of lanes and of steps that ran."""
    ran = 0
    for at, slot in enumerate(slots):
        if slot.number is not None:
            # A step that met a nan was made, but not kept.
            new = int(made[at]) - slot.steps + int(status[at] == ascent.NOT_FINITE)
            slot.history.append(scores[:new, at])
            ran += new
    return sum(slot.number is not None for slot in slots), ran


def _outcome(status: int, moved: bool, history: np.ndarray) -> Outcome:
    if status == ascent.NOT_FINITE:
        return Outcome.NOT_FINITE
    if not moved or (len(history) > 1 and np.ptp(history) == 0):
        return Outcome.DEAD
    return Outcome.CONVERGED if status == ascent.CONVERGED else Outcome.OUT_OF_STEPS
