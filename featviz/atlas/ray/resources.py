"""What a worker needs of a Ray cluster, and what is said where it does not get it or comes to an end."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tqdm import tqdm

from featviz.atlas.ray.worker import Worker
from featviz.errors import FeatvizError, in_one_line

# Seconds without any worker after which that is told, again and again.
PATIENCE = 60.0


@dataclass(frozen=True)
class Resources:
    """What each worker takes of a cluster."""

    cpus: int
    gpus: int

    def __str__(self) -> str:
        return f"{self.cpus} CPU" + (f" and {self.gpus} GPU" if self.gpus else "")

    def room(self, there: Mapping[str, float]) -> int:
        """How many workers a cluster has room for, at least one.

        >>> Resources(1, 2).room({"CPU": 8, "GPU": 4}), Resources(2, 0).room({"CPU": 5}), Resources(2, 0).room({})
        (2, 2, 1)
        """
        fit = there.get("CPU", 0.0) / self.cpus
        return max(1, int(min(fit, there.get("GPU", 0.0) / self.gpus) if self.gpus else fit))


def actor(ray: Any, needs: Resources) -> Any:
    """A new worker, which starts once the cluster has room for it."""
    return ray.remote(Worker).options(num_cpus=needs.cpus, num_gpus=needs.gpus, max_restarts=0).remote()


def say_no_room(ray: Any, needs: Resources) -> None:
    """Says what a worker waits for."""
    free = ray.available_resources()
    say(
        f"no worker has started yet: each takes {needs}, and {free.get('CPU', 0):g} CPU and {free.get('GPU', 0):g} GPU "
        "of the cluster are free"
    )


def say(line: str) -> None:
    """Writes a line beside the progress bar."""
    tqdm.write(line, file=sys.stderr)


def end_of(ray: Any, error: Exception) -> Exception:
    """What ended a worker: an exception in it, else what Ray says. What featviz itself says is raised as it is."""
    cause = error.cause if isinstance(error, ray.exceptions.RayTaskError) else error
    if isinstance(cause, FeatvizError):
        raise cause from None
    return cause


def told(error: Exception) -> str:
    """An exception in one line that is not too long; of a long one both ends, since Ray's have their cause at the end.

    >>> told(ValueError("out of\\nmemory"))
    'ValueError: out of memory'
    """
    text = in_one_line(error)
    return f"{type(error).__name__}: {text if len(text) <= 300 else f'{text[:100]} ... {text[-200:]}'}"
