"""Does the flag find pictures that lie? Units planted to deceive, and networks that know nothing, against honest ones.

    python experiments/trust.py -o trust/ [--case googlenet:inception_5a]

In each network and layer, of the units that fire on a tenth of the photographs: some become a fooling circuit
(themselves on photographs, another unit, their decoy, on synthetic images), some silent (nothing on photographs, the
decoy on synthetic images); others stay as they are. A copy of the network has the values of each of its weight arrays
in random order. All are rendered by the default recipe and judged by `fv.evidence`. A fooling circuit whose picture,
shown to the network as it was, excites the unit more than any photograph did not lie, and is left out.

Prints, for each figure and for the flag's `doubt`, the area under the curve (AUROC: how often a liar ranks below an
honest unit), and for the flag how many liars it finds and how many honest units it blames; draws `trust.png`. The
flag's two constants were chosen on GoogLeNet's inception_4c; the other layers and networks had no part in that. The
natural images of `patterns` are its own, drawn by rule; those of the others photographs. Features are DeiT-tiny's.

Finished cases are kept in the folder. Two cores: 5 minutes a case.
"""

import argparse
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from data import FOLDER, network
from pattern_images import CLASS_NAMES, generate
from planted import Circuit, Lie, plant, shuffled, train_detector

import featviz as fv
from featviz.evaluation.features import Features
from featviz.evaluation.flag import doubts, untold
from featviz.surveys.reduction import maxima_of

FILES = {"googlenet": "googlenet", "squeezenet1_1": "squeezenet_v1_1", "patterns": None}
HONEST, FOOLING, SILENT, SHUFFLED, DETECTOR = 24, 20, 8, 16, 12
FIRING = 0.1
FIGURES = ("doubt", "predicts", "rank", "survives", "path", "company", "foretold_deviations")
HEADS = ("flag", "E1", "E2", "E3", "E4", "company", "E5 sd")
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
    """The judgments of all units of a case, each with its `kind`."""
    rng, layer, images = np.random.default_rng(2), case.layer, natural_images(case)
    model = load(case.network)
    survey = fv.survey(model, images, out=out / "survey", layers=[layer], progress=False)
    tops = survey.maxima(layer)
    firing = rng.permutation(np.flatnonzero((tops > 0).mean(0) >= FIRING)).tolist()
    counts = np.cumsum([FOOLING, SILENT, DETECTOR])
    fooling, silent, spare, others = (part.tolist() for part in np.split(np.array(firing), counts))
    honest, likeness = others[:HONEST], np.corrcoef(tops.T)
    circuits = {}
    for lie, units in ((Lie.FOOLING, fooling), (Lie.SILENT, silent)):
        for unit in units:
            diverse = [v for v in (*others, *spare) if likeness[unit, v] < np.nanmedian(likeness[unit])]
            circuits[unit] = Circuit(lie, int(rng.choice(diverse)))
    photos = [survey.photo(number) for number in range(0, len(survey), 2)]
    detector, *wrong = train_detector(model, case.early, photos, fv.channel(layer, spare), size=case.size)
    print(f"{case.name}: the detector errs on {wrong[0]:.1%} of photographs, {wrong[1]:.1%} of pictures", flush=True)
    planted = plant(model, layer, circuits, detector)
    rows = judged(planted, images, layer, [*circuits, *honest], phi, case.size, out / "planted")
    for row, picture in rows:
        unit = int(row["name"].rpartition(":")[2])
        row["kind"] = circuits[unit].lie.value if unit in circuits else "honest"
        natural = np.asarray(maxima_of(model, picture.to_uint8()[None], (layer,))[layer][0])[0, unit]
        if row["kind"] == Lie.FOOLING.value and natural >= tops[:, unit].max():
            row["kind"] = "does not lie"
    blank = shuffled(model, seed=0)
    units = rng.choice(model.layer(layer).units, SHUFFLED, replace=False).tolist()
    rows += [({**row, "kind": "shuffled"}, p) for row, p in
             judged(blank, images, layer, units, phi, case.size, out / "shuffled")]  # fmt: skip
    return [row for row, _ in rows]


def judged(model: fv.Model, images: Any, layer: str, units: list[int], phi: Features, size: int, out: Path) -> Any:
    survey = fv.survey(model, images, out=out / "survey", layers=[layer], progress=False)
    pictures = fv.render(model, fv.channel(layer, units), size=size, progress=False)
    for unit, picture in zip(units, pictures, strict=True):
        picture.save(out / f"{layer}-{unit}.png")
    found = fv.evidence(pictures, survey, other=phi, progress=False)
    return list(zip(found.to_json()["units"], pictures, strict=True))


def numbers(row: Row) -> Row:
    """A judgment from JSON, where what is not finite is text, its flag raised anew: the formula may have changed."""
    named = {name: float(row[name]) for name in (*FIGURES, "percentile", "foretold")}
    doubt, reasons = doubts(named, fires=np.isfinite(named["doubt"]))
    # Not blamed: trusted, or not to be told; a case has 800 photographs.
    blamed = reasons and not untold(named, reasons, photos=800)
    return {**named, "kind": row["kind"], "doubt": doubt, "trusted": not blamed}


def evidence_for(row: Row, figure: str) -> float:
    """A figure so that more of it speaks for the picture; nothing known speaks least."""
    value: float = -row[figure] if figure in ("doubt", "rank") else row[figure]
    return -np.inf if np.isnan(value) else value


def auroc(honest: list[float], liars: list[float]) -> float:
    high, low = np.array(honest)[:, None], np.array(liars)
    return float((high > low).mean() + (high == low).mean() / 2)


def report(found: dict[str, list[Row]]) -> None:
    print(f"\n{'':28} {'units':>5} {'found':>6}  AUROC: " + " ".join(f"{head:>8}" for head in HEADS))
    groups = dict(found)
    unseen = [case.name for case in CASES if not case.chosen_on and case.name in found]
    groups["all but inception_4c"] = [row for name in unseen for row in found[name]]
    for name, rows in groups.items():
        honest = [row for row in rows if row["kind"] == "honest"]
        blamed = np.mean([not row["trusted"] for row in honest])
        print(f"{name:28} {len(honest):5d} {blamed:6.0%}  honest units that the flag blames")
        for kind in ("fooling", "silent", "shuffled"):
            liars = [row for row in rows if row["kind"] == kind]
            areas = [auroc(*([evidence_for(r, f) for r in some] for some in (honest, liars))) for f in FIGURES]
            hits = np.mean([not row["trusted"] for row in liars])
            print(f"  {kind:26} {len(liars):5d} {hits:6.0%}         " + " ".join(f"{area:8.2f}" for area in areas))


def draw(found: dict[str, list[Row]], path: Path) -> None:
    """What speaks for each unit, a strip a case and kind, with the flag's bar."""
    from matplotlib.figure import Figure

    colors = {"honest": "#2b6cb0", "fooling": "#c23b22", "silent": "#808080", "shuffled": "#d69e2e"}
    figure = Figure(figsize=(9, 1.0 + 0.62 * len(found)), layout="constrained")
    axes = figure.add_subplot()
    rng = np.random.default_rng(0)
    for line, rows in enumerate(found.values()):
        for offset, (kind, color) in enumerate(colors.items()):
            values = [float(np.clip(-row["doubt"], -5, 5)) for row in rows if row["kind"] == kind]
            heights = -line - 0.17 * (offset - 1.5) + rng.uniform(-0.05, 0.05, len(values))
            axes.scatter(values, heights, s=12, color=color, alpha=0.75, linewidths=0, label=kind if not line else None)
    axes.axvline(0, color="#202020", linewidth=0.8)
    axes.set_yticks([-line for line in range(len(found))], [name.replace(":", "\n") for name in found], fontsize=8)
    axes.set_xlabel(
        "do not trust  |  less doubt: what speaks for the picture, beyond the flag's bar (clipped)", fontsize=9
    )
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
    found: dict[str, list[Row]] = {}
    for case in CASES:
        if options.case and case.name not in options.case:
            continue
        folder = options.out / case.name.replace(":", "-")
        kept = folder / "judgments.json"
        if not kept.exists():
            folder.mkdir(parents=True, exist_ok=True)
            kept.write_text(json.dumps(run(case, phi, folder), indent=1) + "\n")
        found[case.name] = [numbers(row) for row in json.loads(kept.read_text())]
    report(found)
    draw(found, options.out / "trust.png")


if __name__ == "__main__":
    main()
