"""The pictures of a map's cells: one compiled program for a map, each picture kept as soon as it is finished."""

from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import jax
import numpy as np
from jaxtyping import Float, UInt8

from featviz.atlas.atlas_store import Store, one_line_errors
from featviz.atlas.entries import Entries
from featviz.atlas.locks import lock_units
from featviz.atlas.plan import describe_computation
from featviz.common.canonical import describe, digest
from featviz.common.files import delayed_interrupts
from featviz.common.progress import progress_bar
from featviz.model import Model, hash_weights
from featviz.objectives import Objective, direction
from featviz.parameterizations import extra_channels
from featviz.recipes import Recipe
from featviz.rendering.draw import render_groups
from featviz.rendering.request import make_request

# How much the angle counts beside the length (Carter et al. 2019: 4 on one position, 2 on many).
POWER = 2.0


@dataclass(frozen=True)
class CellDrawing:
    """How cells are drawn.

    Attributes:
        recipe: What is optimized and how.
        size: Height and width in pixels.
        steps: Gradient steps.
        seed: Of the noise that pictures start from.
        class_tokens: Tokens that are left out of the mean over positions.
    """

    recipe: Recipe
    size: tuple[int, int]
    steps: int
    seed: int
    class_tokens: int

    def objectives(self, layer: str, directions: Float[np.ndarray, "cells units"]) -> list[Objective]:
        """What the picture of each cell maximizes."""
        return [
            direction(layer, row, power=POWER, class_tokens=self.class_tokens, index=index)
            for index, row in enumerate(directions)
        ]


def draw_cells(
    model: Model,
    layer: str,
    directions: Float[np.ndarray, "cells units"],
    drawing: CellDrawing,
    store: Store,
    *,
    name: str,
    progress: bool,
) -> UInt8[np.ndarray, "cells h w c"]:
    """The pictures of a level's cells, of which those that the store lacks are drawn.

    Args:
      model: the network.
      layer: its name.
      directions: what each cell looks for.
      drawing: how they are drawn.
      store: of the map.
      name: of the level.
      progress: whether to show a bar.

    Raises:
      FeatvizError: if another run draws the same level, or the folder cannot be written.
    """
    objectives = drawing.objectives(layer, directions)
    channels = model.input.channels
    path = f"pictures/{name}-{_identity(model, layer, directions, drawing)[:16]}"
    alpha = extra_channels(drawing.recipe.parameterization) or int(drawing.recipe.transparency)
    assert isinstance(store.location, Path)
    with lock_units(store.location / "locks", [(path, range(len(objectives)))]), one_line_errors(store):
        attributes = {"layer": layer, "recipe": describe(drawing.recipe), "seed": drawing.seed}
        entries = store.add_series(path, (*drawing.size, channels + alpha), len(objectives), drawing.steps, attributes)
        whole = entries.written() - set(entries.damaged(entries.written()))
        missing = [index for index in range(len(objectives)) if index not in whole]
        _draw_missing(model, objectives, missing, drawing, entries, name=name, progress=progress)
        pixels = [entries.pixels(index)[0, ..., :channels] for index in range(len(objectives))]
    return np.array(pixels, np.uint8).reshape(len(pixels), *drawing.size, channels)


def _draw_missing(
    model: Model,
    objectives: list[Objective],
    missing: list[int],
    drawing: CellDrawing,
    entries: Entries,
    *,
    name: str,
    progress: bool,
) -> None:
    if not missing:
        return
    # On an accelerator pixels depend on the number of lanes, on a CPU it is always one.
    lanes = None if jax.default_backend() == "cpu" else entries.attributes.get("lanes")
    request = make_request(
        model,
        [objectives[index] for index in missing],
        recipe=drawing.recipe,
        size=drawing.size,
        steps=drawing.steps,
        seed=drawing.seed,
        lanes=lanes,
        progress=False,
    )
    done = len(objectives) - len(missing)
    with (
        progress_bar(None, total=len(objectives), initial=done, unit="cell", desc=name, shown=progress) as bar,
        closing(render_groups(request)) as drawn,  # type: ignore[type-var]
    ):
        for index, pictures in drawn:
            with delayed_interrupts():
                if "lanes" not in entries.attributes:
                    entries.fix_lanes(pictures[0].provenance["lanes"])
                entries.write(missing[index], pictures)
            bar.update()


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
    })  # fmt: skip
