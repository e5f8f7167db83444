"""Which input specification is plausible, from trials of several; the thresholds, and what they were drawn from.

Measured on GoogLeNet, SqueezeNet (both of Caffe's BGR 0..255 less mean) and DeiT-tiny (ImageNet's mean and std), on
photographs of ImageNet's classes, 64 at a time, and on 11 others:

- A range that is wrong by far leaves the spread of the logits at .02 to .46 of the right one's (`SPREAD`); DeiT's in
  [0,1] and [-1,1] at .83 to .92 of it, with .48 to .66 of its information (`BOTH`).
- More contrast than right makes a network without normalization surer of itself: SqueezeNet at 2.2 and 4.4 times its
  own contrast has 1.05 times the information and 1.04 times the spread, in spite of being wrong. So a specification of
  more contrast must be ahead in both by far, and more contrast than right is often not told.
- At the same contrast, information and the logarithm of spread are compared photograph by photograph. The channels'
  order reversed, or the mean forgotten: the sum of both differences, each in its standard errors, over the root of 2 is
  3.4 to 11.2 on six times 64 photographs, 1.6 to 8.5 on 32, -.7 to 6.3 on 16 (`ERRORS`). Information alone does not
  tell SqueezeNet's mean (-1.1 to 2.6 on 64).
- The right specification's information is .76 to .97 of what it can be, the logarithm of the number of photographs;
  that of the built-in network, which knows drawn patterns only, is .26 of it on photographs (`LEAST`).
- What goes into the first layers, against its statistics on 100 other photographs, as batch norms store them: a drift
  of .001 to .02 nats for the right specification, also with reversed channels, and up to .04 on photographs of another
  kind; .12 to .4 with the mean forgotten; .36 to 5 for ranges below the right one, over 1000 above it (`DRIFT`).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from featviz.diagnosis.trials import Answers, Trial

SPREAD = 0.7
BOTH = {"information": 0.8, "spread": 0.95}
ERRORS = 2.5
FEWEST = 8
LEAST = 0.4
DRIFT = {"times": 4.0, "more": 0.05}
# Nats of drift above which not even the best candidate fits.
FITS = 1.0
# Specifications that a sentence names.
NAMED = 3
# Contrasts whose quotient is less count as the same.
SAME_CONTRAST = 1.5


@dataclass(frozen=True)
class Verdict:
    """`plausible` are the specifications that no other one beats, the best first; () where nothing can be told.

    `wrong` says that the network's own, the first trial, is not among them. `reason` is a sentence.
    """

    plausible: tuple[Trial, ...]
    wrong: bool
    reason: str


def judge(trials: Sequence[Trial]) -> Verdict:
    """The verdict on the first of some trials on the same photographs, the network's own."""
    own = trials[0]
    obstacle = _obstacle(trials)
    if obstacle:
        return Verdict((), False, f"cannot tell whether the input is right: {obstacle}")
    unbeaten = [trial for trial in trials if not any(beats(other, trial) for other in trials)]
    best = tuple(sorted(unbeaten, key=_rank))
    if own not in best:
        return Verdict(best, True, f"the input is probably wrong: {_name(best, 'or')} is clearly more plausible")
    if len(best) == 1:
        return Verdict(best, False, f"the input as given is the most plausible of {len(trials)}")
    others = [trial for trial in best if trial is not own]
    return Verdict(best, False, f"the input as given is plausible, but cannot be told from {_name(others, 'and')}")


def _name(trials: Sequence[Trial], word: str) -> str:
    """Up to `NAMED` of them."""
    names = [f"`{trial.candidate.label}`" for trial in trials[:NAMED]]
    names += [f"{len(trials) - NAMED} more"] if len(trials) > NAMED else []
    return f" {word} ".join(filter(None, [", ".join(names[:-1]), names[-1]]))


def _rank(trial: Trial) -> float:
    """The smaller, the better."""
    return (trial.drift or 0.0) - (trial.answers.information if trial.answers else 0.0)


def _obstacle(trials: Sequence[Trial]) -> str:
    """Why nothing can be told, or nothing."""
    drifts = [trial.drift for trial in trials if trial.drift is not None]
    if drifts:
        least = min(drifts)
        return (
            f"no likely one fits the batch norms' statistics (a drift of {least:.2g} at best)" if least > FITS else ""
        )
    known = [trial.answers for trial in trials if trial.answers is not None]
    if len(known) < len(trials):
        return "the network has neither batch norms nor an output of classes"
    count = len(known[0].each)
    if count < FEWEST:
        return f"{count} photos are too few; expected {FEWEST} or more"
    if max(each.information for each in known) < LEAST * np.log(min(count, known[0].classes)):
        return "the network hardly tells these photos apart, whichever it is; expected photos of its classes"
    return ""


def beats(one: Trial, other: Trial) -> bool:
    """Whether one trial's specification is clearly more plausible than another's."""
    if one.drift is not None and other.drift is not None:
        if other.drift > DRIFT["times"] * one.drift + DRIFT["more"]:
            return True
        if one.drift > DRIFT["times"] * other.drift + DRIFT["more"]:
            return False
    mine, theirs = one.answers, other.answers
    if mine is None or theirs is None:
        return False
    more_contrast = one.candidate.contrast > SAME_CONTRAST * other.candidate.contrast
    if one.drift is None:
        if theirs.spread < SPREAD * mine.spread:
            return mine.information > theirs.information
        if more_contrast:
            return (
                theirs.information < BOTH["information"] * mine.information
                and theirs.spread < BOTH["spread"] * mine.spread
            )
    return not more_contrast and len(mine.each) >= FEWEST and _ahead(mine, theirs) > ERRORS


def _ahead(mine: Answers, theirs: Answers) -> float:
    """How far one's answers are ahead of another's on the same photographs, in standard errors."""
    information = mine.each - theirs.each
    shared = np.log(max(1 - theirs.spread, 1e-30)) - np.log(max(1 - mine.spread, 1e-30))
    return (information.mean() / _error(information) + shared / _error(mine.pulls - theirs.pulls)) / np.sqrt(2)


def _error(values: np.ndarray) -> float:
    return max(float(values.std(ddof=1)) / np.sqrt(len(values)), 1e-9)
