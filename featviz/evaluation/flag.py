"""The flag "do not trust this picture": raised by what speaks for a picture, where that is too little."""

import math
from collections.abc import Mapping, Sequence

# The least that company and what E5 expects must come to together. Chosen on fooling circuits, shuffled weights and
# untouched units of GoogLeNet's inception_4c, for 5 % false alarms; what the flag does elsewhere is what
# experiments/trust.py prints. Single figures tell less: E1 of one unit is noisy, E3 is as good for a fooling circuit's
# picture as for an honest one, and E4 of the layers below is a quotient of small numbers.
LEAST = 1.6
# The percentile among photos that a picture must reach to be of its unit at all, and how many make up one of doubt.
LEAST_PERCENTILE = 90.0
PERCENTILES = 10.0
# With fewer photographs the flag would blame without ground: GoogLeNet's inception_4c judged by DeiT-tiny, 5 of 24
# honest units on 120 photographs and 7 on 60. A half must hold its decile of nine top photographs.
FEW = 200
LIKE = "little likeness to its photographs"
COMPANY = "other units than on its photographs"
MORE = "photographs excite it more"
SILENT = "no photograph excites it"


def doubts(found: Mapping[str, float], *, fires: bool) -> tuple[float, tuple[str, ...]]:
    """How much doubt there is about a unit's picture, and for what reasons; there are some where it is above 0.

    doubt = 1.6 - company - expected, and (90 - percentile) / 10 where that is above 0 and more. What another network
    expects of the unit, in its standard deviations, is E5's prediction times its correlation: expected = foretold *
    foretold_deviations. What is nan counts as 0; of a unit that does the same on all photos doubt is inf.

    Args: the figures of a judgment by name; whether the unit varies over the photos of A.

    >>> doubts({"company": 2.0, "foretold": 0.5, "foretold_deviations": 1.0, "percentile": 100.0}, fires=True)[1]
    ()
    >>> doubts({"company": 0.1, "foretold": 0.5, "foretold_deviations": 2.0, "percentile": 100.0}, fires=True)
    (0.5, ('other units than on its photographs',))
    """
    if not fires:
        return math.inf, (SILENT,)
    company, expected = _known(found["company"]), _known(found["foretold"] * found["foretold_deviations"])
    missing = LEAST - company - expected
    below = (LEAST_PERCENTILE - found["percentile"]) / PERCENTILES
    reasons = []
    if below > 0:
        reasons.append(MORE)
    if missing > 0 and company < LEAST / 2:
        reasons.append(COMPANY)
    if missing > 0 and (expected < LEAST / 4 or not reasons):
        reasons.append(LIKE)
    return max(missing, below) if below > 0 else missing, tuple(reasons)


def untold(found: Mapping[str, float], reasons: Sequence[str], *, photos: int) -> tuple[str, ...]:
    """Why the reasons to doubt a picture rest on too little to be told; () where they do not, or there are none.

    That photographs excite the unit more than its picture is plain on any number of them. The rest takes 200
    photographs, and another network that foretells something of the unit: E5's r at least two standard errors of a
    correlation of nothing on B above 0, 2 / sqrt(photos / 2), where its silence is all that there is. Where r is nan it
    is the unit that does not vary.

    >>> untold({"foretold": 0.5}, [COMPANY], photos=800), untold({"foretold": 0.5}, [COMPANY], photos=60)
    ((), ('60 photographs are few',))
    >>> untold({"foretold": 0.04}, [LIKE], photos=800)
    ('the other network knows little of the unit (r .04)',)
    """
    if not reasons or MORE in reasons:
        return ()
    why = [f"{photos} photographs are few"] if photos < FEW else []
    r = found["foretold"]
    if LIKE in reasons and COMPANY not in reasons and r < 2 / math.sqrt(max(photos, 1) / 2):
        known = f"{r:.2f}".replace("0.", ".")
        why.append(f"the other network knows little of the unit (r {known})")
    return tuple(why)


def _known(value: float) -> float:
    return value if math.isfinite(value) else 0.0
