"""The flag "do not trust this picture": raised by what speaks for a picture, where that is too little."""

import math
from collections.abc import Mapping

# Weight of a standard deviation of E5 beside one of company, and the least that both together must come to. Chosen on
# fooling circuits, shuffled weights and untouched units of GoogLeNet's inception_4c, as 5 % false alarms; what the flag
# does elsewhere is what experiments/trust.py prints. Single figures tell less: E1 of one unit is noisy, E3 is as good
# for a fooling circuit's picture as for an honest one, and E4 of the layers below is a quotient of small numbers.
FORETOLD = 0.5
LEAST = 1.6
# The percentile among photos that a picture must reach to be of its unit at all, and how many make up one of doubt.
LEAST_PERCENTILE = 90.0
PERCENTILES = 10.0


def doubts(found: Mapping[str, float], *, fires: bool) -> tuple[float, tuple[str, ...]]:
    """How much doubt there is about a unit's picture, and for what reasons; there are some where it is above 0.

    doubt = max(1.6 - company - E5 / 2, (90 - percentile) / 10), E5 in standard deviations, what is nan counting as 0;
    inf for a unit that does the same on all photos.

    Args: the figures of a judgement by name; whether the unit varies over the photos of A.

    >>> doubts({"company": 2.0, "foretold_deviations": 1.0, "percentile": 100.0}, fires=True)[1]
    ()
    >>> doubts({"company": 0.1, "foretold_deviations": 2.0, "percentile": 100.0}, fires=True)
    (0.5, ('other units than on its photographs',))
    """
    if not fires:
        return math.inf, ("no photograph excites it",)
    company, foretold = (_known(found[name]) for name in ("company", "foretold_deviations"))
    missing = LEAST - company - FORETOLD * foretold
    below = (LEAST_PERCENTILE - found["percentile"]) / PERCENTILES
    reasons = []
    if below > 0:
        reasons.append("photographs excite it more")
    if missing > 0 and company < LEAST / 2:
        reasons.append("other units than on its photographs")
    if missing > 0 and (foretold < LEAST / 2 or not reasons):
        reasons.append("no likeness to its photographs")
    return max(missing, below), tuple(reasons)


def _known(value: float) -> float:
    return value if math.isfinite(value) else 0.0
