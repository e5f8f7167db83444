"""The setting `reach` of `peers.py`: how long featviz takes to excite a unit as much as lucent's picture does."""

import argparse
import sys
from statistics import median

from peers_launch import Report, launch, score


def reach(options: argparse.Namespace) -> list[Report]:
    """Finds the fewest steps at which featviz's pictures score what lucent's do, then times both, alternating."""
    units, size = options.units, options.size
    lucents = [system for system in options.systems if system.startswith("lucent")]
    featvizes = [system for system in options.systems if system.startswith("featviz")]
    if not lucents or not featvizes:
        sys.exit("reach compares lucent with featviz; --systems names none of one of them")

    def timed(system: str, steps: int, number: int) -> Report:
        name = f"{system}-{steps}-round{number}"
        return launch(system, options, units=units, steps=steps, size=size, name=name)

    # The first round is measured like the others and also gives the pictures that are to be reached.
    reports = [timed(system, options.reach_steps, 1) for system in lucents]
    best = min(reports, key=lambda report: report["whole_s"])
    sweep = {
        steps: launch("featviz-warm", options, units=units, steps=steps, size=size, name=f"sweep-{steps}")["folder"]
        for steps in options.sweep
    }
    scores = score(options, [*(report["folder"] for report in reports), *sweep.values()])

    print(f"\nScores of lucent's pictures after {options.reach_steps} steps, at 224 px, units {units}:")
    for report in reports:
        print(f"  {report['system']:17} {row(value['at224'] for value in scores[report['folder']].values())}")
    target = {unit: value["at224"] for unit, value in scores[best["folder"]].items()}
    print(f"\nfeatviz's score / {best['system']}'s, each at the size it was made for; "
          f"in brackets the median with featviz's picture upsampled to 224 px:")  # fmt: skip
    reached: dict[str, int] = {}
    for steps, folder in sweep.items():
        ratios = [value["own"] / target[unit] for unit, value in scores[folder].items()]
        upsampled = median(value["at224"] / target[unit] for unit, value in scores[folder].items())
        count = sum(ratio >= 1 for ratio in ratios)
        print(f"  {steps:5d} steps: median {median(ratios):.2f} [{upsampled:.2f}], {count} of {len(ratios)} reach it;  "
              f"{row(ratios)}")  # fmt: skip
        if median(ratios) >= 1:
            reached.setdefault("median", steps)
        if count == len(ratios):
            reached.setdefault("all", steps)
    for kind in ("median", "all"):
        print(f"Fewest steps of the sweep for {kind}: {reached.get(kind, 'none of them')}")
    for number in range(1, options.rounds + 1):
        if number > 1:
            reports += [timed(system, options.reach_steps, number) for system in lucents]
        for steps in sorted(set(reached.values())):
            reports += [timed(system, steps, number) for system in featvizes]
    return reports


def row(values: object) -> str:
    return " ".join(f"{value:.2f}" for value in values)  # type: ignore[attr-defined]
