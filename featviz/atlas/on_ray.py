"""Ray as the engine: workers on any number of machines that hold the network and its compiled programs.

The process that runs the atlas hands out batches and is the only one that writes, so workers need no common disk. A
worker or a machine that dies takes its batch with it, which another draws; machines that join get workers.
"""

import time
import warnings
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import jax
import numpy as np
from tqdm import tqdm

from featviz.atlas.engines import Begin, Drawn, draw
from featviz.atlas.plan import Task
from featviz.errors import FeatvizError, in_one_line
from featviz.model import Model

# How often workers may die over one batch before the run gives up: then it is the batch, most likely for memory.
TRIES = 3
# Seconds between two looks at what the cluster has.
LOOK = 10.0


@dataclass(frozen=True)
class OnRay:
    """An engine: `workers` at most, each with `gpus` and `cpus` of its own, `batch` entries at a time.

    `address` is of a cluster ("auto", "ray://host:10001"); without one $RAY_ADDRESS says, else Ray starts on this
    machine. By default there are as many workers as there is room for, one a GPU, or one for two CPU cores where there
    are none, and more when machines join; a batch is 256 entries on a GPU, 16 on CPUs.

    Raises: FeatvizError without Ray, without a cluster at the address, or where workers die again and again.
    """

    address: str | None = None
    workers: int | None = None
    gpus: float | None = None
    cpus: float | None = None
    batch: int | None = None

    def __call__(self, model: Model, tasks: Sequence[Task], *, begin: Begin) -> Iterator[Drawn]:
        if not tasks:
            return
        ray = _ray()
        started = not ray.is_initialized()
        try:
            if started:
                # Ray's helpers are started before they could touch JAX, so its warning of forks says nothing here.
                warnings.filterwarnings("ignore", message=r"os\.fork\(\) was called")
                ray.init(self.address, include_dashboard=False, log_to_driver=False, logging_level="error")
            yield from _Crew(ray, self, model).run(tasks, begin)
        except ConnectionError as error:
            raise FeatvizError(f"no Ray cluster answers at {self.address}: {in_one_line(error)}") from None
        finally:
            if started and ray.is_initialized():
                ray.shutdown()


class _Worker:
    """What runs on the other side: a network, and the programs that were compiled for it."""

    def __init__(self, model: Model, cache: str | None) -> None:
        if cache is not None:
            from pathlib import Path

            from featviz.compilation_cache import keep_compiled_in

            keep_compiled_in(Path(cache))
        self.model = replace(model, weights=jax.device_put(model.weights))

    def draw(self, task: Task) -> Iterator[tuple[int, Any]]:
        for drawn in draw(self.model, task):
            yield drawn.unit, drawn.pictures


@dataclass
class _Batch:
    """A task's entries that one worker draws together, those still to come, and how many workers died over them."""

    task: Task
    whole: Task
    deaths: int = 0


class _Crew:
    """The workers of one run, and what each is at."""

    def __init__(self, ray: Any, options: OnRay, model: Model) -> None:
        resources = ray.cluster_resources()
        self.ray, self.options = ray, options
        self.gpus = options.gpus if options.gpus is not None else min(1.0, resources.get("GPU", 0.0))
        cores = resources.get("CPU", 1.0)
        self.cpus = options.cpus if options.cpus is not None else 1.0 if self.gpus else min(2.0, cores)
        self.batch = options.batch or (256 if self.gpus else 16)
        local = jax.tree.map(np.asarray, model.weights)
        self.model = ray.put(replace(model, weights=local))
        self.cache = jax.config.values["jax_compilation_cache_dir"]
        self.make = ray.remote(_Worker).options(num_cpus=self.cpus, num_gpus=self.gpus, max_restarts=0)
        self.idle: list[Any] = []
        self.busy: dict[Any, tuple[Any, _Batch]] = {}
        self.looked = -LOOK

    def run(self, tasks: Sequence[Task], begin: Begin) -> Iterator[Drawn]:
        waiting = deque(
            _Batch(replace(task, units=task.units[first : first + self.batch]), task)
            for task in tasks
            for first in range(0, len(task.units), self.batch)
        )
        try:
            while waiting or self.busy:
                self._grow(len(waiting))
                while waiting and self.idle:
                    self._hand_out(waiting.popleft(), begin)
                ready, _ = self.ray.wait(list(self.busy), num_returns=1, timeout=1.0) if self.busy else ([], [])
                for stream in ready:
                    yield from self._take(stream, waiting)
        finally:
            for worker in (*self.idle, *(worker for worker, _ in self.busy.values())):
                self.ray.kill(worker)

    def _grow(self, waiting: int) -> None:
        """As many workers as the cluster has room for now, but no more than there are batches."""
        if time.monotonic() - self.looked < LOOK:
            return
        self.looked = time.monotonic()
        there = self.ray.cluster_resources()
        room = there.get("GPU", 0.0) / self.gpus if self.gpus else there.get("CPU", 0.0) / self.cpus
        most = max(1, int(room)) if self.options.workers is None else self.options.workers
        have = len(self.idle) + len(self.busy)
        for _ in range(min(most - have, waiting - len(self.idle))):
            self.idle.append(self.make.remote(self.model, self.cache))

    def _hand_out(self, batch: _Batch, begin: Begin) -> None:
        worker = self.idle.pop()
        for unit in batch.task.units:
            begin(batch.whole, unit)
        self.busy[worker.draw.remote(batch.task)] = worker, batch

    def _take(self, stream: Any, waiting: deque[_Batch]) -> Iterator[Drawn]:
        """What has come of a batch; a dead worker's entries wait for another one."""
        worker, batch = self.busy[stream]
        try:
            unit, pictures = self.ray.get(next(stream))
        except StopIteration:
            del self.busy[stream]
            self.idle.append(worker)
            return
        except self.ray.exceptions.RayTaskError as error:
            raise error.cause if isinstance(error.cause, FeatvizError) else error from None
        except self.ray.exceptions.RayError as error:
            del self.busy[stream]
            self.looked = -LOOK
            series = batch.task.series
            if batch.deaths + 1 >= TRIES:
                raise FeatvizError(
                    f"{TRIES} workers died drawing {series.layer} ({series.role.value}), the last one of "
                    f"{in_one_line(error)[:200]}; give each more memory, or a smaller batch"
                ) from None
            tqdm.write(f"a worker died; its {len(batch.task.units)} pictures of {series.layer} are drawn again")
            waiting.appendleft(_Batch(batch.task, batch.whole, batch.deaths + 1))
            return
        batch.task = replace(batch.task, units=tuple(other for other in batch.task.units if other != unit))
        yield Drawn(batch.whole, unit, pictures)


def _ray() -> Any:
    try:
        import ray
    except ImportError:
        raise FeatvizError("the engine `ray` needs Ray, which is not installed; pip install featviz[ray]") from None
    return ray
