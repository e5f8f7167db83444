"""The workers of one run on Ray: requested, awaited, given batches, and replaced when they die."""

import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from types import ModuleType

import jax

from featviz.atlas.engines import OnStart, RenderedEntry
from featviz.atlas.ray.batches import Batch, BatchQueue
from featviz.atlas.ray.workers import (
    PATIENCE,
    SETTINGS,
    About,
    ActorHandle,
    Reference,
    Resources,
    cause_of_end,
    create_worker,
    describe_error,
    report,
    report_no_room,
)
from featviz.errors import FeatvizError

# How many workers in a row may die or fail on one batch without a picture, or before any of them is ready.
MAX_FAILURES = 3
# Seconds between two queries of the cluster's resources.
POLL_INTERVAL = 10.0


class WorkerPool:
    """Workers and what they are doing; a context manager that ends them all.

    Args:
      ray: the module.
      model: Ray's reference to the network.
      resources: what each worker takes.
      requested: how many workers to request, whether or not there is room, so that a cluster that scales sees the
        demand; None for as many as there is room for.
      check: called with each worker's description of itself; raises if it may not render.
    """

    def __init__(
        self,
        ray: ModuleType,
        model: Reference,
        resources: Resources,
        *,
        requested: int | None,
        check: Callable[[About], None],
    ) -> None:
        self.ray, self.model, self.resources, self.requested, self.check = ray, model, resources, requested, check
        self.cache = jax.config.values["jax_compilation_cache_dir"]
        self.settings = {name: jax.config.values[name] for name in SETTINGS}
        # Awaited answer -> the worker that gives it.
        self.starting: dict[Reference, ActorHandle] = {}
        self.busy: dict[Reference, tuple[ActorHandle, Batch]] = {}
        self.idle: list[ActorHandle] = []
        self.failures, self.last_poll, self.last_active = 0, -POLL_INTERVAL, time.monotonic()

    def __enter__(self) -> "WorkerPool":
        return self

    def __exit__(self, *_: object) -> None:
        for worker in (*self.starting.values(), *self.idle, *(worker for worker, _ in self.busy.values())):
            self._dismiss(worker)

    def run(self, queue: BatchQueue, on_start: OnStart) -> Iterator[RenderedEntry]:
        """Yields all entries of the batches as they come."""
        while queue.waiting or self.busy:
            self._adjust(len(queue.waiting) + len(self.busy))
            while self.idle and (batch := queue.take()) is not None:
                worker = self.idle.pop()
                self.busy[worker.render.remote(batch.task)] = worker, batch
            for answer in self._answers():
                if answer in self.starting:
                    self._start(answer)
                else:
                    yield from self._receive(answer, queue, on_start)

    def _answers(self) -> list[Reference]:
        """The next answer of a worker, if one comes within a second."""
        if self.busy or self.idle:
            self.last_active = time.monotonic()
        elif time.monotonic() - self.last_active > PATIENCE:
            self.last_active = time.monotonic()
            report_no_room(self.ray, self.resources)
        waited_for = [*self.busy, *self.starting]
        if not waited_for:
            return []
        ready, _ = self.ray.wait(waited_for, num_returns=1, timeout=1.0)
        return list(ready)

    def _adjust(self, wanted: int) -> None:
        """As many workers as allowed, but not more than batches: a worker without a batch makes room."""
        count = len(self.starting) + len(self.idle) + len(self.busy)
        while count > wanted and (self.starting or self.idle):
            self._dismiss(self.starting.popitem()[1] if self.starting else self.idle.pop())
            count -= 1
        if count and time.monotonic() - self.last_poll < POLL_INTERVAL:
            return
        self.last_poll = time.monotonic()
        limit = self.requested or self.resources.capacity(self.ray.cluster_resources())
        for _ in range(min(limit, wanted) - count):
            worker = create_worker(self.ray, self.resources)
            self.starting[worker.about.remote()] = worker

    def _start(self, answer: Reference) -> None:
        """A worker has described itself, or is ready."""
        worker = self.starting.pop(answer)
        try:
            about = self.ray.get(answer)
        except self.ray.exceptions.RayError as error:
            self._dismiss(worker)
            cause = cause_of_end(self.ray, error)
            self.failures += 1
            if self.failures >= MAX_FAILURES and not self.idle and not self.busy:
                raise FeatvizError(
                    f"{MAX_FAILURES} workers in a row could not start, the last one because of {describe_error(cause)}"
                ) from None
            return
        if about is None:
            self.failures = 0
            self.idle.append(worker)
        else:
            self.check(about)
            self.starting[worker.load.remote(self.model, self.cache, self.settings)] = worker

    def _receive(self, stream: Reference, queue: BatchQueue, on_start: OnStart) -> Iterator[RenderedEntry]:
        """What has come of a batch; the remaining entries of a lost worker wait for another one."""
        # The streams take turns: Ray returns the first one that is ready.
        worker, batch = self.busy[stream] = self.busy.pop(stream)
        try:
            answer = self.ray.get(next(stream))
        except StopIteration:
            del self.busy[stream]
            self.idle.append(worker)
            queue.put_back(batch)
            return
        except self.ray.exceptions.RayError as error:
            del self.busy[stream]
            self._dismiss(worker)
            self._count_failure(batch, error)
            queue.put_back(batch)
            return
        if answer is None:
            batch.started = True
            for unit in batch.task.units:
                on_start(batch.parent, unit)
            return
        unit, pictures = answer
        queue.entry_finished(batch, unit, int(pictures[0].provenance["lanes"]))
        yield RenderedEntry(batch.parent, unit, pictures)

    def _count_failure(self, batch: Batch, error: Exception) -> None:
        """Counts a worker that has died or failed on a batch. Raises FeatvizError if it is one too many."""
        cause = cause_of_end(self.ray, error)
        failed = isinstance(error, self.ray.exceptions.RayTaskError)
        self.last_poll = -POLL_INTERVAL
        if not (failed or batch.started):
            return  # its machine was gone before: that says nothing about the batch
        batch.failures += 1
        name = f"{batch.task.series.layer} ({batch.task.series.role.value})"
        if batch.failures >= MAX_FAILURES:
            raise FeatvizError(
                f"{MAX_FAILURES} workers in a row ended while rendering {name}, without a picture, the last one "
                f"because of {describe_error(cause)}; give each more memory, or a smaller batch"
            ) from None
        what = f"failed: {describe_error(cause)}" if failed else "died"
        report(f"a worker {what}; its {len(batch.task.units)} pictures of {name} are rendered again")

    def _dismiss(self, worker: ActorHandle) -> None:
        # A worker that cannot be reached must not keep the others from being dismissed.
        with suppress(Exception):
            self.ray.kill(worker)
