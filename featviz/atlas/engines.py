"""Engines: what draws the entries of tasks. `local` is all devices of this machine."""

from collections.abc import Callable, Generator, Iterator, Sequence
from functools import partial
from typing import NamedTuple, Protocol

from featviz.atlas.plan import Task
from featviz.model import Model
from featviz.pictures.picture import Picture
from featviz.rendering.draw import render_groups
from featviz.rendering.request import make_request


class Drawn(NamedTuple):
    """An entry as it comes from an engine: its task, its unit and its pictures."""

    task: Task
    unit: int
    pictures: list[Picture]


# Told of each entry as it is begun.
Begin = Callable[[Task, int], None]


class Engine(Protocol):
    """Draws all entries of the tasks, in any order, each once; `on_start` is told as each is taken up.

    A generator, which is closed when the run stops early.
    """

    def __call__(self, model: Model, tasks: Sequence[Task], *, on_start: Begin) -> Generator[Drawn, None, None]: ...


def local(model: Model, tasks: Sequence[Task], *, on_start: Begin) -> Generator[Drawn, None, None]:
    """Draws on all devices of this machine, task by task in full batches."""
    for task in tasks:
        yield from draw(model, task, on_start=partial(on_start, task))


def draw(model: Model, task: Task, *, on_start: Callable[[int], None] | None = None) -> Iterator[Drawn]:
    """The entries of one task; `on_start` is told the unit of each as it is taken up."""
    series = task.series
    request = make_request(
        model,
        [series.objective(unit) for unit in task.units],
        recipe=series.recipe,
        size=series.size,
        steps=series.steps,
        seed=series.seed,
        dtype=series.dtype,
        group_size=series.count,
        lanes=task.lanes,
        progress=False,
    )
    begin = None if on_start is None else lambda index: on_start(task.units[index])
    for index, pictures in render_groups(request, on_start=begin):
        yield Drawn(task, task.units[index], pictures)
