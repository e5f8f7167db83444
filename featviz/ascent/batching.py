"""How many lanes run side by side: by memory, estimated from shapes and confirmed by the compiled program."""

import os
from collections.abc import Sequence
from math import prod
from pathlib import Path
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh

from featviz import ascent
from featviz.ascent.program_set import step_shapes, trace_advance
from featviz.common.compilation import program_memory
from featviz.errors import FeatvizError
from featviz.model import Model, Weights
from featviz.objectives import Objective
from featviz.parameterizations import Shape, extra_channels
from featviz.regularizers import view_shape

# The share of the free memory that the ascent may take; the allocator and other programs need the rest.
MEMORY_SHARE = 0.8
# Lanes of a program on an accelerator. More than MAX_LANES do not make it faster; with multiples of LANE_MULTIPLE there
# are fewer different programs, and so fewer roundings.
MIN_LANES, MAX_LANES, LANE_MULTIPLE = 2, 256, 8
# On a CPU a program has one lane, so that no lane's rounding depends on its slot: XLA's convolutions (Eigen) sum the
# last rows of a batch in another order than the others (seen with AVX2 on maps of 8 x 8 and 28 x 28). Two such programs
# run at a time, from two threads: a step of two lanes of GoogLeNet's inception_4c at 128 px took 33 ms this way, 39 ms
# one after the other and 51 ms as one program of two lanes (jax 0.10.2, two cores with AVX2).
CPU_LANES, CPU_BATCHES = 1, 2


def device_mesh() -> Mesh:
    """All devices of this machine's process in one row."""
    return Mesh(np.asarray(jax.local_devices()), (ascent.LANES,))


def default_chunk() -> int:
    """Steps of one compiled call: see `ascent.Routine.chunk`."""
    return 1 if jax.default_backend() == "cpu" else 16


def concurrent_batches(mesh: Mesh) -> int:
    """How many programs run at a time on a mesh: two on a CPU of one device, else one."""
    return CPU_BATCHES if mesh.devices.size == 1 and mesh.devices.flat[0].platform == "cpu" else 1


def choose_lanes(
    routine: ascent.Routine,
    model: Model,
    weights: Weights | ascent.StepWeights,
    objectives: list[Objective],
    penalty: Objective | None,
    *,
    mesh: Mesh,
    requested: int | None = None,
) -> int:
    """Lanes on each device for these objectives, of one structure.

    Always one on a CPU. On an accelerator as many as fit into the free memory by the estimate, spread evenly over the
    rounds that all objectives need, halved while the compiled program takes more than is free.

    Raises: FeatvizError if not even the smallest number fits.
    """
    first = mesh.devices.flat[0]
    # A CPU's devices share one memory.
    free = int(MEMORY_SHARE * free_memory(first)) // (mesh.devices.size if first.platform == "cpu" else 1)
    layers = objectives[0].layers + (penalty.layers if penalty is not None else ())
    # Fidelity needs as many views of the start.
    views = routine.samples * (1 if routine.fidelity is None else 2)
    per_lane = lane_bytes(model, layers, routine.shape, views, view=_view_shape(routine))
    if requested is not None or jax.default_backend() == "cpu":
        lanes = CPU_LANES if requested is None else requested
        needed = lanes * per_lane * concurrent_batches(mesh)
        if needed > free:
            raise _too_large(routine, needed, free)
        return lanes
    max_lanes = min(MAX_LANES, max(MIN_LANES, free // per_lane))
    lanes = spread(len(objectives), max_lanes=max_lanes, devices=mesh.devices.size)
    while program_memory(step_program(routine, weights, objectives[0], penalty, lanes, mesh=mesh)) > free:
        if lanes <= MIN_LANES:
            raise _too_large(routine, MIN_LANES * per_lane, free)
        lanes = max(MIN_LANES, lanes // 2)
    return lanes


def spread(count: int, *, max_lanes: int, devices: int) -> int:
    """Lanes a device, at most `max_lanes`, so that `count` objectives fill every round evenly.

    >>> spread(100, max_lanes=64, devices=1), spread(3, max_lanes=64, devices=1), spread(5488, max_lanes=256, devices=1)
    (56, 8, 256)
    """
    rounds = -(-count // (max_lanes * devices))
    even = -(-count // (rounds * devices))
    return max(MIN_LANES, min(max_lanes, -(-even // LANE_MULTIPLE) * LANE_MULTIPLE))


def step_program(
    routine: ascent.Routine,
    weights: Weights | ascent.StepWeights,
    objective: Objective,
    penalty: Objective | None,
    lanes: int,
    *,
    mesh: Mesh,
) -> Any:
    """The compiled program of a chunk of steps, for `lanes` on each device; nothing runs."""
    plan = ascent.plan_step(routine, weights, objective, penalty)
    shapes = step_shapes(plan, weights, lanes * mesh.devices.size, mesh=mesh)
    return trace_advance(plan, shapes, mesh=mesh).compiled()


def _view_shape(routine: ascent.Routine) -> Shape:
    """The shape of one transformed view of a group's images."""
    n, height, width, channels = routine.shape
    return view_shape(routine.transforms, (n, height, width, channels + extra_channels(routine.parameterization)))


def lane_bytes(model: Model, layers: Sequence[str], shape: Shape, samples: int, *, view: Shape | None = None) -> int:
    """An estimate of the memory of one lane during a step, without tracing the network.

    Twice the named activations up to the deepest of `layers`, for views of the shape `view` (by default the picture's,
    `shape`), and a dozen copies of the picture and of its views: parameters, optimizer and transforms. Programs took
    0.3 to 0.95 of that (jax 0.10.2, CPU).
    """
    view = shape if view is None else view
    names = [layer.name for layer in model.layers]
    deepest = max((names.index(name) for name in layers if name in names), default=len(names) - 1)
    height, width = model.input.size
    scale = view[0] * samples * view[1] * view[2] / (height * width)
    activations = scale * sum(prod(layer.shape) for layer in model.layers[: deepest + 1])
    return int(np.dtype(np.float32).itemsize * (2 * activations + 12 * (prod(shape) + prod(view) * (samples - 1))))


def free_memory(device: jax.Device) -> int:
    """Bytes free on a device; for a CPU, of the machine."""
    stats = device.memory_stats() if device.platform != "cpu" else None
    if stats and "bytes_limit" in stats:
        return stats["bytes_limit"] - stats.get("bytes_in_use", 0)
    try:
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return 1 << 34  # unknown: as if it were 16 GiB


def _too_large(routine: ascent.Routine, needed: int, free: int) -> FeatvizError:
    height, width = routine.shape[1:3]
    fits = int(min(height, width) * (free / needed) ** 0.5)
    return FeatvizError(
        f"`size` {height}x{width} needs about {needed / 2**30:.1f} GiB, of which {free / 2**30:.1f} GiB are free; "
        f"about {fits} px a side would fit"
    )
