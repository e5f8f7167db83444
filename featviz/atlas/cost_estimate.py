"""What a plan will cost: lanes, memory, time measured by a short pilot run, disk. Nothing is written."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import prod
from pathlib import Path

import jax
import numpy as np

from featviz.ascent.batching import MAX_LANES, lane_bytes
from featviz.atlas.engines import render_task
from featviz.atlas.series import Task
from featviz.atlas.sharding import entry_cost
from featviz.model import Model
from featviz.pages.records import Role

# Steps of a pilot run, and how many tasks are measured: the cheapest, the most expensive, and one between.
STEPS, MEASURED = 16, 3
# What a file system takes besides the pixels: three small files, and the unused part of each file's last block.
OVERHEAD = 4 * 4096
# About what a unit takes on the site: its page, its picture, its JSON and its part of the layer's page.
PAGE = 40_000


@dataclass(frozen=True)
class Estimate:
    """The cost of one task.

    Attributes:
      task: what is rendered.
      lanes: optimizations side by side on all devices.
      memory: bytes that they take.
      seconds: the time of rendering.
      compiling: the time of compilation, in seconds.
      disk: bytes of the entries, and of the pages of main pictures.
    """

    task: Task
    lanes: int
    memory: int
    seconds: float
    compiling: float
    disk: int


def estimate(model: Model, tasks: Sequence[Task]) -> list[Estimate]:
    """Estimates of all tasks: some are measured for a few steps, the others interpolated by their work.

    Raises:
      FeatvizError: as rendering them would.
    """
    if not tasks:
        return []
    ranked = sorted(tasks, key=lambda task: entry_cost(task.series, model))
    chosen = {round(step * (len(ranked) - 1) / max(MEASURED - 1, 1)) for step in range(MEASURED)}
    measured = [(entry_cost(ranked[rank].series, model), *_measure(model, ranked[rank])) for rank in sorted(chosen)]
    costs, speeds, lanes, compiling = (np.array(column, float) for column in zip(*measured, strict=True))
    estimates = []
    for task in tasks:
        series, count = task.series, len(task.units)
        steps = series.photos.steps or series.steps if series.photos is not None else series.steps
        shape = (series.count, *series.size, model.input.channels)
        # Seconds per unit of work: small programs are slower at it than large ones.
        pace = float(np.interp(entry_cost(series, model), costs, speeds / costs))
        lanes_here = int(np.interp(entry_cost(series, model), costs, lanes))
        lane_memory = lane_bytes(model, (series.layer,), shape, series.recipe.samples)
        estimates.append(
            Estimate(
                task=task,
                lanes=lanes_here,
                memory=lane_memory * lanes_here,
                seconds=pace * entry_cost(series, model) * steps * count,
                compiling=float(np.interp(entry_cost(series, model), costs, compiling)),
                disk=count * (prod(shape) + 4 * series.steps + OVERHEAD + (PAGE if series.role is Role.MAIN else 0)),
            )
        )
    return estimates


def _measure(model: Model, task: Task) -> tuple[float, int, float]:
    """Seconds per step and entry, lanes side by side, and seconds of compilation."""
    # Two entries on a CPU, at most one batch on an accelerator.
    units = task.units[: 2 if jax.default_backend() == "cpu" else MAX_LANES * jax.local_device_count()]
    short = replace(task, units=units, series=replace(task.series, steps=min(STEPS, task.series.steps)))
    lanes, seconds = 0, []
    for _ in range(2):
        started = time.perf_counter()
        for entry in render_task(model, short):
            lanes = int(entry.pictures[0].provenance["lanes"])
        seconds.append(time.perf_counter() - started)
    # A single unit leaves a lane idle.
    return seconds[1] / (short.series.steps * max(len(units), lanes)), lanes, max(seconds[0] - seconds[1], 0.0)


def estimate_lines(estimates: Sequence[Estimate], out: str | Path) -> list[str]:
    """The estimates as lines, one per task, then the total."""
    width = max((len(cost.task.series.layer) for cost in estimates), default=5)
    lines = [f"{'layer':{width}}  {'pictures':8}  units  lanes  memory    time    disk"]
    for cost in estimates:
        series = cost.task.series
        lines.append(
            f"{series.layer:{width}}  {series.role.value:8}  {len(cost.task.units):5}  {cost.lanes:5}  "
            f"{size_text(cost.memory):>6}  {time_text(cost.seconds + cost.compiling):>6}  {size_text(cost.disk):>6}"
        )
    entries = sum(len(cost.task.units) for cost in estimates)
    seconds = sum(cost.seconds + cost.compiling for cost in estimates)
    disk, memory = sum(cost.disk for cost in estimates), max((cost.memory for cost in estimates), default=0)
    units = sum(len(cost.task.units) for cost in estimates if cost.task.series.role is Role.MAIN)
    lines.append(
        f"{out}: {units} units, {entries} entries; about {time_text(seconds)}, {size_text(memory)} of memory, "
        f"{size_text(disk)} of disk"
    )
    return lines


def time_text(seconds: float) -> str:
    """A duration in the unit that suits it.

    >>> [time_text(seconds) for seconds in (12.4, 300, 9000)]
    ['12 s', '5 min', '2.5 h']
    """
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"


def size_text(count: float) -> str:
    """A number of bytes in the unit that suits it.

    >>> [size_text(count) for count in (2048, 5e6, 3e9)]
    ['2 kB', '5 MB', '3.0 GB']
    """
    if count < 1e6:
        return f"{count / 1e3:.0f} kB"
    return f"{count / 1e6:.0f} MB" if count < 1e9 else f"{count / 1e9:.1f} GB"
