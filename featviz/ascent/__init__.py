"""Gradient ascent: lanes of one compiled step, started, advanced, finished and refilled."""

from featviz.ascent.fresh_lanes import refill, start
from featviz.ascent.prepared_weights import PreparedWeights, StepPlan, plan_step, prepare
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
    StepWeights,
)
from featviz.ascent.step import advance, finish

__all__ = [
    "CONVERGED",
    "LANES",
    "NOT_FINITE",
    "OUT_OF_STEPS",
    "RUNNING",
    "VERSION",
    "Convergence",
    "Lane",
    "PreparedWeights",
    "Routine",
    "StepPlan",
    "StepWeights",
    "advance",
    "finish",
    "plan_step",
    "prepare",
    "refill",
    "start",
]
