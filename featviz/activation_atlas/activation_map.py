"""A finished map: its levels with their cells, pictures, classes and photographs."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int, UInt8

from featviz.activation_atlas.map_cells import MapLevel


@dataclass(frozen=True)
class DrawnLevel:
    """A zoom level with what is shown of its cells.

    Attributes:
        cells: Where the cells are, and what lies in them.
        pictures: Of the cells, as they are shown: gray or RGB, of more channels those that `InputSpec.rgb` names.
        classes: Of each cell, the classes that its activations speak for, with what each adds on average.
        neighbors: Of each cell, the other cells of the smallest angles.
        exemplars: Of each cell, the rows of the activations nearest to its mean, one a photograph.
    """

    cells: MapLevel
    pictures: UInt8[np.ndarray, "cells h w c"]
    classes: tuple[tuple[tuple[int, float], ...], ...]
    neighbors: Int[np.ndarray, "cells k"]
    exemplars: tuple[tuple[int, ...], ...]

    def __len__(self) -> int:
        return len(self.pictures)


@dataclass(frozen=True)
class ActivationAtlas:
    """A layer's activations as a map of pictures: `fv.build_activation_atlas` makes it, and its page.

    Attributes:
        folder: Where its page and its store lie.
        network: The network's name.
        layer: The layer.
        subject: The class or the two classes that it is of, or "" for the whole layer.
        layout: How the activations were laid out, `umap` or `pca`.
        places: Of each activation, in the unit square, y upwards.
        photo: The photograph of each activation.
        levels: The zoom levels, the coarsest first.
        facts: What the page says about how it was made.
        missing: How many cells other shards have still to draw; their pictures are black, and there is no page yet.
    """

    folder: Path
    network: str
    layer: str
    subject: str
    layout: str
    places: Float[np.ndarray, "rows 2"]
    photo: Int[np.ndarray, " rows"]
    levels: tuple[DrawnLevel, ...]
    facts: Mapping[str, str]
    missing: int = 0

    def __repr__(self) -> str:
        counts = ", ".join(f"{len(level)} cells of {level.cells.side} x {level.cells.side}" for level in self.levels)
        of = f", {self.subject}" if self.subject else ""
        return f"<ActivationAtlas of {self.layer} of {self.network}{of}: {counts}>"
