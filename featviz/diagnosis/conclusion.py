"""Which input specification is plausible, from measurements of several; the thresholds and how they were chosen.

Measured on GoogLeNet, SqueezeNet (both with Caffe's BGR 0..255 less the mean) and DeiT-tiny (ImageNet's mean and std),
on photos of ImageNet's classes, 64 at a time, and on 11 others:

- A range that is far off leaves .02 to .46 of the right one's variation of the logits (`VARIATION`); DeiT's in [0,1]
  and [-1,1] leave .83 to .92 of it, with .48 to .66 of its information (`BOTH`).
- More contrast than right makes a network without normalization more confident: SqueezeNet at 2.2 and 4.4 times its
  contrast has 1.05 times the information and 1.04 times the variation although it is wrong. So a candidate of more
  contrast must be far ahead in both, and too much contrast often goes undetected.
- At the same contrast, information and the logarithm of 1 - variation are compared photo by photo. For reversed
  channels or a forgotten mean, the sum of both differences in standard errors, over the root of 2, is 3.4 to 11.2 on
  six times 64 photos, 1.6 to 8.5 on 32, -.7 to 6.3 on 16 (`STANDARD_ERRORS`). Information alone does not detect
  SqueezeNet's mean (-1.1 to 2.6 on 64).
- The right specification has .76 to .97 of the largest possible information, the logarithm of the number of photos. The
  built-in network, which was trained on drawn patterns, has .26 of it on photos (`MIN_INFORMATION`).
- Inputs of the first layers against their statistics on 100 other photos, as batch norms store them: a drift of .001 to
  .02 nats for the right specification and for reversed channels, up to .04 on photos of another kind; .12 to .4 with
  the mean forgotten; .36 to 5 for ranges below the right one, over 1000 above it (`DRIFT`).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from featviz.diagnosis.measurements import ClassOutputs, Measurement

VARIATION = 0.7
BOTH = {"information": 0.8, "variation": 0.95}
STANDARD_ERRORS = 2.5
MIN_PHOTOS = 8
MIN_INFORMATION = 0.4
DRIFT = {"factor": 4.0, "offset": 0.05}
# Nats of drift above which not even the best candidate fits.
MAX_DRIFT = 1.0
# Candidates that a sentence names.
NAMED = 3
# Contrasts with a smaller ratio count as equal.
SAME_CONTRAST = 1.5


@dataclass(frozen=True)
class Conclusion:
    """What measurements say about the given input specification.

    Attributes:
      plausible: the candidates that no other one beats, best first; empty if the check is inconclusive.
      wrong: whether the given specification, the first measurement, is not among them.
      reason: a sentence.
    """

    plausible: tuple[Measurement, ...]
    wrong: bool
    reason: str


def conclude(measurements: Sequence[Measurement]) -> Conclusion:
    """The conclusion about the first of several candidates, measured on the same photos."""
    given = measurements[0]
    obstacle = _obstacle(measurements)
    if obstacle:
        return Conclusion((), False, f"the check of the input is inconclusive: {obstacle}")
    unbeaten = [one for one in measurements if not any(beats(other, one) for other in measurements)]
    best = tuple(sorted(unbeaten, key=_rank))
    if given not in best:
        return Conclusion(best, True, f"the input is probably wrong: {_names(best, 'or')} is clearly more plausible")
    if len(best) == 1:
        return Conclusion(best, False, f"the input as given is the most plausible of {len(measurements)}")
    others = [measurement for measurement in best if measurement is not given]
    reason = f"the input as given is plausible, but indistinguishable from {_names(others, 'and')}"
    return Conclusion(best, False, reason)


def _names(measurements: Sequence[Measurement], conjunction: str) -> str:
    """Up to `NAMED` labels."""
    names = [f"`{measurement.candidate.label}`" for measurement in measurements[:NAMED]]
    names += [f"{len(measurements) - NAMED} more"] if len(measurements) > NAMED else []
    return f" {conjunction} ".join(filter(None, [", ".join(names[:-1]), names[-1]]))


def _rank(measurement: Measurement) -> float:
    """Smaller is better."""
    return (measurement.drift or 0.0) - (measurement.outputs.information if measurement.outputs else 0.0)


def _obstacle(measurements: Sequence[Measurement]) -> str:
    """Why nothing can be concluded, or ""."""
    drifts = [measurement.drift for measurement in measurements if measurement.drift is not None]
    if drifts:
        smallest = min(drifts)
        fault = f"no candidate fits the batch norms' statistics (the smallest drift is {smallest:.2g})"
        return fault if smallest > MAX_DRIFT else ""
    outputs = [measurement.outputs for measurement in measurements if measurement.outputs is not None]
    if len(outputs) < len(measurements):
        return "the network has neither batch norms nor an output of classes"
    count = len(outputs[0].information_per_photo)
    if count < MIN_PHOTOS:
        return f"{count} photos are too few; expected {MIN_PHOTOS} or more"
    if max(output.information for output in outputs) < MIN_INFORMATION * np.log(min(count, outputs[0].classes)):
        return "the network hardly distinguishes these photos under any candidate; expected photos of its classes"
    return ""


def beats(one: Measurement, other: Measurement) -> bool:
    """Whether one candidate is clearly more plausible than another."""
    if one.drift is not None and other.drift is not None:
        if other.drift > DRIFT["factor"] * one.drift + DRIFT["offset"]:
            return True
        if one.drift > DRIFT["factor"] * other.drift + DRIFT["offset"]:
            return False
    better, worse = one.outputs, other.outputs
    if better is None or worse is None:
        return False
    more_contrast = one.candidate.contrast > SAME_CONTRAST * other.candidate.contrast
    if one.drift is None:
        if worse.variation < VARIATION * better.variation:
            return better.information > worse.information
        if more_contrast:
            return (
                worse.information < BOTH["information"] * better.information
                and worse.variation < BOTH["variation"] * better.variation
            )
    enough = len(better.information_per_photo) >= MIN_PHOTOS
    return not more_contrast and enough and _lead(better, worse) > STANDARD_ERRORS


def _lead(better: ClassOutputs, worse: ClassOutputs) -> float:
    """How far the first outputs are ahead of the second ones on the same photos, in standard errors."""
    information = better.information_per_photo - worse.information_per_photo
    shared = np.log(max(1 - worse.variation, 1e-30)) - np.log(max(1 - better.variation, 1e-30))
    influence = better.influence - worse.influence
    lead = information.mean() / _standard_error(information) + shared / _standard_error(influence)
    return float(lead / np.sqrt(2))


def _standard_error(values: Float[np.ndarray, " photos"]) -> float:
    return max(float(values.std(ddof=1)) / np.sqrt(len(values)), 1e-9)
