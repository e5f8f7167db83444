"""The flag "do not trust this picture": raised where too little evidence supports a picture."""

import math
from collections.abc import Mapping, Sequence

# The minimum that coactivation and the other network's expectation must add up to. Chosen on fooling circuits, shuffled
# weights and control units of GoogLeNet's inception_4c, for 5 % false alarms; what the flag does elsewhere is what
# experiments/trust.py prints. Other figures discriminate less: E1 of one unit is noisy, E3 is as good for a fooling
# circuit's picture as for a control unit's, and E4 of the layers below is a quotient of small numbers.
MIN_SUPPORT = 1.6
# The percentile among photographs that a picture must reach, and how many percentiles below it make a margin of one.
MIN_PERCENTILE = 90.0
PERCENTILES = 10.0
# With fewer photographs false alarms are frequent: of GoogLeNet's inception_4c with DeiT-tiny, 5 of 24 control units on
# 120 photographs and 7 on 60. A half must hold its decile of nine top photographs.
MIN_PHOTOS = 200

DISSIMILAR = "little similarity to its photographs"
COACTIVATION = "excites other units than its photographs do"
PHOTOS_HIGHER = "photographs excite it more"
SILENT = "no photograph excites it"


def flag_reasons(figures: Mapping[str, float], *, varies: bool) -> tuple[float, tuple[str, ...]]:
    """By how much the flag is raised for a unit's picture, and why; it is raised where the margin is above 0.

    margin = 1.6 - coactivation - predicted_r * transfer_z, or (90 - activation_percentile) / 10 if that is above 0
    and larger. The product is what another network expects of the unit, in the unit's standard deviations. nan counts
    as 0; the margin of a unit that is constant over photographs is inf.

    Args:
      figures: the quantities by name.
      varies: whether the unit varies over the photographs of A.

    Returns: the margin, and the reasons.

    >>> figures = {"coactivation": 2.0, "predicted_r": 0.5, "transfer_z": 1.0, "activation_percentile": 100.0}
    >>> flag_reasons(figures, varies=True)[1]
    ()
    >>> flag_reasons({**figures, "coactivation": 0.1, "transfer_z": 2.0}, varies=True)
    (0.5, ('excites other units than its photographs do',))
    """
    if not varies:
        return math.inf, (SILENT,)
    coactivation = _finite_or_zero(figures["coactivation"])
    expected = _finite_or_zero(figures["predicted_r"] * figures["transfer_z"])
    missing = MIN_SUPPORT - coactivation - expected
    below = (MIN_PERCENTILE - figures["activation_percentile"]) / PERCENTILES
    reasons = []
    if below > 0:
        reasons.append(PHOTOS_HIGHER)
    if missing > 0 and coactivation < MIN_SUPPORT / 2:
        reasons.append(COACTIVATION)
    if missing > 0 and (expected < MIN_SUPPORT / 4 or not reasons):
        reasons.append(DISSIMILAR)
    return max(missing, below) if below > 0 else missing, tuple(reasons)


def inconclusive(figures: Mapping[str, float], reasons: Sequence[str], *, photos: int) -> tuple[str, ...]:
    """Why the flag's reasons rest on too little evidence; () if they do not, or there are none.

    That photographs excite the unit more than its picture is conclusive with any number of them. Other reasons take 200
    photographs. If the only reason is little similarity, the other network must also predict something of the unit:
    predicted_r of at least 2 / sqrt(photos / 2), two standard errors on B of the correlation of unrelated values. (A
    predicted_r of nan means that the unit does not vary.)

    Args:
      figures: the quantities by name.
      reasons: those of `flag_reasons`.
      photos: photographs of the survey.

    >>> inconclusive({"predicted_r": 0.5}, [COACTIVATION], photos=800)
    ()
    >>> inconclusive({"predicted_r": 0.5}, [COACTIVATION], photos=60)
    ('only 60 photographs',)
    >>> inconclusive({"predicted_r": 0.04}, [DISSIMILAR], photos=800)
    ('the other network predicts little of the unit (r .04)',)
    """
    if not reasons or PHOTOS_HIGHER in reasons:
        return ()
    why = [f"only {photos} photographs"] if photos < MIN_PHOTOS else []
    r = figures["predicted_r"]
    if DISSIMILAR in reasons and COACTIVATION not in reasons and r < 2 / math.sqrt(max(photos, 1) / 2):
        rounded = f"{r:.2f}".replace("0.", ".")
        why.append(f"the other network predicts little of the unit (r {rounded})")
    return tuple(why)


def _finite_or_zero(value: float) -> float:
    return value if math.isfinite(value) else 0.0
