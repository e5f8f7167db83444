"""Ray as the engine: workers on any number of machines, each with the network and its compiled programs.

The process that runs the atlas hands out batches and is the only one that writes, so workers need no shared disk. The
remaining entries of a worker that dies go to another one; machines that join the cluster get workers.
"""

import os
import warnings
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from types import ModuleType
from typing import Any

import jax
import numpy as np

from featviz.atlas.engines import OnStart, RenderedEntry
from featviz.atlas.ray.batches import BatchQueue
from featviz.atlas.ray.worker_pool import WorkerPool
from featviz.atlas.ray.workers import (
    PATIENCE,
    About,
    Resources,
    cause_of_end,
    create_worker,
    describe_error,
    report_no_room,
)
from featviz.atlas.series import Task
from featviz.errors import FeatvizError, in_one_line
from featviz.model import Model
from featviz.rendering.checks import check_count
from featviz.version import __version__

# Entries per batch on accelerators and on CPUs.
BATCH, BATCH_ON_CPUS = 256, 16


@dataclass(frozen=True)
class OnRay:
    """An engine for `build_atlas` that renders on the workers of a Ray cluster.

    Args:
      address: of the cluster, such as "auto" on one of its machines, or "local" for one that starts on this machine and
        ends with the run. By default $RAY_ADDRESS, else a cluster that runs on this machine, else as "local". Addresses
        of Ray Client (ray://) are refused: run the command on the cluster, as `ray job submit` does.
      workers: how many workers to request, whether or not there is room, so that a cluster that scales grows; never
        more than there are batches. By default as many as the cluster has room for, and more when machines join.
      gpus: GPUs per worker; by default one if the pictures are planned for GPUs.
      cpus: CPU cores per worker; by default one with a GPU, else two.
      batch: entries per batch; by default 256, on CPUs 16.

    Raises:
      FeatvizError: without Ray or a cluster at the address, for an invalid number, for a worker whose device or
        versions are not those that the pictures are planned for, or if workers fail repeatedly.

    >>> OnRay(workers=8, gpus=1).workers
    8
    """

    address: str | None = None
    workers: int | None = None
    gpus: int | None = None
    cpus: int | None = None
    batch: int | None = None

    def __post_init__(self) -> None:
        for name, value, minimum in (
            ("workers", self.workers, 1),
            ("gpus", self.gpus, 0),
            ("cpus", self.cpus, 1),
            ("batch", self.batch, 1),
        ):
            if value is not None:
                check_count(name, value, minimum, 1_000_000)
        _refuse_client(self.address)

    def __call__(
        self, model: Model, tasks: Sequence[Task], *, on_start: OnStart
    ) -> Generator[RenderedEntry, None, None]:
        if not tasks:
            return
        planned = tasks[0].series.run
        platform = planned["device"]["platform"]
        with self.session() as ray:
            resources = self._resources(ray, gpus=int(platform == "gpu"))
            size = self.batch or (BATCH_ON_CPUS if platform == "cpu" else BATCH)
            queue = BatchQueue(tasks, size=size, fix_lanes=platform != "cpu")
            shared_model = ray.put(replace(model, weights=jax.tree.map(np.asarray, model.weights)))
            pool = WorkerPool(ray, shared_model, resources, requested=self.workers, check=_worker_check(planned))
            with pool:
                yield from pool.run(queue, on_start)

    def probe(self) -> dict[str, object]:
        """The `device` and `versions` of one worker, as a picture's provenance has them."""
        with self.session() as ray:
            resources = self._resources(ray, gpus=int(ray.cluster_resources().get("GPU", 0) >= 1))
            worker = create_worker(ray, resources)
            try:
                answer = worker.about.remote()
                while not ray.wait([answer], timeout=PATIENCE)[0]:
                    report_no_room(ray, resources)
                about = ray.get(answer)
            except ray.exceptions.RayError as error:
                raise FeatvizError(f"no worker could start: {describe_error(cause_of_end(ray, error))}") from None
            finally:
                ray.kill(worker)
        return {name: about[name] for name in ("device", "versions")}

    @contextmanager
    def session(self) -> Iterator[ModuleType]:
        """A context with a connection to the cluster; what had to be started for it ends with it."""
        ray = _ray()
        started = not ray.is_initialized()
        if started:
            _refuse_client(self.address or os.environ.get("RAY_ADDRESS"))
        elif ray.util.client.ray.is_connected():
            raise _client_error("what this process is connected to")
        try:
            if started:
                _start(ray, self.address)
            yield ray
        finally:
            if started:
                ray.shutdown()

    def _resources(self, ray: ModuleType, *, gpus: int) -> Resources:
        gpus = gpus if self.gpus is None else self.gpus
        cores = int(ray.cluster_resources().get("CPU", 1))
        return Resources(self.cpus or (1 if gpus else max(1, min(2, cores))), gpus)


def _start(ray: ModuleType, address: str | None) -> None:
    try:
        with warnings.catch_warnings():
            # Ray's helper processes start before they could touch JAX, so its warning about forks does not apply.
            warnings.simplefilter("ignore")
            ray.init(address, include_dashboard=False, log_to_driver=False, logging_level="error")
    # Ray raises many types, `Exception` itself where its processes do not start in time.
    except Exception as error:
        where = address or os.environ.get("RAY_ADDRESS") or "this machine"
        raise FeatvizError(f"no Ray cluster answers at {where}: {in_one_line(error)}") from None


def _worker_check(planned: Mapping[str, Any]) -> Callable[[About], None]:
    """A function that refuses a worker whose pictures would differ from those of the plan."""

    def check(about: About) -> None:
        expected = {"featviz": __version__, **planned["versions"], **planned["device"]}
        found = {"featviz": about["featviz"], **about["versions"], **about["device"]}
        differ = [name for name in expected if expected[name] != found.get(name)]
        if differ:
            raise FeatvizError(
                f"a worker has {_pairs(found, differ)}, but the pictures are planned for {_pairs(expected, differ)}; "
                "expected workers of one kind, with the same versions everywhere"
            )

    return check


def _pairs(values: Mapping[str, object], names: Sequence[str]) -> str:
    return ", ".join(f"{name} {values.get(name)}" for name in names)


def _refuse_client(address: str | None) -> None:
    if address is not None and address.startswith("ray://"):
        raise _client_error(f"`{address}`")


def _client_error(found: str) -> FeatvizError:
    return FeatvizError(
        f"{found} is Ray Client, which cannot return pictures one by one; run the command on the cluster with the "
        "address `auto`, for example by `ray job submit`"
    )


def _ray() -> ModuleType:
    try:
        import ray
    except ImportError:
        raise FeatvizError("the engine `ray` needs Ray, which is not installed; pip install featviz[ray]") from None
    return ray
