"""Endings that make a picture mean little: the unit hardly depends on the image, or the picture is still its start."""

import numpy as np
from jaxtyping import Float

from featviz.ascent.outcome import Outcome

# A score that varies by less than this share of its size does not depend on the image as far as float32 can tell: two
# exact implementations of a network differ by rounding up to 1e-5 of a layer's values (docs/doors.md).
ROUNDING = 1e-5
# Levels of 255: a picture whose values deviate by less (root mean square) is gray, and a change of less than one level
# is not shown at all. One step of Adam at its usual rate changes a picture by 7.
GRAY, LEVEL = 5.0, 1.0
# Fewer steps may not have moved a picture yet.
MIN_STEPS = 8


def is_constant(scores: Float[np.ndarray, " n"]) -> bool:
    """Whether scores differ by no more than rounding; scores of 0 alone are those of a silent unit.

    >>> is_constant(np.array([1.0, 1.000001])), is_constant(np.array([0.0, 1e-30])), is_constant(np.array([0.0, 0.0]))
    (True, False, False)
    """
    known = np.asarray(scores, np.float64)
    known = known[np.isfinite(known)]
    size = np.abs(known).max(initial=0.0)
    return bool(known.size > 1 and size > 0 and np.ptp(known) <= ROUNDING * size)


def is_unmoved(pixels: Float[np.ndarray, "*n h w c"], start: Float[np.ndarray, "*n h w c"]) -> bool:
    """Whether a picture is as good as its start: it differs by less than a level, or is gray and differs by a few.

    >>> start, noise = np.full((8, 8, 3), 0.5), np.random.default_rng(0).random((8, 8, 3))
    >>> is_unmoved(start + 0.01, start), is_unmoved(start + 0.03, start)
    (True, False)
    >>> is_unmoved(noise + 0.001, noise), is_unmoved(noise + 0.01, noise)
    (True, False)
    """
    change = 255 * np.sqrt(np.mean(np.square(np.asarray(pixels, np.float64) - start)))
    return bool(change < LEVEL or (change < GRAY and 255 * np.std(pixels) < GRAY))


def ending_sentence(outcome: Outcome, clean_history: Float[np.ndarray, "looks 2"]) -> str:
    """What the figures say of a picture that means little; "" for any other ending.

    Args:
      outcome: how the optimization ended.
      clean_history: `Picture.clean_history`.

    >>> ending_sentence(Outcome.CONSTANT, np.array([[0, 1.25], [256, 1.250001]]))
    'its score changed by 1e-06 of its size 1.25 in 256 steps: it hardly depends on the image'
    >>> ending_sentence(Outcome.UNMOVED, np.array([[0, 5e-12], [128, 2.6e-11]]))
    'its score went from 5e-12 to 2.6e-11 in 128 steps, and they hardly moved the picture off its starting noise'
    """
    if outcome not in (Outcome.CONSTANT, Outcome.UNMOVED) or not len(clean_history):
        return ""
    steps, scores = int(clean_history[-1, 0]), np.asarray(clean_history[:, 1], np.float64)
    if outcome is Outcome.CONSTANT:
        change, size = np.ptp(scores), np.abs(scores).max()
        return (
            f"its score changed by {change:.2g} of its size {size:.3g} in {steps} steps: it hardly depends on the image"
        )
    return (
        f"its score went from {scores[0]:.3g} to {scores[-1]:.3g} in {steps} steps, and they hardly moved the picture "
        "off its starting noise"
    )
