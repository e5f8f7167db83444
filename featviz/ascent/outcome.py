"""How an optimization ended."""

import enum


class Outcome(enum.Enum):
    """How an optimization ended."""

    CONVERGED = "converged"
    OUT_OF_STEPS = "out of steps"
    DEAD = "dead"
    NOT_FINITE = "not finite"
