"""Objectives through lanes: the host's side of the ascent, which starts, watches and refills them."""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from featviz import ascent
from featviz.objectives import Objective, stack
from featviz.picture import Outcome

# Steps between two looks at the lanes: a stop waits this long at most, and so does a lane that has ended.
WATCH = 16


class Ended(NamedTuple):
    """What a lane leaves behind: `pixels` (height, width, channels), `history` (steps,)."""

    number: int
    pixels: np.ndarray
    score: float
    outcome: Outcome
    history: np.ndarray


@dataclass
class Slot:
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
    start: np.ndarray | None,
    count: int,
    tick: Callable[[int, int], None],
) -> Iterator[Ended]:
    """Runs objectives of one structure, `count` at a time; a lane that ends makes room for the next objective.

    `tick(lanes, steps)` is told how many lanes ran and how many steps they made together. Every call runs one
    compiled program of `count` lanes, idle ones frozen, so a picture does not depend on its slot or neighbours.
    """
    waiting = deque(range(len(objectives)))
    slots = [Slot() for _ in range(count)]
    limit = jnp.int32(steps)
    lanes = stacked = None
    while waiting or any(slot.number is not None for slot in slots):
        if lanes is None or (waiting and any(slot.number is None for slot in slots)):
            opened = _fill(slots, waiting)
            # An idle lane repeats the first objective.
            chosen = [objectives[slot.number or 0] for slot in slots]
            stacked = jax.device_put(stack(chosen))
            keys = jnp.stack([lane_key(seed, objective) for objective in chosen])
            begun = None if start is None else jnp.broadcast_to(start, (count, 1, *start.shape))
            fresh = ascent.start(routine, keys, begun)
            if lanes is None:
                lanes = fresh._replace(
                    status=jnp.asarray(np.where(opened, ascent.RUNNING, ascent.OUT_OF_STEPS), jnp.int32)
                )
            else:
                lanes = ascent.refill(lanes, fresh, jnp.asarray(opened))
        parts = []
        for _ in range(max(1, WATCH // routine.chunk)):
            lanes, part = ascent.advance(routine, weights, stacked, penalty, limit, lanes)
            parts.append(part)
        scores, status, made = np.concatenate(parts), np.asarray(lanes.status), np.asarray(lanes.step)
        tick(*_record(slots, scores, status, made))
        ended = [at for at, slot in enumerate(slots) if slot.number is not None and status[at] != ascent.RUNNING]
        if ended:
            pixels, finals = ascent.finish(routine, weights, stacked, lanes)
            moved = np.asarray(lanes.moved)
        for at in ended:
            number, history = slots[at].number, np.concatenate(slots[at].history)
            slots[at] = Slot()
            outcome = _outcome(int(status[at]), bool(moved[at]), history)
            assert number is not None
            yield Ended(number, np.asarray(pixels[at, 0]), float(finals[at]), outcome, history)


def lane_key(seed: int, objective: Objective) -> jax.Array:
    """The key of an objective's lane: the root key of the seed, folded with the objective's hash."""
    key = jax.random.key(seed)
    for word in (objective.hash[:8], objective.hash[8:16]):
        key = jax.random.fold_in(key, int(word, 16))
    return key


def _fill(slots: list[Slot], waiting: deque[int]) -> np.ndarray:
    """Puts waiting objectives into idle slots; which slots were opened, (lanes,) bool."""
    opened = np.zeros(len(slots), bool)
    for at, slot in enumerate(slots):
        if slot.number is None and waiting:
            slots[at] = Slot(waiting.popleft())
            opened[at] = True
    return opened


def _record(slots: list[Slot], scores: np.ndarray, status: np.ndarray, made: np.ndarray) -> tuple[int, int]:
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
