"""The run: locks, what is missing, an engine, and each entry written as soon as it is drawn."""

import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from tqdm import tqdm

from featviz.atlas.atlas_store import Store
from featviz.atlas.engines import Drawn, Engine
from featviz.atlas.entries import Entries
from featviz.atlas.journal import Journal
from featviz.atlas.locks import hold
from featviz.atlas.plan import Plan, Task
from featviz.common.canonical import digest
from featviz.common.files import delayed_interrupts
from featviz.errors import FeatvizError, in_one_line
from featviz.model import Model
from featviz.parameterizations import extra_channels
from featviz.pictures.picture import Picture


class Watcher(Protocol):
    """Told of each entry as it has been written, and of each task that this completes."""

    def drawn(self, task: Task, unit: int) -> None: ...

    def finished(self, task: Task) -> None: ...


def run(
    model: Model,
    plan: Plan,
    tasks: Sequence[Task],
    store: Store,
    *,
    engine: Engine,
    watcher: Watcher | None = None,
    progress: bool = True,
) -> int:
    """Draws those entries of the tasks that the store lacks, and says how many that were.

    `tasks` are the plan's, or a share of them. Ctrl-C and a kill lose the lanes in flight, nothing else.

    Raises: FeatvizError where another run draws some of them, or something cannot be written.
    """
    with ExitStack() as stack:
        journal = None
        if store.folder is not None:
            stack.enter_context(hold(store.folder / "locks", [(lock_name(task), task.units) for task in tasks]))
        with _told(store):
            # Also those of other shares: what is planned can be looked up from the first moment.
            entries = {task.path: _open(store, plan, task, model) for task in plan.tasks}
            content = plan.to_json()
            store.add_plan(digest(content)[:16], {**content, "at": time.time()})
            if store.folder is not None:
                _sweep(store.folder, tasks)
                journal = stack.enter_context(closing(Journal(store.folder / "journal")))
        left = {task.path: missing(entries[task.path], task) for task in tasks}
        waiting = [_fixed(replace(task, units=left[task.path]), entries[task.path]) for task in tasks]
        waiting = [task for task in waiting if task.units]
        record = _Record(store, entries, {task.path: set(task.units) for task in waiting}, journal, watcher)
        total, undone = sum(len(task.units) for task in tasks), sum(map(len, left.values()))
        disabled = None if progress else True
        with (
            tqdm(total=total, initial=total - undone, unit="picture", disable=disabled) as bar,
            closing(engine(model, waiting, on_start=record.on_start)) as drawing,
        ):
            for drawn in drawing:
                series = drawn.task.series
                bar.set_description(f"{series.layer} {series.role.value}", refresh=False)
                record.keep(drawn)
                bar.update()
        return undone


@dataclass
class _Record:
    """Where entries go: `open` has the units of each path that are still to come."""

    store: Store
    entries: dict[str, Entries]
    open: dict[str, set[int]]
    journal: Journal | None
    watcher: Watcher | None

    def on_start(self, task: Task, unit: int) -> None:
        with _told(self.store):
            self._note("start", task, unit)

    def keep(self, drawn: Drawn) -> None:
        """Writes an entry; Ctrl-C waits for it."""
        task, unit, pictures = drawn
        own = self.entries[task.path]
        _check_place(task, pictures[0])
        with delayed_interrupts(), _told(self.store):
            if "lanes" not in own.attributes:
                own.keep(lanes=pictures[0].provenance["lanes"])
            own.write(unit, pictures)
            self._note("done", task, unit)
        self.open[task.path].discard(unit)
        if self.watcher is not None:
            self.watcher.drawn(task, unit)
            if not self.open[task.path]:
                self.watcher.finished(task)

    def _note(self, event: str, task: Task, unit: int) -> None:
        if self.journal is not None:
            self.journal.note(event, lock_name(task), unit)


@contextmanager
def _told(store: Store) -> Iterator[None]:
    """Within, what cannot be written is told in one line."""
    try:
        yield
    except OSError as error:
        raise FeatvizError(
            f"`{store.place}` cannot be written: {error.strerror or in_one_line(error)}; what is drawn is kept, and "
            "the same command continues"
        ) from None


def lock_name(task: Task) -> str:
    """The name of a task's series in locks and journal: LAYER-ROLE-HASH."""
    _, layer, name = task.path.split("/")
    return f"{layer}-{name}"


def _open(store: Store, plan: Plan, task: Task, model: Model) -> Entries:
    series = task.series
    alpha = extra_channels(series.recipe.parameterization) or int(series.recipe.transparency)
    shape = (*series.size, model.input.channels + alpha)
    whole = shape if series.count == 1 else (series.count, *shape)
    return store.add(task.path, whole, model.layer(series.layer).units, series.steps, plan.attributes[task.path])


def missing(entries: Entries, task: Task) -> tuple[int, ...]:
    """Those of a task's units that are not there, or not whole, which standard error is told."""
    there = entries.there().intersection(task.units)
    damaged = entries.damaged(there)
    for unit, fault in sorted(damaged.items()):
        name = f"{task.series.layer}:{unit} ({task.series.role.value})"
        tqdm.write(f"{name} is damaged and drawn again: {fault}", file=sys.stderr)
    return tuple(unit for unit in task.units if unit not in there or unit in damaged)


def _fixed(task: Task, entries: Entries) -> Task:
    """The task with the number of lanes that the first of its pictures had; a CPU's is always the same."""
    lanes, platform = entries.attributes.get("lanes"), task.series.run["device"]["platform"]
    return task if lanes is None or platform == "cpu" else replace(task, lanes=int(lanes))


def _check_place(task: Task, picture: Picture) -> None:
    """Refuses a picture that was drawn elsewhere than its key says."""
    for name in ("device", "versions"):
        expected, found = task.series.run[name], picture.provenance[name]
        if found != expected:
            raise FeatvizError(f"a picture of {picture.name} comes from {name} {found}; its series is of {expected}")


def _sweep(folder: Path, tasks: Sequence[Task]) -> None:
    """Removes what a kill left half written of these tasks' units: files of Zarr's, `c.UNIT.<random>.partial`."""
    for task in tasks:
        units = set(task.units)
        for path in (folder / task.path).glob("*/c.*.partial"):
            unit = path.name.split(".")[1]
            if unit.isdecimal() and int(unit) in units:
                with suppress(OSError):
                    path.unlink()
