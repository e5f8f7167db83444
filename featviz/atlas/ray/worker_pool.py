"""The workers of one run on Ray: asked for, awaited, handed batches, replaced where they die."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from typing import Any

import jax

from featviz.atlas.engines import Begin, Drawn
from featviz.atlas.ray.batches import Batch, Batches
from featviz.atlas.ray.resources import PATIENCE, Resources, actor, end_of, say, say_no_room, told
from featviz.atlas.ray.worker import SETTINGS
from featviz.errors import FeatvizError

# How many workers in a row may die or fail over one batch without a picture, or before any of them is ready.
TRIES = 3
# Seconds between two looks at what the cluster has.
LOOK = 10.0


class WorkerPool:
    """Workers, and what each is at; used in a `with`, after which none is left.

    `model` is where Ray has the network; `check` is told what each worker says of itself, and raises where it may not
    draw. With `most` that many workers are asked for, there or not, so that a cluster which scales sees the demand.
    """

    def __init__(
        self, ray: Any, model: Any, needs: Resources, *, most: int | None, check: Callable[[Mapping[str, Any]], None]
    ) -> None:
        self.ray, self.model, self.needs, self.most, self.check = ray, model, needs, most, check
        self.cache = jax.config.values["jax_compilation_cache_dir"]
        self.settings = {name: jax.config.values[name] for name in SETTINGS}
        # Of each answer that is awaited, who gives it.
        self.starting: dict[Any, Any] = {}
        self.busy: dict[Any, tuple[Any, Batch]] = {}
        self.idle: list[Any] = []
        self.failures, self.looked, self.worked = 0, -LOOK, time.monotonic()

    def __enter__(self) -> "WorkerPool":
        return self

    def __exit__(self, *_: object) -> None:
        for worker in (*self.starting.values(), *self.idle, *(worker for worker, _ in self.busy.values())):
            self._dismiss(worker)

    def run(self, batches: Batches, on_start: Begin) -> Iterator[Drawn]:
        """All entries of the batches, as they come."""
        while batches.waiting or self.busy:
            self._adjust(len(batches.waiting) + len(self.busy))
            while self.idle and (batch := batches.take()) is not None:
                worker = self.idle.pop()
                self.busy[worker.draw.remote(batch.task)] = worker, batch
            for answer in self._answers():
                if answer in self.starting:
                    self._start(answer)
                else:
                    yield from self._take(answer, batches, on_start)

    def _answers(self) -> list[Any]:
        """The next answer of a worker, if one comes within a second."""
        if self.busy or self.idle:
            self.worked = time.monotonic()
        elif time.monotonic() - self.worked > PATIENCE:
            self.worked = time.monotonic()
            say_no_room(self.ray, self.needs)
        waited_for = [*self.busy, *self.starting]
        if not waited_for:
            return []
        ready, _ = self.ray.wait(waited_for, num_returns=1, timeout=1.0)
        return list(ready)

    def _adjust(self, wanted: int) -> None:
        """As many workers as there may be, but no more than batches: one that nothing is left for makes room."""
        have = len(self.starting) + len(self.idle) + len(self.busy)
        while have > wanted and (self.starting or self.idle):
            self._dismiss(self.starting.popitem()[1] if self.starting else self.idle.pop())
            have -= 1
        if have and time.monotonic() - self.looked < LOOK:
            return
        self.looked = time.monotonic()
        most = self.needs.room(self.ray.cluster_resources()) if self.most is None else self.most
        for _ in range(min(most, wanted) - have):
            worker = actor(self.ray, self.needs)
            self.starting[worker.about.remote()] = worker

    def _start(self, answer: Any) -> None:
        """A worker has said what it is, or that it is ready."""
        worker = self.starting.pop(answer)
        try:
            about = self.ray.get(answer)
        except self.ray.exceptions.RayError as error:
            self._dismiss(worker)
            end = end_of(self.ray, error)
            self.failures += 1
            if self.failures >= TRIES and not self.idle and not self.busy:
                raise FeatvizError(f"{TRIES} workers in a row could not start, the last one of {told(end)}") from None
            return
        if about is None:
            self.failures = 0
            self.idle.append(worker)
        else:
            self.check(about)
            self.starting[worker.load.remote(self.model, self.cache, self.settings)] = worker

    def _take(self, stream: Any, batches: Batches, on_start: Begin) -> Iterator[Drawn]:
        """What has come of a batch; what a lost worker has left of it waits for another one."""
        # The streams take turns: Ray names the first one that has something.
        worker, batch = self.busy[stream] = self.busy.pop(stream)
        try:
            found = self.ray.get(next(stream))
        except StopIteration:
            del self.busy[stream]
            self.idle.append(worker)
            batches.back(batch)
            return
        except self.ray.exceptions.RayError as error:
            del self.busy[stream]
            self._dismiss(worker)
            self._lost(batch, error)
            batches.back(batch)
            return
        if found is None:
            batch.begun = True
            for unit in batch.task.units:
                on_start(batch.whole, unit)
            return
        unit, pictures = found
        batches.came(batch, unit, int(pictures[0].provenance["lanes"]))
        yield Drawn(batch.whole, unit, pictures)

    def _lost(self, batch: Batch, error: Exception) -> None:
        """Counts a worker that has died or failed over a batch. Raises FeatvizError where it was one too many."""
        end = end_of(self.ray, error)
        failed = isinstance(error, self.ray.exceptions.RayTaskError)
        self.looked = -LOOK
        if not (failed or batch.begun):
            return  # its machine had gone before: that says nothing of the batch
        batch.failures += 1
        name = f"{batch.task.series.layer} ({batch.task.series.role.value})"
        if batch.failures >= TRIES:
            raise FeatvizError(
                f"{TRIES} workers in a row ended drawing {name} without one picture, the last one of {told(end)}; "
                "give each more memory, or a smaller batch"
            ) from None
        what = f"failed of {told(end)}" if failed else "died"
        say(f"a worker {what}; its {len(batch.task.units)} pictures of {name} are drawn again")

    def _dismiss(self, worker: Any) -> None:
        # One that cannot be reached any more must not keep the others from being dismissed.
        with suppress(Exception):
            self.ray.kill(worker)
