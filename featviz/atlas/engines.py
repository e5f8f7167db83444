"""Engines: what renders the entries of tasks. `render_locally` uses all devices of this machine."""

from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import replace
from functools import partial
from itertools import zip_longest
from typing import NamedTuple, Protocol

from featviz.atlas.entries import BEGUN_AT
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


# Units that begin at images are rendered so many at a time.
STARTED = 64
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
    started = [unit for unit in task.units if unit in task.starts]
    others = [unit for unit in task.units if unit not in task.starts]
    # Of many units at a time there is no room for the images at which they begin.
    for units in (others, *(started[first : first + STARTED] for first in range(0, len(started), STARTED))):
        if units:
            yield from _render_units(model, task, units, on_start)


def _render_units(
    model: Model, task: Task, units: Sequence[int], on_start: Callable[[int], None] | None
) -> Iterator[RenderedEntry]:
    """Renders entries that all begin from noise, or all at images."""
    series, photos = task.series, task.series.photos
    images = [image for unit in units if unit in task.starts for image in task.starts.of_unit(unit)]
    request = make_request(
        model,
        [task.objective(unit) for unit in units],
        recipe=series.recipe,
        size=series.size,
        steps=photos.steps if images and photos is not None else series.steps,
        seed=series.seed,
        start=images or None,
        dtype=series.dtype,
        group_size=series.count,
        lanes=task.lanes,
        progress=False,
    )
    start = None if on_start is None else lambda index: on_start(units[index])
    for index, pictures in render_groups(request, on_start=start):
        names = task.starts.names.get(units[index], ())
        yield RenderedEntry(task, units[index], [_with_name(*each) for each in zip_longest(pictures, names)])


def _with_name(picture: Picture, name: str | None) -> Picture:
    """The picture with the name of the photograph that it begins at."""
    return picture if name is None else replace(picture, provenance={**picture.provenance, BEGUN_AT: name})
