"""What is wrong with pictures: dead, never rising, gray, not finite; named in the report, not hidden."""

from collections import Counter
from collections.abc import Iterable

import numpy as np

from featviz.ascent.outcome import Outcome

# Below this standard deviation, of values up to 255, a picture is one gray; drawn units have some 50.
GRAY = 5.0


def faults_of(pixels: np.ndarray, outcome: Outcome, history: np.ndarray) -> tuple[str, ...]:
    """What is wrong with a picture, uint8, (h, w, c): "dead", "never rises", "gray", "not finite".

    It never rises if the mean of the last eighth of its steps' scores is not above the first step's.

    >>> rising, falling = np.array([0.0, 1.0, 2.0]), np.array([1.0, 0.5, 0.0])
    >>> noise = np.random.default_rng(0).integers(0, 256, (8, 8, 3)).astype(np.uint8)
    >>> faults_of(noise, Outcome.CONVERGED, rising), faults_of(noise // 64, Outcome.OUT_OF_STEPS, falling)
    ((), ('never rises', 'gray'))
    """
    found = []
    if outcome is Outcome.NOT_FINITE:
        found.append("not finite")
    if outcome is Outcome.DEAD:
        found.append("dead")
    known = history[np.isfinite(history)]
    if outcome is not Outcome.DEAD and len(known) > 1 and not known[-max(1, len(known) // 8) :].mean() > known[0]:
        found.append("never rises")
    if pixels.astype(np.float32).std() < GRAY:
        found.append("gray")
    return tuple(found)


def summary(found: Iterable[tuple[str, tuple[str, ...]]]) -> list[str]:
    """Lines for people: how many pictures, and the names of those with something wrong.

    >>> summary([("conv1:0", ()), ("conv1:1", ("dead", "gray")), ("conv1:2", ("dead",))])
    ['3 units, 2 to look at', 'dead: conv1:1, conv1:2', 'gray: conv1:1']
    """
    units = list(found)
    wrong = [(name, faults) for name, faults in units if faults]
    kinds = Counter(fault for _, faults in wrong for fault in faults)
    lines = [f"{len(units)} units" + (f", {len(wrong)} to look at" if wrong else "")]
    for kind in kinds:
        names = [name for name, faults in wrong if kind in faults]
        more = f" and {len(names) - 20} more" if len(names) > 20 else ""
        lines.append(f"{kind}: {', '.join(names[:20])}{more}")
    return lines
