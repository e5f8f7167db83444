"""Engines: what renders the entries of tasks. `render_locally` uses all devices of this machine."""

from collections.abc import Callable, Generator, Iterator, Sequence
from functools import partial
from typing import NamedTuple, Protocol

from featviz.atlas.series import Task
from featviz.model import Model
from featviz.pictures.picture import Picture
from featviz.rendering.draw import render_groups
from featviz.rendering.request import make_request


class RenderedEntry(NamedTuple):
    """An entry as an engine returns it."""

    task: Task
    unit: int
    pictures: list[Picture]


# Called with the task and the unit of each entry as it is started.
OnStart = Callable[[Task, int], None]


class Engine(Protocol):
    """Renders all entries of the tasks, each once, in any order.

    A generator, which is closed when the run stops early. It calls `on_start` for each entry that it starts.
    """

    def __call__(
        self, model: Model, tasks: Sequence[Task], *, on_start: OnStart
    ) -> Generator[RenderedEntry, None, None]: ...


def render_locally(model: Model, tasks: Sequence[Task], *, on_start: OnStart) -> Generator[RenderedEntry, None, None]:
    """The default engine: renders on all devices of this machine, task by task in full batches."""
    for task in tasks:
        yield from render_task(model, task, on_start=partial(on_start, task))


def render_task(model: Model, task: Task, *, on_start: Callable[[int], None] | None = None) -> Iterator[RenderedEntry]:
    """Renders the entries of one task; calls `on_start` with the unit of each entry that it starts."""
    series = task.series
    request = make_request(
        model,
        [task.objective(unit) for unit in task.units],
        recipe=series.recipe,
        size=series.size,
        steps=series.steps,
        seed=series.seed,
        dtype=series.dtype,
        group_size=series.count,
        lanes=task.lanes,
        progress=False,
    )
    start = None if on_start is None else lambda index: on_start(task.units[index])
    for index, pictures in render_groups(request, on_start=start):
        yield RenderedEntry(task, task.units[index], pictures)
