"""The flag: from E1 to E4, how much there is against trusting a unit's picture."""

import math
from collections.abc import Mapping


def distrust(found: Mapping[str, float]) -> float:
    """Against trusting the picture, in [0, 1]; at .5 the flag goes up."""
    return 0.0 if math.isfinite(found["predicts"]) else 1.0
