"""Workers on a Ray cluster: the actor, what it takes of the cluster, and messages about workers that end."""

import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import Any

import jax
from tqdm import tqdm

from featviz.atlas.engines import render_task
from featviz.atlas.series import Task
from featviz.common.compilation_cache import use_cache_folder
from featviz.errors import FeatvizError, in_one_line
from featviz.model import Model
from featviz.pictures.picture import Picture
from featviz.pictures.provenance import describe_machine
from featviz.version import __version__

# Ray's handle of a worker, and its reference to a result or an object; Ray has no public types for them.
ActorHandle = Any
Reference = Any

# What a worker says of itself: its device, its versions, featviz's version.
About = Mapping[str, Any]

# Seconds without any worker after which a message says so, again and again.
PATIENCE = 60.0
# JAX's settings that can change pixels: workers get those of the process that runs the atlas.
SETTINGS = (
    "jax_default_matmul_precision",
    "jax_enable_x64",
    "jax_default_prng_impl",
    "jax_threefry_partitionable",
)


class Worker:
    """The actor. Its constructor does nothing, so that every error is an exception of a method."""

    def about(self) -> About:
        """Its device and versions, including featviz's."""
        return {**describe_machine(), "featviz": __version__}

    def load(self, model: Model, cache: str | None, settings: Mapping[str, object]) -> None:
        """Puts the network on its device; `cache` is the folder of compiled programs, if there is one."""
        for name, value in settings.items():
            jax.config.update(name, value)
        if cache is not None:
            use_cache_folder(Path(cache))
        self.model = replace(model, weights=jax.device_put(model.weights))

    def render(self, task: Task) -> Iterator[tuple[int, list[Picture]] | None]:
        """None as it starts, then each unit with its pictures."""
        yield None
        for entry in render_task(self.model, task):
            yield entry.unit, entry.pictures


@dataclass(frozen=True)
class Resources:
    """What one worker takes of a cluster."""

    cpus: int
    gpus: int

    def __str__(self) -> str:
        return f"{self.cpus} CPU" + (f" and {self.gpus} GPU" if self.gpus else "")

    def capacity(self, cluster: Mapping[str, float]) -> int:
        """How many workers fit into a cluster, at least one.

        >>> Resources(1, 2).capacity({"CPU": 8, "GPU": 4}), Resources(2, 0).capacity({"CPU": 5})
        (2, 2)
        >>> Resources(2, 0).capacity({})
        1
        """
        fit = cluster.get("CPU", 0.0) / self.cpus
        return max(1, int(min(fit, cluster.get("GPU", 0.0) / self.gpus) if self.gpus else fit))


def create_worker(ray: ModuleType, resources: Resources) -> ActorHandle:
    """A new worker, which starts once the cluster has room for it."""
    return ray.remote(Worker).options(num_cpus=resources.cpus, num_gpus=resources.gpus, max_restarts=0).remote()


def report_no_room(ray: ModuleType, resources: Resources) -> None:
    """Reports what a worker waits for."""
    free = ray.available_resources()
    report(
        f"no worker has started yet: each takes {resources}, and {free.get('CPU', 0):g} CPU and "
        f"{free.get('GPU', 0):g} GPU of the cluster are free"
    )


def report(line: str) -> None:
    """Writes a line above the progress bar."""
    tqdm.write(line, file=sys.stderr)


def cause_of_end(ray: ModuleType, error: Exception) -> Exception:
    """What ended a worker: the exception in it, or Ray's. A FeatvizError is raised as it is."""
    cause = error.cause if isinstance(error, ray.exceptions.RayTaskError) else error
    if isinstance(cause, FeatvizError):
        raise cause from None
    return cause


def describe_error(error: Exception) -> str:
    """An exception in one line; of a long one both ends, since Ray's have their cause at the end.

    >>> describe_error(ValueError("out of\\nmemory"))
    'ValueError: out of memory'
    """
    text = in_one_line(error)
    return f"{type(error).__name__}: {text if len(text) <= 300 else f'{text[:100]} ... {text[-200:]}'}"
