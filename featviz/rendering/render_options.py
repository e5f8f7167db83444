"""The options of everything that renders, by their names and types; `render_each` says what they mean."""

from collections.abc import Sequence
from typing import Any, TypedDict

import numpy as np

from featviz.ascent import Convergence
from featviz.pictures.picture import Picture
from featviz.recipes import Recipe
from featviz.rendering.checks import Size


class LookOptions(TypedDict, total=False):
    """What may be said of pictures whose weights and start are not the caller's affair."""

    recipe: Recipe | str | None
    size: Size | None
    steps: int | None
    seed: int
    dtype: Any
    convergence: Convergence | None
    transparency: bool | None
    progress: bool


class RenderOptions(LookOptions, total=False):
    """All that may be said of pictures."""

    start: np.ndarray | Picture | Sequence[np.ndarray | Picture] | None
    weights: Any
    lanes: int | None
