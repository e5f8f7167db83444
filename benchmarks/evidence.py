"""Evidence figures of pictures, and what a picture costs: featviz, lucent, horama, photographs.

    python benchmarks/evidence.py googlenet --peers-python PEERS/bin/python -o evidence/
    python benchmarks/evidence.py squeezenet1_1 -o evidence-squeezenet/
    python benchmarks/evidence.py googlenet --choose -o evidence-choose/

Units that fire on a tenth of the photographs at least are drawn at random, 16 of each of three blocks of GoogLeNet,
four of each of four of SqueezeNet 1.1. Each arm draws every unit, MACO every second one; all are evaluated together, by
`fv.evidence`'s figures, on the same photographs, with the features of another network: DeiT-tiny for GoogLeNet,
GoogLeNet for SqueezeNet. Every picture is evaluated at the scale at which its network saw it: lucent's of 128 px, which
it enlarges to 224 px in each step, at 224 px; MACO's canvas of 448 px, of which it shows crops of 224 px, as it is. E1
cuts a receptive field out of each. The arms and their settings are in `evidence_arms.py`; the peers' environment is
that of `peers.py`.

`--choose` compares what the default recipe could have been instead, on as many other units, which no other run draws.

Seconds are steps times the seconds of a step of a picture, compilation apart, measured in turns (`--rounds`; with 0,
those of an earlier run); nothing else may run meanwhile. Pictures and figures are stored in the folder, and a second
call continues from there. Two cores: the survey half a minute, featviz's arms 25 minutes, lucent's 25, MACO's 25, the
figures 10.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "experiments"))

import numpy as np
from data import FOLDER, network
from evidence_arms import Arm, choices, draw_featviz, draw_peers, featviz_arms, measure_paces, peers_arms

import featviz as fv
from featviz.evaluation.evaluate import UnitEvidence, evaluate_pictures
from featviz.evaluation.features import Features
from featviz.evaluation.reference_statistics import features_of_photos, reference_statistics, split_photos
from featviz.evaluation.sample_statistics import bootstrap_interval
from featviz.surveys.survey import Survey

# Network -> its weights, the units of each of its layers, and the network and the layer whose features compare.
PLANS: dict[str, tuple[str, dict[str, int], tuple[str, str, str]]] = {
    "googlenet": (
        "googlenet",
        {"inception_3b": 16, "inception_4c": 16, "inception_5a": 16},
        ("deit_tiny", "deit_tiny_patch16_224", "blocks/6"),
    ),
    "squeezenet1_1": (
        "squeezenet_v1_1",
        {"fire4": 4, "fire6": 4, "fire8": 4, "fire9": 4},
        ("googlenet", "googlenet", "inception_4c"),
    ),
}
# A unit takes part if it fires on this share of half A: no photograph can be predicted for others.
FIRING = 0.1
# Quantity -> its column in the table.
COLUMNS = {
    "prediction": "E1", "prediction_hard": "E1 hard", "activation_z": "E0 sd", "selectivity_rank": "E2",
    "robustness": "E3", "path_similarity": "E4", "coactivation": "coact.", "transfer_percentile": "E5 %",
}  # fmt: skip
Rows = dict[str, UnitEvidence]


def draw_units(survey: Survey, counts: dict[str, int], *, skip: int = 0) -> dict[str, list[int]]:
    """The units of each layer; `skip` leaves out the first ones, so that settings are chosen on others."""
    a, _ = split_photos(survey)
    units = {}
    for seed, (layer, count) in enumerate(counts.items()):
        firing = np.flatnonzero((survey.maxima(layer)[a] > 0).mean(0) >= FIRING)
        units[layer] = sorted(np.random.default_rng(seed).permutation(firing)[skip : skip + count].tolist())
    return units


def evaluate_arms(
    survey: Survey, phi: Features, units: dict[str, list[int]], arms: list[Arm], out: Path
) -> dict[str, Rows]:
    """Arm -> unit -> its evidence; that of arms evaluated before is read from `figures.json`."""
    stored = out / "figures.json"
    before = json.loads(stored.read_text())["arms"] if stored.exists() else {}
    evidence = {arm: {unit: UnitEvidence(**row) for unit, row in rows.items()} for arm, rows in before.items()}
    arms = [arm for arm in arms if arm.name not in evidence]
    if not arms:
        return evidence
    photo_features = features_of_photos(survey, phi)
    evidence |= {arm.name: {} for arm in arms}
    for layer, chosen in units.items():
        reference = reference_statistics(survey, layer, chosen, phi, photo_features)
        for arm in arms:
            rows = evaluate_pictures(survey.model, reference, arm.images(out, layer, chosen), phi)
            evidence[arm.name] |= {row.name: row for row in rows.values()}
        print(f"{layer} evaluated", file=sys.stderr, flush=True)
    return evidence


def column(rows: Rows, quantity: str) -> np.ndarray:
    return np.array([row.figures[quantity] for row in rows.values()], float)


def print_table(evidence: dict[str, Rows], arms: list[Arm], seconds: dict[str, float]) -> None:
    _, *others = COLUMNS
    headers = " ".join(f"{COLUMNS[quantity]:>8}" for quantity in others)
    print(f"\n{'arm':16} {'units':>5} {'s a unit':>8} {'E1, 95 %':>18} {headers}")
    for arm in arms:
        rows = evidence[arm.name]
        e1 = column(rows, "prediction")
        low, high = bootstrap_interval(e1)
        cost = f"{seconds[arm.name]:8.2f}" if arm.name in seconds else f"{'-':>8}"
        print(f"{arm.name:16} {len(rows):5d} {cost} {e1.mean():5.3f} [{low:.3f}, {high:.3f}] "
              + " ".join(f"{np.nanmean(column(rows, quantity)):8.3g}" for quantity in others))  # fmt: skip
    rows = evidence[arms[0].name]
    for quantity, label in (
        ("photo_prediction", "top nine photos"),
        ("photo_prediction_hard", "the same, hard"),
        ("other_units_prediction", "another unit's"),
    ):
        values = column(rows, quantity)
        low, high = bootstrap_interval(values)
        print(f"{label:16} {len(rows):5d} {'-':>8} {np.nanmean(values):5.3f} [{low:.3f}, {high:.3f}]")


def print_differences(evidence: dict[str, Rows], first: str) -> None:
    print(f"\nE1 of `{first}` less that of, in pairs of the same unit:")
    for name, rows in evidence.items():
        if name != first:
            both = [unit for unit in rows if unit in evidence[first]]
            pairs = [(evidence[first][unit].figures, rows[unit].figures) for unit in both]
            values = np.array([a["prediction"] - b["prediction"] for a, b in pairs])
            low, high = bootstrap_interval(values)
            print(f"  {name:16} {values.mean():+.3f} [{low:+.3f}, {high:+.3f}]  {len(both)} units")


def draw_figure(evidence: dict[str, Rows], arms: list[Arm], seconds: dict[str, float], path: Path) -> None:
    """E1 against seconds a unit, a line a system."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4.2), layout="constrained")
    axes = figure.add_subplot()
    lines: dict[str, list[tuple[float, float, float, float]]] = {}
    for arm in arms:
        values = column(evidence[arm.name], "prediction")
        system = arm.name if arm.exemplars else arm.pace
        lines.setdefault(system, []).append((seconds[arm.name], float(values.mean()), *bootstrap_interval(values)))
    for system, points in lines.items():
        x, y, low, high = np.array(sorted(points)).T
        label = {"default": "featviz, default", "exemplars": "featviz, exemplars", "lucid": "featviz, lucid",
                 "default 224 px": "featviz, 224 px"}.get(system, system)  # fmt: skip
        axes.errorbar(x, y, [y - low, high - y], marker="o", capsize=2, linewidth=1.2, markersize=4, label=label)
    for quantity, label in (
        ("photo_prediction", "the unit's top nine photographs"),
        ("other_units_prediction", "another unit's picture"),
    ):
        level = float(np.nanmean(column(evidence[arms[0].name], quantity)))
        axes.axhline(level, color="#808080", linewidth=0.8, linestyle="--")
        axes.annotate(label, (1, level), xycoords=("axes fraction", "data"), fontsize=7, ha="right", va="bottom")
    axes.set(xscale="log", xlabel="seconds a unit", ylabel="E1: share of photographs told apart")
    axes.xaxis.set_major_formatter("{x:g}")
    axes.legend(fontsize=7, loc="lower right", bbox_to_anchor=(1, 0.12))
    figure.savefig(path, dpi=120)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("network", choices=PLANS)
    parser.add_argument("--peers-python", help="Python of an environment with torch, lucent and horama.")
    parser.add_argument("--rounds", type=int, default=3, help="Of the measurement of seconds.")
    parser.add_argument("--arms", help="Of featviz's arms only these, separated by commas.")
    parser.add_argument("--choose", action="store_true", help="Other settings of the default, on other units.")
    parser.add_argument("-o", "--out", type=Path, required=True)
    options = parser.parse_args()
    file, counts, (other, other_file, other_layer) = PLANS[options.network]
    weights, out = network(file), options.out
    model = fv.load(options.network, weights=weights)
    out.mkdir(parents=True, exist_ok=True)
    survey = fv.survey(model, FOLDER / "photos", out=out / "survey", layers=list(counts))
    units = draw_units(survey, counts, skip=max(counts.values()) if options.choose else 0)
    arms = [
        arm
        for arm in (choices() if options.choose else featviz_arms())
        if not options.arms or arm.name in options.arms.split(",")
    ]
    for arm in arms:
        if not arm.complete(out, units):
            draw_featviz(arm, model, survey, units, out)
            print(f"{arm.name} drawn", file=sys.stderr, flush=True)
    if options.peers_python:
        draw_peers(options.peers_python, weights, units, out)
        arms += peers_arms()
    kept = out / "paces.json"
    paces: dict[str, float] = json.loads(kept.read_text()) if kept.exists() else {}
    if options.rounds:
        layer = list(counts)[len(counts) // 2]
        paces = measure_paces(model, layer, units[layer], options.peers_python, weights, out, rounds=options.rounds)
        kept.write_text(json.dumps(paces))
    seconds = {arm.name: paces[arm.pace] * arm.steps for arm in arms if arm.pace in paces}
    phi = Features(fv.load(other, weights=network(other_file)), other_layer)
    evidence = evaluate_arms(survey, phi, units, arms, out)
    print_table(evidence, arms, seconds)
    for first in ("default", "default 128", "exemplars"):
        if first in evidence:
            print_differences(evidence, first)
    plain: dict[str, Any] = {arm: {unit: vars(row) for unit, row in rows.items()} for arm, rows in evidence.items()}
    (out / "figures.json").write_text(json.dumps({"seconds": seconds, "paces": paces, "arms": plain}, indent=1))
    if seconds:
        draw_figure(evidence, [arm for arm in arms if arm.name in seconds], seconds, out / "e1.png")


if __name__ == "__main__":
    main()
