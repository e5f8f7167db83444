"""What a lane returns, and how its optimization ended."""

import enum
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int


class Outcome(enum.Enum):
    """How an optimization ended."""

    CONVERGED = "converged"
    OUT_OF_STEPS = "out of steps"
    DEAD = "dead"
    NOT_FINITE = "not finite"
    CONSTANT = "constant"  # the score hardly depends on the image
    UNMOVED = "unmoved"  # the picture is still its starting noise


class LaneResult(NamedTuple):
    """The images of one lane, and how it came to them.

    `objective_index` is the position of its objective in the list. `scores` are the objective on the clean images,
    `history` its value at each step, on transformed views. `clean_scores` are those of the clean images at the start
    and whenever the host looked, after `clean_steps` steps; the last are `scores`. `start` are the images at the
    start. `attribution`, with transparency, is the sum over the steps of |d objective / d image|. A result that is not
    `finished` is a snapshot of a lane that goes on.
    """

    objective_index: int
    pixels: Float[np.ndarray, "n h w c"]
    scores: Float[np.ndarray, " n"]
    outcome: Outcome
    history: Float[np.ndarray, " steps"]
    clean_steps: Int[np.ndarray, " looks"]
    clean_scores: Float[np.ndarray, "looks n"]
    start: Float[np.ndarray, "n h w c"]
    attribution: Float[np.ndarray, "n h w"] | None
    finished: bool = True
