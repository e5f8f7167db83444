"""The options of everything that dreams, by their names and types; `dream` says what they mean."""

from typing import Any, TypedDict

import numpy as np

from featviz.common.signatures import spelled_out


class DreamOptions(TypedDict, total=False):
    """All that may be said of a dream."""

    octaves: int | None
    octave_scale: float
    steps: int
    step_size: float
    jitter: int
    laplacian: int
    mask: np.ndarray | None
    tile: int | None
    weights: Any


with_dream_options = spelled_out(DreamOptions, octave_scale=1.4, steps=10, step_size=1.5 / 255, jitter=32, laplacian=0)
