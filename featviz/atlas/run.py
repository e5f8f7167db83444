"""A run of an atlas: takes locks, finds what is missing, and writes each entry as soon as an engine has rendered it."""

import json
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from tqdm import tqdm

from featviz.atlas.atlas_store import Store, one_line_errors
from featviz.atlas.engines import Engine, RenderedEntry
from featviz.atlas.entries import Entries
from featviz.atlas.facet_objectives import unit_facets
from featviz.atlas.journal import Journal
from featviz.atlas.locks import lock_name, lock_units
from featviz.atlas.objective_text import NAME_BYTES, TEXT_BYTES, short_name
from featviz.atlas.plan import Plan
from featviz.atlas.series import Task
from featviz.atlas.start_images import StartImages
from featviz.common.canonical import digest
from featviz.common.files import delayed_interrupts
from featviz.common.progress import progress_bar
from featviz.errors import FeatvizError
from featviz.model import Model
from featviz.parameterizations import extra_channels
from featviz.pictures.picture import Picture
from featviz.surveys.facet_starts import can_start
from featviz.surveys.survey import Survey


class RunObserver(Protocol):
    """Notified of each entry after it has been written, and of each task that it completes."""

    def entry_written(self, task: Task, unit: int) -> None: ...

    def task_completed(self, task: Task) -> None: ...


def run_tasks(
    model: Model,
    plan: Plan,
    tasks: Sequence[Task],
    store: Store,
    *,
    engine: Engine,
    survey: Survey | None = None,
    observer: RunObserver | None = None,
    progress: bool = True,
) -> int:
    """Renders the entries of the tasks that the store lacks.

    Args:
      model: the network.
      plan: what is planned in all, also by other shards.
      tasks: the plan's tasks, or a shard of them.
      store: where entries are written.
      engine: what renders.
      survey: that the plan's facets are of.
      observer: what is notified of each entry.
      progress: whether a progress bar is shown.

    Returns:
      how many entries were missing. Ctrl-C or a kill loses only the lanes in flight.

    Raises:
      FeatvizError: if another run renders some of the entries, or one cannot be written.
    """
    with ExitStack() as stack:
        journal = None
        if store.folder is not None:
            stack.enter_context(
                lock_units(store.folder / "locks", [(lock_name(task.path), task.units) for task in tasks])
            )
        with one_line_errors(store):
            # Series of other shards too: the whole plan can be read from the first moment.
            entries = {task.path: _add_series(store, plan, task, model) for task in plan.tasks}
            content = plan.to_json()
            store.add_plan(digest(content)[:16], {**content, "time": time.time()})
            if store.folder is not None:
                _remove_partial_files(store.folder, tasks)
                journal = stack.enter_context(closing(Journal(store.folder / "journal")))
        missing = {task.path: missing_units(entries[task.path], task) for task in tasks}
        waiting = [_with_lanes(task.of_units(missing[task.path]), entries[task.path]) for task in tasks]
        waiting = [task for task in waiting if task.units]
        waiting = [
            _with_objectives(task, survey) if survey is not None and task.series.photos is not None else task
            for task in waiting
        ]
        writer = _EntryWriter(store, entries, {task.path: set(task.units) for task in waiting}, journal, observer)
        total, missing_count = sum(len(task.units) for task in tasks), sum(map(len, missing.values()))
        with (
            progress_bar(None, total=total, initial=total - missing_count, unit="picture", shown=progress) as bar,
            closing(engine(model, waiting, on_start=writer.start)) as rendering,
        ):
            for entry in rendering:
                series = entry.task.series
                bar.set_description(f"{series.layer} {series.role.value}", refresh=False)
                writer.write(entry)
                bar.update()
        return missing_count


@dataclass
class _EntryWriter:
    """Writes entries; `remaining` has the units of each path that are still to come."""

    store: Store
    entries: dict[str, Entries]
    remaining: dict[str, set[int]]
    journal: Journal | None
    observer: RunObserver | None

    def start(self, task: Task, unit: int) -> None:
        with one_line_errors(self.store):
            self._record("start", task, unit)

    def write(self, entry: RenderedEntry) -> None:
        """Writes an entry; Ctrl-C waits until it is written."""
        task, unit, pictures = entry
        series_entries = self.entries[task.path]
        _check_machine(task, pictures[0])
        with delayed_interrupts(), one_line_errors(self.store):
            if "lanes" not in series_entries.attributes:
                series_entries.fix_lanes(pictures[0].provenance["lanes"])
            series_entries.write(unit, pictures)
            self._record("done", task, unit)
        self.remaining[task.path].discard(unit)
        if self.observer is not None:
            self.observer.entry_written(task, unit)
            if not self.remaining[task.path]:
                self.observer.task_completed(task)

    def _record(self, event: str, task: Task, unit: int) -> None:
        if self.journal is not None:
            self.journal.record(event, lock_name(task.path), unit)


def _with_objectives(task: Task, survey: Survey) -> Task:
    """The task with what its facets of photographs maximize, and where they begin."""
    series = task.series
    found = unit_facets(survey, series.layer, task.units, series.count, size=series.size)
    crops = {unit: facets.crops for unit, facets in found.items() if facets.crops and can_start(series.recipe)}
    names = {unit: tuple(short_name(survey.names[crop.photo]) for crop in of) for unit, of in crops.items()}
    objectives = {unit: facets.objective for unit, facets in found.items()}
    return replace(task, objectives=objectives, starts=StartImages(survey, crops, series.size, names=names))


def _add_series(store: Store, plan: Plan, task: Task, model: Model) -> Entries:
    series = task.series
    alpha = extra_channels(series.recipe.parameterization) or int(series.recipe.transparency)
    picture = (*series.size, model.input.channels + alpha)
    shape = picture if series.count == 1 else (series.count, *picture)
    units, attributes = model.layer(series.layer).units, plan.attributes[task.path]
    names = series.count * NAME_BYTES if series.photos is not None and series.photos.steps else 0
    room = 0 if series.photos is None else TEXT_BYTES + len(json.dumps(series.layer)) + names
    return store.add_series(task.path, shape, units, series.steps, attributes, text_bytes=room)


def missing_units(entries: Entries, task: Task) -> tuple[int, ...]:
    """The units of a task without an intact entry; damaged ones are reported on standard error."""
    written = entries.written().intersection(task.units)
    damaged = entries.damaged(written)
    for unit, fault in sorted(damaged.items()):
        name = f"{task.series.layer}:{unit} ({task.series.role.value})"
        tqdm.write(f"{name} is damaged and is rendered again: {fault}", file=sys.stderr)
    return tuple(unit for unit in task.units if unit not in written or unit in damaged)


def _with_lanes(task: Task, entries: Entries) -> Task:
    """The task with the number of lanes of its first picture; on CPUs that number is always the same."""
    lanes, platform = entries.attributes.get("lanes"), task.series.run["device"]["platform"]
    return task if lanes is None or platform == "cpu" else replace(task, lanes=int(lanes))


def _check_machine(task: Task, picture: Picture) -> None:
    """Refuses a picture from another machine than its key says."""
    for name in ("device", "versions"):
        expected, found = task.series.run[name], picture.provenance[name]
        if found != expected:
            raise FeatvizError(f"a picture of {picture.name} comes from {name} {found}; its series expects {expected}")


def _remove_partial_files(folder: Path, tasks: Sequence[Task]) -> None:
    """Removes files of these tasks' units that a kill left half written: Zarr's `c.UNIT.<random>.partial`."""
    for task in tasks:
        units = set(task.units)
        for path in (folder / task.path).glob("**/c.*.partial"):
            unit = path.name.split(".")[1]
            if unit.isdecimal() and int(unit) in units:
                with suppress(OSError):
                    path.unlink()
