"""Ray as the engine: workers on any number of machines that hold the network and its compiled programs.

The process that runs the atlas hands out batches and is the only one that writes, so workers need no common disk. What
a worker that dies has left of its batch another one draws; machines that join get workers.
"""

import os
import warnings
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import jax
import numpy as np

from featviz.atlas.engines import Begin, Drawn
from featviz.atlas.plan import Task
from featviz.atlas.ray.batches import Batches
from featviz.atlas.ray.resources import PATIENCE, Resources, actor, end_of, say_no_room, told
from featviz.atlas.ray.worker_pool import WorkerPool
from featviz.errors import FeatvizError, in_one_line
from featviz.model import Model
from featviz.rendering.checks import check_count
from featviz.version import __version__

# Entries of a batch on an accelerator and on CPUs.
BATCH, BATCH_ON_CPUS = 256, 16


@dataclass(frozen=True)
class OnRay:
    """An engine: `workers`, each with `gpus` and `cpus` of its own, which draw `batch` entries at a time.

    `address` is a cluster's, such as "auto" on one of its machines, or "local" for one that starts on this machine and
    ends with the run. Without it that of $RAY_ADDRESS, else a cluster that runs on this machine, else as "local".
    Ray Client's addresses (ray://) are refused: run the command on the cluster, as `ray job submit` does.

    `workers` are asked for whether there is room or not, which makes a cluster grow that can, but never more than
    there are batches; by default there are as many as the cluster has room for, and more when machines join. Each has
    one GPU where the pictures are planned for GPUs, else two CPU cores; a batch is 256 entries, 16 on CPUs.

    Raises: FeatvizError without Ray, without a cluster at the address, for numbers without sense; where a worker's
    device or versions are not those that the pictures are planned for; where workers fail again and again.
    """

    address: str | None = None
    workers: int | None = None
    gpus: int | None = None
    cpus: int | None = None
    batch: int | None = None

    def __post_init__(self) -> None:
        for name, value, least in (
            ("workers", self.workers, 1),
            ("gpus", self.gpus, 0),
            ("cpus", self.cpus, 1),
            ("batch", self.batch, 1),
        ):
            if value is not None:
                check_count(name, value, least, 1_000_000)
        _refuse_client(self.address)

    def __call__(self, model: Model, tasks: Sequence[Task], *, on_start: Begin) -> Generator[Drawn, None, None]:
        if not tasks:
            return
        planned = tasks[0].series.run
        platform = planned["device"]["platform"]
        with self.session() as ray:
            needs = self._needs(ray, gpus=int(platform == "gpu"))
            size = self.batch or (BATCH_ON_CPUS if platform == "cpu" else BATCH)
            batches = Batches(tasks, size=size, settle=platform != "cpu")
            local = ray.put(replace(model, weights=jax.tree.map(np.asarray, model.weights)))
            with WorkerPool(ray, local, needs, most=self.workers, check=_checker(planned)) as crew:
                yield from crew.run(batches, on_start)

    def probe(self) -> dict[str, Any]:
        """What one worker says of its `device` and its `versions`, as a picture's provenance has them."""
        with self.session() as ray:
            needs = self._needs(ray, gpus=int(ray.cluster_resources().get("GPU", 0) >= 1))
            worker = actor(ray, needs)
            try:
                answer = worker.about.remote()
                while not ray.wait([answer], timeout=PATIENCE)[0]:
                    say_no_room(ray, needs)
                about = ray.get(answer)
            except ray.exceptions.RayError as error:
                raise FeatvizError(f"no worker could start: {told(end_of(ray, error))}") from None
            finally:
                ray.kill(worker)
        return {name: about[name] for name in ("device", "versions")}

    @contextmanager
    def session(self) -> Iterator[Any]:
        """Within, Ray is connected to the cluster; what had to be started for that ends with it."""
        ray = _ray()
        started = not ray.is_initialized()
        if started:
            _refuse_client(self.address or os.environ.get("RAY_ADDRESS"))
        elif ray.util.client.ray.is_connected():
            raise _no_client("what this process is connected to")
        try:
            if started:
                _start(ray, self.address)
            yield ray
        finally:
            if started:
                ray.shutdown()

    def _needs(self, ray: Any, *, gpus: int) -> Resources:
        gpus = gpus if self.gpus is None else self.gpus
        cores = int(ray.cluster_resources().get("CPU", 1))
        return Resources(self.cpus or (1 if gpus else max(1, min(2, cores))), gpus)


def _start(ray: Any, address: str | None) -> None:
    try:
        with warnings.catch_warnings():
            # Ray's helpers are started before they could touch JAX, so its warning of forks says nothing here.
            warnings.simplefilter("ignore")
            ray.init(address, include_dashboard=False, log_to_driver=False, logging_level="error")
    except (ConnectionError, RuntimeError, ValueError) as error:
        where = address or os.environ.get("RAY_ADDRESS") or "this machine"
        raise FeatvizError(f"no Ray cluster answers at {where}: {in_one_line(error)}") from None


def _checker(planned: Mapping[str, Any]) -> Callable[[Mapping[str, Any]], None]:
    """What refuses a worker whose pictures would not be those of the plan."""

    def check(about: Mapping[str, Any]) -> None:
        expected = {"featviz": __version__, **planned["versions"], **planned["device"]}
        found = {"featviz": about["featviz"], **about["versions"], **about["device"]}
        differ = [name for name in expected if expected[name] != found.get(name)]
        if differ:
            raise FeatvizError(
                f"a worker has {_pairs(found, differ)}, and the pictures are planned for {_pairs(expected, differ)}; "
                "expected workers of one kind, with the same versions everywhere"
            )

    return check


def _pairs(values: Mapping[str, Any], names: Sequence[str]) -> str:
    return ", ".join(f"{name} {values.get(name)}" for name in names)


def _refuse_client(address: str | None) -> None:
    if address is not None and address.startswith("ray://"):
        raise _no_client(f"`{address}`")


def _no_client(found: str) -> FeatvizError:
    return FeatvizError(
        f"{found} is Ray Client, through which workers cannot send pictures as they come; run the command on the "
        "cluster with the address `auto`, such as by `ray job submit`"
    )


def _ray() -> Any:
    try:
        import ray
    except ImportError:
        raise FeatvizError("the engine `ray` needs Ray, which is not installed; pip install featviz[ray]") from None
    return ray
