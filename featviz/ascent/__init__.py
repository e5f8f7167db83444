"""Gradient ascent: lanes of one compiled step, started, advanced, finished and refilled."""

from featviz.ascent.routine import (
    CONVERGED,
    LANES,
    NOT_FINITE,
    OUT_OF_STEPS,
    RUNNING,
    VERSION,
    Convergence,
    Lane,
    Routine,
)
from featviz.ascent.step import advance, finish, refill, start

__all__ = [
    "CONVERGED",
    "LANES",
    "NOT_FINITE",
    "OUT_OF_STEPS",
    "RUNNING",
    "VERSION",
    "Convergence",
    "Lane",
    "Routine",
    "advance",
    "finish",
    "refill",
    "start",
]
