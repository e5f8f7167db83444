"""Does the flag detect deceptive units? Planted units and networks with shuffled weights against control units.

    python experiments/trust.py -o trust/ [--case googlenet:inception_5a]

In each network and layer, of the units that fire on a tenth of the photographs, some become a fooling circuit
(unchanged on photographs, another unit, their decoy, on synthetic images), some silent (zero on photographs, the decoy
on synthetic images); control units stay unchanged. A copy of the network has the values of each of its weight arrays
in random order. All are rendered by the default recipe and evaluated by `fv.evidence`. A fooling circuit whose picture
excites the unchanged unit more than any photograph does is not deceptive, and is left out.

Prints, for each figure and for the flag's margin, the area under the ROC curve (AUROC: how often a deceptive unit ranks
below a control unit), and for the flag the share of deceptive units that it detects and its false alarms among control
units; draws `trust.png`. The flag's two constants were chosen on GoogLeNet's inception_4c; the other layers and
networks had no part in that. The natural images of `patterns` are its own, drawn by rule; those of the others are
photographs. Features are DeiT-tiny's.

Expect, over all cases but the first: 88 % of fooling circuits, all silent units and 88 % of units with shuffled weights
detected, and 12 false alarms in 96, 11 of them in `patterns`. Finished cases are stored in the folder. Two cores: 5
minutes a case.
"""

import argparse
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from data import FOLDER, network
from pattern_images import CLASS_NAMES, generate
from planted import Circuit, Deception, plant, shuffled, train_detector

import featviz as fv
from featviz.evaluation.features import Features
from featviz.evaluation.flag import flag_reasons, inconclusive
from featviz.surveys.reduction import maxima_of

FILES = {"googlenet": "googlenet", "squeezenet1_1": "squeezenet_v1_1", "patterns": None}
CONTROL, FOOLING, SILENT, SHUFFLED, DETECTOR = 24, 20, 8, 16, 12
FIRING = 0.1
QUANTITIES = (
    "flag_margin", "prediction", "selectivity_rank", "robustness", "path_similarity", "coactivation", "transfer_z"
)  # fmt: skip
HEADERS = ("flag", "E1", "E2", "E3", "E4", "coact.", "E5 sd")
# Quantities of which less speaks for the picture.
LESS_IS_BETTER = ("flag_margin", "selectivity_rank")
Row = dict[str, Any]


@dataclass(frozen=True)
class Case:
    """A network and a layer in which to plant; the early layers are those that the detector looks at."""

    network: str
    layer: str
    early: tuple[str, ...]
    chosen_on: bool = False
    size: int = 128

    @property
    def name(self) -> str:
        return f"{self.network}:{self.layer}"


CASES = (
    Case("googlenet", "inception_4c", ("conv1", "conv2", "inception_3a"), chosen_on=True),
    Case("googlenet", "inception_5a", ("conv1", "conv2", "inception_3a")),
    Case("googlenet", "inception_3b", ("conv1", "conv2")),
    Case("squeezenet1_1", "fire7", ("fire2", "fire3", "fire4")),
    Case("patterns", "mixed4a", ("conv1", "conv2", "mixed3a"), size=64),
)


def load(name: str) -> fv.Model:
    file = FILES[name]
    return fv.load(name, weights=network(file)) if file else fv.load(name)


def natural_images(case: Case) -> Any:
    """A folder of photographs, or what `patterns` was trained on."""
    if case.network != "patterns":
        return FOLDER / "photos"
    rng = np.random.default_rng(7)
    return list(generate(rng, rng.integers(0, len(CLASS_NAMES), 800))[0])


def run(case: Case, phi: Features, out: Path) -> list[Row]:
    """The evidence of all units of a case, each with its `kind`."""
    rng, layer, images = np.random.default_rng(2), case.layer, natural_images(case)
    model = load(case.network)
    survey = fv.survey(model, images, out=out / "survey", layers=[layer], progress=False)
    tops = survey.maxima(layer)
    firing = rng.permutation(np.flatnonzero((tops > 0).mean(0) >= FIRING)).tolist()
    counts = np.cumsum([FOOLING, SILENT, DETECTOR])
    fooling, silent, spare, others = (part.tolist() for part in np.split(np.array(firing), counts))
    control, similarity = others[:CONTROL], np.corrcoef(tops.T)
    circuits = {}
    for deception, units in ((Deception.FOOLING, fooling), (Deception.SILENT, silent)):
        for unit in units:
            diverse = [v for v in (*others, *spare) if similarity[unit, v] < np.nanmedian(similarity[unit])]
            circuits[unit] = Circuit(deception, int(rng.choice(diverse)))
    photos = [survey.photo(index) for index in range(0, len(survey), 2)]
    detector, *errors = train_detector(model, case.early, photos, fv.channel(layer, spare), size=case.size)
    print(f"{case.name}: the detector errs on {errors[0]:.1%} of photographs, {errors[1]:.1%} of pictures", flush=True)
    planted = plant(model, layer, circuits, detector)
    rows = evaluated(planted, images, layer, [*circuits, *control], phi, case.size, out / "planted")
    for row, picture in rows:
        unit = int(row["name"].rpartition(":")[2])
        row["kind"] = circuits[unit].deception.value if unit in circuits else "control"
        unchanged = np.asarray(maxima_of(model, picture.to_uint8()[None], (layer,))[layer][0])[0, unit]
        if row["kind"] == Deception.FOOLING.value and unchanged >= tops[:, unit].max():
            row["kind"] = "not deceptive"
    blank = shuffled(model, seed=0)
    units = rng.choice(model.layer(layer).units, SHUFFLED, replace=False).tolist()
    rows += [({**row, "kind": "shuffled"}, p) for row, p in
             evaluated(blank, images, layer, units, phi, case.size, out / "shuffled")]  # fmt: skip
    return [row for row, _ in rows]


def evaluated(
    model: fv.Model, images: Any, layer: str, units: list[int], phi: Features, size: int, out: Path
) -> list[tuple[Row, fv.Picture]]:
    survey = fv.survey(model, images, out=out / "survey", layers=[layer], progress=False)
    pictures = fv.render(model, fv.channel(layer, units), size=size, progress=False)
    for unit, picture in zip(units, pictures, strict=True):
        picture.save(out / f"{layer}-{unit}.png")
    evidence = fv.evidence(pictures, survey, other=phi, progress=False)
    return list(zip(evidence.to_json()["units"], pictures, strict=True))


def with_flag(row: Row) -> Row:
    """Evidence from JSON, where numbers that are not finite are text, with the flag of today's formula."""
    names = (*QUANTITIES, "activation_percentile", "predicted_r")
    figures = {name: float(row[name]) for name in names}
    margin, reasons = flag_reasons(figures, varies=bool(np.isfinite(figures["flag_margin"])))
    # Inconclusive evidence is no alarm. A case has 800 photographs.
    flagged = bool(reasons) and not inconclusive(figures, reasons, photos=800)
    return {**figures, "kind": row["kind"], "flag_margin": margin, "flagged": flagged}


def support(row: Row, quantity: str) -> float:
    """A quantity signed so that more of it supports the picture; an unknown one supports it least."""
    value: float = -row[quantity] if quantity in LESS_IS_BETTER else row[quantity]
    return -np.inf if np.isnan(value) else value


def auroc(control: list[float], deceptive: list[float]) -> float:
    high, low = np.array(control)[:, None], np.array(deceptive)
    return float((high > low).mean() + (high == low).mean() / 2)


def report(cases: dict[str, list[Row]]) -> None:
    header = " ".join(f"{name:>8}" for name in HEADERS)
    print(f"\n{'':28} {'units':>5} {'flagged':>8}  AUROC: {header}")
    groups = dict(cases)
    held_out = [case.name for case in CASES if not case.chosen_on and case.name in cases]
    groups["all but inception_4c"] = [row for name in held_out for row in cases[name]]
    for name, rows in groups.items():
        control = [row for row in rows if row["kind"] == "control"]
        false_alarms = sum(row["flagged"] for row in control)
        print(f"{name:28} {len(control):5d} {false_alarms:8d}  false alarms among control units")
        for kind in ("fooling", "silent", "shuffled"):
            deceptive = [row for row in rows if row["kind"] == kind]
            areas = [auroc(*([support(row, q) for row in part] for part in (control, deceptive))) for q in QUANTITIES]
            detected = np.mean([row["flagged"] for row in deceptive])
            print(f"  {kind:26} {len(deceptive):5d} {detected:8.0%}         " + " ".join(f"{a:8.2f}" for a in areas))


def draw(cases: dict[str, list[Row]], path: Path) -> None:
    """The flag's margin of each unit, a strip for each case and kind."""
    from matplotlib.figure import Figure

    colors = {"control": "#2b6cb0", "fooling": "#c23b22", "silent": "#808080", "shuffled": "#d69e2e"}
    figure = Figure(figsize=(9, 1.0 + 0.62 * len(cases)), layout="constrained")
    axes = figure.add_subplot()
    rng = np.random.default_rng(0)
    for line, rows in enumerate(cases.values()):
        for offset, (kind, color) in enumerate(colors.items()):
            values = [float(np.clip(-row["flag_margin"], -5, 5)) for row in rows if row["kind"] == kind]
            heights = -line - 0.17 * (offset - 1.5) + rng.uniform(-0.05, 0.05, len(values))
            axes.scatter(values, heights, s=12, color=color, alpha=0.75, linewidths=0, label=kind if not line else None)
    axes.axvline(0, color="#202020", linewidth=0.8)
    axes.set_yticks([-line for line in range(len(cases))], [name.replace(":", "\n") for name in cases], fontsize=8)
    axes.set_xlabel("do not trust  |  support for the picture above the flag's threshold (clipped)", fontsize=9)
    axes.set_xlim(-5.2, 5.2)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    figure.legend(loc="outside upper center", ncols=4, fontsize=8, frameon=False)
    figure.savefig(path, dpi=110)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", "--out", type=Path, default=Path("trust"))
    parser.add_argument(
        "--case", action="append", choices=[case.name for case in CASES], help="Only this one; repeatable."
    )
    options = parser.parse_args()
    phi = Features(fv.load("deit_tiny", weights=network("deit_tiny_patch16_224")), "blocks/6")
    cases: dict[str, list[Row]] = {}
    for case in CASES:
        if options.case and case.name not in options.case:
            continue
        folder = options.out / case.name.replace(":", "-")
        stored = folder / "evidence.json"
        if not stored.exists():
            folder.mkdir(parents=True, exist_ok=True)
            stored.write_text(json.dumps(run(case, phi, folder), indent=1) + "\n")
        cases[case.name] = [with_flag(row) for row in json.loads(stored.read_text())]
    report(cases)
    draw(cases, options.out / "trust.png")


if __name__ == "__main__":
    main()
