"""Gradient ascent: lanes of one compiled step, started, advanced, finished and refilled."""

from featviz.ascent.loop import advance, finish, refill, start
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
