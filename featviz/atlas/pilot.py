"""What a plan will take: lanes, memory, time from a short pilot, disk; nothing is written."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import prod
from pathlib import Path

import jax
import numpy as np

from featviz.ascent.batching import MAX_LANES, lane_bytes
from featviz.atlas.engines import draw
from featviz.atlas.plan import Task, cost_of
from featviz.model import Model
from featviz.pages.records import Role

# Steps of a pilot, and how many tasks it measures: the cheapest, the dearest, and one between.
STEPS, MEASURED = 16, 3
# What a file system takes beside the pixels: the three small files, and what a file's last block leaves empty.
OVERHEAD = 4 * 4096
# About what a unit's page takes on the site, with its picture, its JSON and its place on the wall.
PAGE = 40_000


@dataclass(frozen=True)
class Estimate:
    """Of one task: seconds of drawing and of compiling, bytes of memory and of disk, lanes side by side."""

    task: Task
    lanes: int
    memory: int
    seconds: float
    compiling: float
    disk: int


def estimate(model: Model, tasks: Sequence[Task]) -> list[Estimate]:
    """The tasks' estimates: some are tried for a few steps, the others' times lie between by their work.

    Raises: FeatvizError as drawing them would.
    """
    if not tasks:
        return []
    ranked = sorted(tasks, key=lambda task: cost_of(task.series, model))
    chosen = {round(at * (len(ranked) - 1) / max(MEASURED - 1, 1)) for at in range(MEASURED)}
    tried = [(cost_of(ranked[at].series, model), *_try(model, ranked[at])) for at in sorted(chosen)]
    costs, speeds, lanes, compiling = (np.array(column, float) for column in zip(*tried, strict=True))
    found = []
    for task in tasks:
        series, count = task.series, len(task.units)
        shape = (series.count, *series.size, model.input.channels)
        # Seconds for each unit of work, which small programs do not do as fast as large ones.
        pace = float(np.interp(cost_of(series, model), costs, speeds / costs))
        side = int(np.interp(cost_of(series, model), costs, lanes))
        each = lane_bytes(model, (series.layer,), shape, series.recipe.samples)
        found.append(
            Estimate(
                task=task,
                lanes=side,
                memory=each * side,
                seconds=pace * cost_of(series, model) * series.steps * count,
                compiling=float(np.interp(cost_of(series, model), costs, compiling)),
                disk=count * (prod(shape) + 4 * series.steps + OVERHEAD + (PAGE if series.role is Role.MAIN else 0)),
            )
        )
    return found


def _try(model: Model, task: Task) -> tuple[float, int, float]:
    """Seconds of one step of one entry, lanes side by side, and seconds of compiling."""
    # A whole batch at most: a CPU's two, an accelerator's as many as it may have.
    units = task.units[: 2 if jax.default_backend() == "cpu" else MAX_LANES * jax.local_device_count()]
    short = replace(task, units=units, series=replace(task.series, steps=min(STEPS, task.series.steps)))
    lanes, seconds = 0, []
    for _ in range(2):
        begun = time.perf_counter()
        for drawn in draw(model, short):
            lanes = int(drawn.pictures[0].provenance["lanes"])
        seconds.append(time.perf_counter() - begun)
    # One unit alone leaves a lane idle.
    return seconds[1] / (short.series.steps * max(len(units), lanes)), lanes, max(seconds[0] - seconds[1], 0.0)


def table(estimates: Sequence[Estimate], out: str | Path) -> list[str]:
    """The estimates as lines: a task each, then all together."""
    width = max((len(each.task.series.layer) for each in estimates), default=5)
    lines = [f"{'layer':{width}}  {'pictures':8}  units  lanes  memory    time    disk"]
    for each in estimates:
        series = each.task.series
        lines.append(
            f"{series.layer:{width}}  {series.role.value:8}  {len(each.task.units):5}  {each.lanes:5}  "
            f"{size_text(each.memory):>6}  {time_text(each.seconds + each.compiling):>6}  {size_text(each.disk):>6}"
        )
    entries = sum(len(each.task.units) for each in estimates)
    seconds = sum(each.seconds + each.compiling for each in estimates)
    disk, memory = sum(each.disk for each in estimates), max((each.memory for each in estimates), default=0)
    units = sum(len(each.task.units) for each in estimates if each.task.series.role is Role.MAIN)
    lines.append(
        f"{out}: {units} units, {entries} entries; about {time_text(seconds)}, {size_text(memory)} of memory, "
        f"{size_text(disk)} of disk"
    )
    return lines


def time_text(seconds: float) -> str:
    """
    >>> [time_text(seconds) for seconds in (12.4, 300, 9000)]
    ['12 s', '5 min', '2.5 h']
    """
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"


def size_text(count: float) -> str:
    """
    >>> [size_text(count) for count in (2048, 5e6, 3e9)]
    ['2 kB', '5 MB', '3.0 GB']
    """
    if count < 1e6:
        return f"{count / 1e3:.0f} kB"
    return f"{count / 1e6:.0f} MB" if count < 1e9 else f"{count / 1e9:.1f} GB"
