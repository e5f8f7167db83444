"""Shards: fixed, disjoint parts of a plan of about equal cost, which need no coordination."""

from collections.abc import Sequence

from featviz.ascent.batching import lane_bytes
from featviz.atlas.series import Series, Task
from featviz.model import Model
from featviz.rendering.checks import check_count


def shard_tasks(tasks: Sequence[Task], model: Model, *, index: int, count: int) -> tuple[Task, ...]:
    """Shard `index` of `count`, from 1 on: neighbors in the plan's order, of about equal cost.

    A shard depends on the plan alone, so all shards are disjoint and together make up the plan. Its entries are
    neighbors because a shard compiles a program for each kind of picture in it.

    Raises:
      FeatvizError: unless 1 <= index <= count.
    """
    check_count("shard", index, 1, check_count("shard", count, 1, 1_000_000))
    costs = [entry_cost(task.series, model) for task in tasks]
    total = sum(cost * len(task.units) for cost, task in zip(costs, tasks, strict=True))
    shard, passed = [], 0.0
    for cost, task in zip(costs, tasks, strict=True):
        units = []
        for unit in task.units:
            # An entry belongs to the shard in whose part of the total cost its middle lies.
            part = min(int((passed + cost / 2) * count / total), count - 1)
            passed += cost
            if part == index - 1:
                units.append(unit)
        if units:
            shard.append(Task(task.series, tuple(units)))
    return tuple(shard)


def entry_cost(series: Series, model: Model) -> float:
    """A relative estimate of the work of one entry: the activations of its lane, times the steps."""
    shape = (series.count, *series.size, model.input.channels)
    return float(lane_bytes(model, (series.layer,), shape, series.recipe.samples)) * series.steps
