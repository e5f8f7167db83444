"""The pictures of a map's cells: one compiled program for a map, each picture kept as soon as it is finished."""

from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, UInt8

from featviz.atlas.atlas_store import Store, one_line_errors
from featviz.atlas.engines import Engine
from featviz.atlas.entries import Entries
from featviz.atlas.locks import lock_units
from featviz.atlas.plan import describe_computation
from featviz.atlas.series import Series, Task
from featviz.common.canonical import describe, digest
from featviz.common.files import delayed_interrupts
from featviz.common.progress import progress_bar
from featviz.model import Model, hash_weights
from featviz.objectives import Objective, direction
from featviz.pages.records import Role
from featviz.parameterizations import extra_channels
from featviz.pictures.provenance import describe_run
from featviz.recipes import Recipe

# How much the angle counts beside the length (Carter et al. 2019: 4 on one position, 2 on many).
POWER = 2.0
FULL = "float32"

# A level's name -> what its cells look for.
Directions = Mapping[str, Float[np.ndarray, "cells units"]]


@dataclass(frozen=True)
class CellDrawing:
    """How cells are drawn.

    Attributes:
        recipe: What is optimized and how.
        size: Height and width in pixels.
        steps: Gradient steps.
        seed: Of the noise that pictures start from.
        class_tokens: Tokens that are left out of the mean over positions.
        dtype: Of the network's values.
    """

    recipe: Recipe
    size: tuple[int, int]
    steps: int
    seed: int
    class_tokens: int
    dtype: str = field(default=FULL, metadata={"canonical": False})

    def objectives(self, layer: str, directions: Float[np.ndarray, "cells units"]) -> list[Objective]:
        """What the picture of each cell maximizes."""
        return [
            direction(layer, row, power=POWER, class_tokens=self.class_tokens, index=index)
            for index, row in enumerate(directions)
        ]


@dataclass(frozen=True)
class DrawingShare:
    """Which of the cells a run draws, and where.

    Attributes:
        engine: What renders.
        shard: The index, from 1 on, and the number of shares.
        machine: The `device` and `versions` that pictures are rendered with, where it is not this process.
    """

    engine: Engine
    shard: tuple[int, int] = (1, 1)
    machine: Mapping[str, object] | None = None


class DrawnCells(NamedTuple):
    """The pictures of a level's cells; those that other shares are to draw are black, and `missing` counts them."""

    pictures: UInt8[np.ndarray, "cells h w c"]
    missing: int


def draw_cells(
    model: Model,
    layer: str,
    directions: Directions,
    drawing: CellDrawing,
    store: Store,
    share: DrawingShare,
    *,
    progress: bool,
) -> dict[str, DrawnCells]:
    """The pictures of all cells, of which those of this share that the store lacks are drawn.

    Args:
      model: the network.
      layer: its name.
      directions: what each cell of each level looks for.
      drawing: how they are drawn.
      store: of the map.
      share: which cells this run draws, and where.
      progress: whether to show a bar.

    Raises:
      FeatvizError: if another run draws some of the cells, or the folder cannot be written.
    """
    series = _series(model, layer, drawing, share.machine)
    identities = {name: _identity(model, layer, rows, drawing) for name, rows in directions.items()}
    paths = {name: f"pictures/{name}-{identity[:16]}" for name, identity in identities.items()}
    own = dict(zip(directions, share_out([len(rows) for rows in directions.values()], *share.shard), strict=True))
    channels = model.input.channels
    alpha = extra_channels(drawing.recipe.parameterization) or int(drawing.recipe.transparency)
    shape = (*drawing.size, channels + alpha)
    attributes = {"layer": layer, "recipe": describe(drawing.recipe), "seed": drawing.seed}
    assert isinstance(store.location, Path)
    locked = [(paths[name], own[name]) for name in directions]
    with lock_units(store.location / "locks", locked), one_line_errors(store):
        entries = {
            name: store.add_series(paths[name], shape, len(rows), drawing.steps, attributes)
            for name, rows in directions.items()
        }
        tasks = []
        for name, rows in directions.items():
            whole = entries[name].written().intersection(own[name])
            whole -= set(entries[name].damaged(whole))
            missing = tuple(index for index in own[name] if index not in whole)
            objectives = dict(enumerate(drawing.objectives(layer, rows)))
            # On an accelerator pixels depend on the number of lanes, on a CPU it is always one.
            on_cpu = series.run["device"]["platform"] == "cpu"
            lanes = None if on_cpu else entries[name].attributes.get("lanes")
            tasks.append(Task(replace(series, folder=name), missing, lanes, {i: objectives[i] for i in missing}))
        total = sum(map(len, own.values()))
        _draw(model, [task for task in tasks if task.units], entries, share.engine, total=total, progress=progress)
        return {name: _read(each, drawing.size, channels) for name, each in entries.items()}


def share_out(counts: Sequence[int], index: int, count: int) -> list[range]:
    """Of the cells of each level, those of share `index` of `count`, from 1 on: neighbors, as many in each share.

    >>> share_out([3, 5], 1, 2), share_out([3, 5], 2, 2)
    ([range(0, 3), range(0, 1)], [range(3, 3), range(1, 5)])
    """
    total, passed, shares = sum(counts), 0, []
    first, stop = total * (index - 1) // count, total * index // count
    for cells in counts:
        shares.append(range(*(min(max(edge - passed, 0), cells) for edge in (first, stop))))
        passed += cells
    return shares


def _draw(
    model: Model,
    tasks: Sequence[Task],
    entries: Mapping[str, Entries],
    engine: Engine,
    *,
    total: int,
    progress: bool,
) -> None:
    if not tasks:
        return
    done = total - sum(len(task.units) for task in tasks)
    with (
        progress_bar(None, total=total, initial=done, unit="cell", shown=progress) as bar,
        closing(engine(model, tasks, on_start=lambda task, unit: None)) as drawn,
    ):
        for task, index, pictures in drawn:
            name = task.series.folder
            bar.set_description(name, refresh=False)
            with delayed_interrupts():
                if "lanes" not in entries[name].attributes:
                    entries[name].fix_lanes(pictures[0].provenance["lanes"])
                entries[name].write(index, pictures)
            bar.update()


def _read(entries: Entries, size: tuple[int, int], channels: int) -> DrawnCells:
    """The pictures that are there; what is damaged is not, as the run whose share it is draws it again."""
    written = entries.written()
    whole = written - set(entries.damaged(written))
    pictures = np.zeros((entries.units, *size, channels), np.uint8)
    for index in whole:
        pictures[index] = entries.pixels(index)[0, ..., :channels]
    return DrawnCells(pictures, entries.units - len(whole))


def _series(model: Model, layer: str, drawing: CellDrawing, machine: Mapping[str, object] | None) -> Series:
    """What engines are told of the cells' pictures; its `folder` is to be the level's name."""
    run = describe_run(
        model,
        drawing.recipe,
        weights_sha256=hash_weights(model.weights),
        size=drawing.size,
        steps=drawing.steps,
        seed=drawing.seed,
        dtype=drawing.dtype,
    ) | dict(machine or {})
    seed, size, steps = drawing.seed, drawing.size, drawing.steps
    return Series(layer, Role.MAIN, seed, 1, size, steps, drawing.dtype, drawing.recipe, run, {}, "")


def _identity(model: Model, layer: str, directions: Float[np.ndarray, "cells units"], drawing: CellDrawing) -> str:
    """A hash of everything that can change the pixels."""
    return digest({
        "layer": layer,
        "weights": hash_weights(model.weights),
        "input": describe(model.input),
        "computation": describe_computation(model, drawing.size),
        "directions": directions,
        "power": POWER,
        "drawing": drawing,
        **({} if drawing.dtype == FULL else {"dtype": drawing.dtype}),
    })  # fmt: skip
