"""The compiled step on an accelerator: built for lanes, a dtype and a precision, and timed without the host's work."""

import time
from collections import Counter
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.sharding import NamedSharding, PartitionSpec

import featviz as fv
from featviz import ascent, recipes
from featviz.ascent.batching import device_mesh
from featviz.ascent.lane_keys import lane_keys
from featviz.common.compilation import program_memory
from featviz.objectives import stack

CHUNK = 16


class Setting(NamedTuple):
    """How the steps run. `precision` is JAX's of products and convolutions in float32: None for its default."""

    dtype: str = "float32"
    precision: str | None = None
    autotune: int | None = None

    @property
    def context(self) -> AbstractContextManager[Any]:
        return nullcontext() if self.precision is None else jax.default_matmul_precision(self.precision)

    @property
    def options(self) -> dict[str, str]:
        """XLA's options."""
        return {} if self.autotune is None else {"xla_gpu_autotune_level": str(self.autotune)}

    @property
    def name(self) -> str:
        words = [self.dtype, self.precision, None if self.autotune is None else f"autotune {self.autotune}"]
        return ", ".join(word for word in words if word)


def routine_of(model: fv.Model, size: int, dtype: str, recipe: fv.recipes.Recipe = recipes.default) -> ascent.Routine:
    return ascent.Routine(
        apply=model.apply,
        parameterization=recipe.parameterization,
        optimizer=recipe.optimizer,
        transforms=recipe.transforms,
        shape=(1, size, size, model.input.channels),
        chunk=CHUNK,
        dtype=dtype,
    )


class Step:
    """The program of 16 steps of some lanes; `advance` runs it, and waits."""

    def __init__(self, model: fv.Model, layer: str, size: int, lanes: int, setting: Setting) -> None:
        started = time.perf_counter()
        mesh = device_mesh()
        per_lane, replicated = (NamedSharding(mesh, spec) for spec in (PartitionSpec(ascent.LANES), PartitionSpec()))
        routine = routine_of(model, size, setting.dtype)
        units = model.layer(layer).units
        objectives = fv.channel(layer, [unit % units for unit in range(lanes * mesh.devices.size)])
        stacked = jax.device_put(stack(objectives), per_lane)
        weights, limit = jax.device_put((model.weights, jnp.int32(1_000_000)), replicated)
        with setting.context:
            self.state = jax.device_put(ascent.start(lane_keys(0, objectives), None, routine=routine), per_lane)
            plan = ascent.plan_step(routine, weights, objectives[0], None)
            prepared = ascent.PreparedWeights(weights, ascent.prepare(weights, plan=plan))
            self.arguments = (prepared, stacked, None, limit)
            run = partial(ascent.advance.__wrapped__, plan=plan, mesh=mesh)
            lowered = jax.jit(run, donate_argnums=4).lower(*self.arguments, self.state)
            self.trace_seconds = time.perf_counter() - started
            self.program = lowered.compile(compiler_options=setting.options)
        self.compile_seconds = time.perf_counter() - started - self.trace_seconds
        self.memory = program_memory(self.program)

    def advance(self, chunks: int = 1) -> None:
        for _ in range(chunks):
            self.state, _ = self.program(*self.arguments, self.state)
        jax.block_until_ready(self.state.step)

    def seconds_per_chunk(self, chunks: int) -> float:
        """After one chunk that is not counted."""
        self.advance()
        started = time.perf_counter()
        self.advance(chunks)
        return (time.perf_counter() - started) / chunks


def kernel_times(step: Step) -> list[tuple[str, float, int]]:
    """Kernels of one chunk by JAX's profiler, those that take longest first: name, milliseconds, calls."""
    with TemporaryDirectory() as folder:
        with jax.profiler.trace(folder):
            step.advance()
        (file,) = Path(folder).rglob("*.xplane.pb")
        profile = jax.profiler.ProfileData.from_file(str(file))
        total: Counter[str] = Counter()
        calls: Counter[str] = Counter()
        for plane in profile.planes:
            if "/device:" not in plane.name:
                continue
            for line in plane.lines:
                # Other lines group the same kernels by XLA's modules and operations.
                if line.name.startswith("Stream"):
                    for event in line.events:
                        total[event.name] += event.duration_ns
                        calls[event.name] += 1
    return [(name, duration / 1e6, calls[name]) for name, duration in total.most_common()]
