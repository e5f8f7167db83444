"""The run: plan, locks, what is missing, an engine, and each entry written as soon as it is drawn."""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path

import jax
from tqdm import tqdm

from featviz.atlas.engines import Engine
from featviz.atlas.interrupts import uninterrupted
from featviz.atlas.journal import Journal
from featviz.atlas.locks import hold
from featviz.atlas.plan import Plan, Task
from featviz.atlas.store import Entries, Store
from featviz.errors import FeatvizError, in_one_line
from featviz.files import write_whole
from featviz.images import extra_channels
from featviz.model import Model

# Told of a task once all of it is there.
Finished = Callable[[Task], None]


def run(
    model: Model,
    plan: Plan,
    tasks: Sequence[Task],
    store: Store,
    *,
    engine: Engine,
    finished: Finished | None = None,
    progress: bool = True,
) -> int:
    """Draws those entries of the tasks that the store lacks; how many that were.

    `tasks` are the plan's, or a share of them. `finished` is told of a task once all of it is there, also where it was
    before. Ctrl-C and a kill lose the lanes in flight, nothing else.

    Raises: FeatvizError where another run draws some of them, or something cannot be written.
    """
    names = {task.path: lock_name(task) for task in tasks}
    wanted = [(names[task.path], task.units) for task in tasks]
    folder = store.folder
    if folder is None:
        return _draw(model, plan, tasks, store, None, names, engine=engine, finished=finished, progress=progress)
    with hold(folder / "locks", wanted):
        write_whole(folder / "plan.json", (json.dumps(plan.to_json()) + "\n").encode())
        with closing(Journal(folder / "journal")) as journal:
            _clean(folder, tasks)
            return _draw(model, plan, tasks, store, journal, names, engine=engine, finished=finished, progress=progress)


def lock_name(task: Task) -> str:
    """The name of a task's series in locks and journal: LAYER-ROLE-HASH."""
    _, layer, name = task.path.split("/")
    return f"{layer}-{name}"


def _draw(
    model: Model,
    plan: Plan,
    tasks: Sequence[Task],
    store: Store,
    journal: Journal | None,
    names: dict[str, str],
    *,
    engine: Engine,
    finished: Finished | None,
    progress: bool,
) -> int:
    try:
        entries = {task.path: _open(store, plan, task, model) for task in tasks}
    except OSError as error:
        raise FeatvizError(f"`{store.place}` cannot be written: {error.strerror or in_one_line(error)}") from None
    total = sum(len(task.units) for task in tasks)
    left = {task.path: missing(entries[task.path], task, say=progress) for task in tasks}
    waiting = [_fixed(replace(task, units=left[task.path]), entries[task.path]) for task in tasks if left[task.path]]
    ready = [task for task in tasks if not left[task.path]]

    def begin(task: Task, unit: int) -> None:
        if journal is not None:
            journal.note("start", names[task.path], unit)

    for task in ready if finished is not None else ():
        finished(task)
    made, open_units = 0, {task.path: set(task.units) for task in waiting}
    whole = {task.path: task for task in tasks}
    disabled = None if progress else True
    with tqdm(total=total, initial=total - sum(map(len, left.values())), unit="picture", disable=disabled) as bar:
        drawn = engine(model, waiting, begin=begin)
        for task, unit, pictures in drawn:
            bar.set_description(f"{task.series.layer} {task.series.role.value}", refresh=False)
            own = entries[task.path]
            with uninterrupted():
                try:
                    if task.lanes is None and "lanes" not in own.attributes:
                        own.keep(lanes=pictures[0].provenance["lanes"])
                    own.write(unit, pictures)
                    if journal is not None:
                        journal.note("done", names[task.path], unit)
                except OSError as error:
                    raise FeatvizError(
                        f"`{store.place}` cannot be written: {error.strerror or in_one_line(error)}; "
                        f"{total - sum(map(len, open_units.values()))} of {total} pictures are kept, and the same command "
                        "continues"
                    ) from None
            made += 1
            bar.update()
            open_units[task.path].discard(unit)
            if not open_units[task.path] and finished is not None:
                finished(whole[task.path])
    return made


def _open(store: Store, plan: Plan, task: Task, model: Model) -> Entries:
    series = task.series
    alpha = extra_channels(series.recipe.parameterization) or int(series.recipe.transparency)
    shape = (*series.size, model.input.channels + alpha)
    return store.add(
        task.path,
        shape if series.count == 1 else (series.count, *shape),
        model.layer(series.layer).units,
        series.steps,
        plan.attributes[task.path],
    )


def missing(entries: Entries, task: Task, *, say: bool = True) -> tuple[int, ...]:
    """Those of a task's units that are not there, or cannot be read; `say` names the latter."""
    outcomes = entries.outcomes()
    there = [unit for unit in task.units if outcomes[unit]]
    damaged = entries.damaged(there)
    for unit, fault in damaged.items() if say else ():
        tqdm.write(f"{task.series.layer}:{unit} ({task.series.role.value}) is damaged and drawn again: {fault}")
    return tuple(unit for unit in task.units if not outcomes[unit] or unit in damaged)


def _fixed(task: Task, entries: Entries) -> Task:
    """The task with the number of lanes that the first of its pictures had; a CPU's is always the same."""
    lanes = entries.attributes.get("lanes")
    return task if lanes is None or jax.default_backend() == "cpu" else replace(task, lanes=int(lanes))


def _clean(folder: Path, tasks: Sequence[Task]) -> None:
    """Removes what a kill left half written of these tasks' units."""
    for task in tasks:
        units = set(task.units)
        for path in _partials(folder / task.path):
            name = path.relative_to(folder / task.path).parts[2:3]
            if name and name[0].split(".")[0].isdecimal() and int(name[0].split(".")[0]) in units:
                with suppress(OSError):
                    path.unlink()


def _partials(group: Path) -> Iterator[Path]:
    # Files of Zarr's own, `CHUNK.<random>.partial`.
    return group.glob("*/c/**/*.partial")
