"""How many lanes run side by side: by memory, estimated from shapes and confirmed by the compiled program."""

import os
from collections.abc import Sequence
from math import prod
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from featviz import ascent
from featviz.common.compilation import compiled, program_memory
from featviz.errors import FeatvizError
from featviz.model import Model
from featviz.objectives import Objective, stack
from featviz.parameterizations import Shape, extra_channels
from featviz.regularizers import view_shape

# The share of the free memory that the ascent may take: the rest is the allocator's and other programs'.
SHARE = 0.8
# More lanes than this do not make an accelerator faster; fewer programs' worth of rounding: a multiple of MULTIPLE.
MOST, MULTIPLE = 256, 8
# The fewest lanes of a program on an accelerator.
FEWEST = 2
# On a CPU a program has one lane, so that no lane's rounding depends on its slot: XLA's convolutions (Eigen) sum the
# last rows of a batch in another order than the others (seen with AVX2 on maps of 8 x 8 and 28 x 28). Two such programs
# run at a time, from two threads: a step of two lanes of GoogLeNet's inception_4c at 128 px took 33 ms so, 39 ms one
# after the other and 51 ms as one program of two lanes (jax 0.10.2, two cores with AVX2).
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
    weights: Any,
    objectives: list[Objective],
    penalty: Objective | None,
    *,
    mesh: Mesh,
    requested: int | None = None,
) -> int:
    """Lanes on each device for these objectives, of one structure.

    A CPU has always one. An accelerator gets as many as its free memory holds by the estimate, spread evenly over the
    rounds that all objectives need; where the compiled program says that it takes more than is free, half of them.

    Raises: FeatvizError where not even the fewest fit.
    """
    first = mesh.devices.flat[0]
    # A CPU's devices share one memory.
    free = int(SHARE * free_memory(first)) // (mesh.devices.size if first.platform == "cpu" else 1)
    layers = objectives[0].layers + (penalty.layers if penalty is not None else ())
    # Fidelity looks at as many views of the start.
    views = routine.samples * (1 if routine.fidelity is None else 2)
    one = lane_bytes(model, layers, routine.shape, views, seen=_seen(routine))
    if requested is not None or jax.default_backend() == "cpu":
        count = CPU_LANES if requested is None else requested
        needed = count * one * concurrent_batches(mesh)
        if needed > free:
            raise _too_large(routine, needed, free)
        return count
    count = spread(len(objectives), most=min(MOST, max(FEWEST, free // one)), devices=mesh.devices.size)
    while program_memory(program(routine, weights, objectives[0], penalty, count, mesh=mesh)) > free:
        if count <= FEWEST:
            raise _too_large(routine, FEWEST * one, free)
        count = max(FEWEST, count // 2)
    return count


def spread(number: int, *, most: int, devices: int) -> int:
    """Lanes a device, at most `most`, so that `number` objectives fill every round evenly.

    >>> spread(100, most=64, devices=1), spread(3, most=64, devices=1), spread(5488, most=256, devices=1)
    (56, 8, 256)
    """
    rounds = -(-number // (most * devices))
    even = -(-number // (rounds * devices))
    return max(FEWEST, min(most, -(-even // MULTIPLE) * MULTIPLE))


def program(
    routine: ascent.Routine,
    weights: Any,
    objective: Objective,
    penalty: Objective | None,
    count: int,
    *,
    mesh: Mesh,
) -> Any:
    """The compiled program of a chunk of steps, for `count` lanes on each device; nothing runs."""
    total = count * mesh.devices.size
    lane, every = NamedSharding(mesh, PartitionSpec(ascent.LANES)), NamedSharding(mesh, PartitionSpec())
    keys = jax.eval_shape(lambda: jax.random.split(jax.random.key(0), total))
    lanes = jax.eval_shape(lambda keys: ascent.start(routine, keys, None), keys)
    stacked = jax.eval_shape(lambda: stack([objective] * total))
    return compiled(
        ascent.advance,
        _placed(weights, every),
        _placed(stacked, lane),
        _placed(penalty, every),
        jax.ShapeDtypeStruct((), jnp.int32, sharding=every),
        _placed(lanes, lane),
        routine=routine,
        mesh=mesh,
    )


def _placed(tree: Any, sharding: NamedSharding) -> Any:
    return jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(np.shape(leaf), leaf.dtype, sharding=sharding), tree)


def _seen(routine: ascent.Routine) -> Shape:
    """The shape of one view of each of the group's images."""
    n, height, width, channels = routine.shape
    return view_shape(routine.transforms, (n, height, width, channels + extra_channels(routine.parameterization)))


def lane_bytes(model: Model, layers: Sequence[str], shape: Shape, samples: int, *, seen: Shape | None = None) -> int:
    """An estimate of what one lane takes while a step runs, without tracing the network.

    Twice the named activations up to the deepest of `layers`, at the size that is `seen` (by default the picture's,
    `shape`), and a dozen copies of the picture and of its views: parameters, optimizer and transforms. Programs took
    0.3 to 0.95 of that (jax 0.10.2, CPU).
    """
    seen = shape if seen is None else seen
    names = [layer.name for layer in model.layers]
    deepest = max((names.index(name) for name in layers if name in names), default=len(names) - 1)
    height, width = model.input.size
    scale = seen[0] * samples * seen[1] * seen[2] / (height * width)
    activations = scale * sum(prod(layer.shape) for layer in model.layers[: deepest + 1])
    return int(np.dtype(np.float32).itemsize * (2 * activations + 12 * (prod(shape) + prod(seen) * (samples - 1))))


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
