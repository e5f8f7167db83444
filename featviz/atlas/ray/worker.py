"""What runs on the other side of Ray: a worker that holds a network and the programs that were compiled for it."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import jax

from featviz.atlas.engines import draw
from featviz.atlas.plan import Task
from featviz.common.compilation_cache import use_cache_folder
from featviz.model import Model
from featviz.pictures.picture import Picture
from featviz.pictures.provenance import describe_machine
from featviz.version import __version__

# How JAX computes: what the process that runs the atlas has set holds in its workers too.
SETTINGS = (
    "jax_default_matmul_precision",
    "jax_enable_x64",
    "jax_default_prng_impl",
    "jax_threefry_partitionable",
)


class Worker:
    """An actor. It is made of nothing, so that whatever goes wrong later is told as an exception of a method."""

    def about(self) -> dict[str, Any]:
        """Its device and versions, featviz's among them."""
        return {**describe_machine(), "featviz": __version__}

    def load(self, model: Model, cache: str | None, settings: Mapping[str, Any]) -> None:
        """Takes the network to its device; `cache` is the folder for compiled programs, where it can be had."""
        for name, value in settings.items():
            jax.config.update(name, value)
        if cache is not None:
            use_cache_folder(Path(cache))
        self.model = replace(model, weights=jax.device_put(model.weights))

    def draw(self, task: Task) -> Iterator[tuple[int, list[Picture]] | None]:
        """None as it begins, then each unit with its pictures."""
        yield None
        for drawn in draw(self.model, task):
            yield drawn.unit, drawn.pictures
