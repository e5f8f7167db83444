"""The setting `reach` of `peers.py`: the time in which featviz's pictures reach the scores of lucent's."""

import argparse
import sys
from statistics import median

from peers_launch import Report, launch, score


def reach(options: argparse.Namespace) -> list[Report]:
    """Finds the fewest steps with which featviz reaches lucent's scores, then times both in turns."""
    units, size = options.units, options.size
    lucent_systems = [system for system in options.systems if system.startswith("lucent")]
    featviz_systems = [system for system in options.systems if system.startswith("featviz")]
    if not lucent_systems or not featviz_systems:
        sys.exit("reach compares lucent with featviz; expected at least one of each in --systems")

    def timed(system: str, steps: int, index: int) -> Report:
        name = f"{system}-{steps}-round{index}"
        return launch(system, options, units=units, steps=steps, size=size, name=name)

    # The pictures of the first round, which is timed like the others, set the scores.
    reports = [timed(system, options.reach_steps, 1) for system in lucent_systems]
    best = min(reports, key=lambda report: report["whole_s"])
    sweep = {
        steps: launch("featviz-warm", options, units=units, steps=steps, size=size, name=f"sweep-{steps}")["folder"]
        for steps in options.sweep
    }
    scores = score(options, [*(report["folder"] for report in reports), *sweep.values()])

    print(f"\nScores of lucent's pictures after {options.reach_steps} steps, at 224 px, units {units}:")
    for report in reports:
        print(f"  {report['system']:17} {row(value['upsampled'] for value in scores[report['folder']].values())}")
    target = {unit: value["upsampled"] for unit, value in scores[best["folder"]].items()}
    print(f"\nfeatviz's score / {best['system']}'s, each at the size of its optimization; "
          f"in brackets the median with featviz's pictures upsampled to 224 px:")  # fmt: skip
    reached: dict[str, int] = {}
    for steps, folder in sweep.items():
        ratios = [value["original"] / target[unit] for unit, value in scores[folder].items()]
        upsampled = median(value["upsampled"] / target[unit] for unit, value in scores[folder].items())
        count = sum(ratio >= 1 for ratio in ratios)
        print(f"  {steps:5d} steps: median {median(ratios):.2f} [{upsampled:.2f}], {count} of {len(ratios)} reach it;  "
              f"{row(ratios)}")  # fmt: skip
        if median(ratios) >= 1:
            reached.setdefault("median", steps)
        if count == len(ratios):
            reached.setdefault("all", steps)
    for kind in ("median", "all"):
        print(f"Fewest steps of the sweep for {kind}: {reached.get(kind, 'none')}")
    for index in range(1, options.rounds + 1):
        if index > 1:
            reports += [timed(system, options.reach_steps, index) for system in lucent_systems]
        for steps in sorted(set(reached.values())):
            reports += [timed(system, steps, index) for system in featviz_systems]
    return reports


def row(values: object) -> str:
    return " ".join(f"{value:.2f}" for value in values)  # type: ignore[attr-defined]
