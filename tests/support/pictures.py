"""A small picture, and what an error says in its one line."""

from typing import Any

import numpy as np
import pytest

from featviz.ascent.outcome import Outcome
from featviz.errors import FeatvizError
from featviz.pictures.picture import Picture

PROVENANCE = {"name": "inception_4c:103", "seed": 0, "size": [6, 5], "recipe": {"steps": 3, "decay": None}}


def make(channels: int = 3, *, alpha: bool = False, **changes: Any) -> Picture:
    values = np.random.default_rng(0).uniform(size=(6, 5, channels + 1)).astype(np.float32)
    given: dict[str, Any] = {
        "pixels": values[..., :-1],
        "score": 12.5,
        "outcome": Outcome.CONVERGED,
        "history": np.array([0.1, 1 / 3, 12.5], np.float32),
        "provenance": PROVENANCE,
        "alpha": values[..., -1] if alpha else None,
    }
    return Picture(**{**given, **changes})


def one_line(error: pytest.ExceptionInfo[FeatvizError]) -> str:
    text = str(error.value)
    assert "\n" not in text
    return text
