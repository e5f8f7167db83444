"""The other figures of evidence of `natural_pictures.py`: unit by unit, with paired differences from the default."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from natural_arms import Arm, unit_stem
from natural_scores import Space, interval_text, paired

import featviz as fv
from featviz.evaluation.evaluate import evaluate_pictures
from featviz.evaluation.reference_statistics import features_of_photos, reference_statistics
from featviz.evaluation.sample_statistics import finite_mean

FIGURES = {"activation_z": "E0 sd", "selectivity_rank": "E2", "robustness": "E3", "path_similarity": "E4 path",
           "coactivation": "coactivation", "transfer_percentile": "E5 %"}  # fmt: skip
# Those of which the difference from the default is of interest: whether a picture excites what photographs excite.
COMPARED = ("path_similarity", "coactivation", "transfer_percentile")
# Quantity -> unit -> value, the units named as `inception_4c:103`.
UnitFigures = dict[str, dict[str, float]]


def measure_figures(
    arms: Sequence[Arm], survey: fv.Survey, units: Mapping[str, list[int]], space: Space, out: Path
) -> dict[str, UnitFigures]:
    """The figures of each arm's pictures by one feature space; kept in the folder, an arm at a time."""
    path = out / "figures.json"
    kept: dict[str, UnitFigures] = json.loads(path.read_text()) if path.exists() else {}
    names = {f"{layer}:{unit}" for layer, chosen in units.items() for unit in chosen}
    missing = [arm for arm in arms if names - set(kept.get(arm.name, {}).get("activation_z", {}))]
    if missing:
        photo_features = features_of_photos(survey, space.features)
        references = {
            layer: reference_statistics(survey, layer, chosen, space.features, photo_features)
            for layer, chosen in units.items()
        }
        for arm in missing:
            found: UnitFigures = {quantity: {} for quantity in FIGURES}
            folder = out / "units" / arm.name
            for layer, chosen in units.items():
                pictures = {unit: [arm.load(folder / f"{unit_stem(layer, unit)}.png")] for unit in chosen}
                rows = evaluate_pictures(survey.model, references[layer], pictures, space.features)
                for unit, row in rows.items():
                    for quantity in FIGURES:
                        found[quantity][f"{layer}:{unit}"] = float(row.figures[quantity])
            kept[arm.name] = found
            path.write_text(json.dumps(kept, indent=1))
    return {arm.name: {q: {name: kept[arm.name][q][name] for name in sorted(names)} for q in FIGURES} for arm in arms}


def print_figures(figures: Mapping[str, UnitFigures], space: str) -> None:
    """Means over units, and some of them less the default's, with 95 % intervals over units."""
    print(f"\nother figures by {space}\n{'arm':16} " + " ".join(f"{text:>12}" for text in FIGURES.values()))
    for arm, found in figures.items():
        print(f"{arm:16} " + " ".join(f"{finite_mean(list(found[q].values())):12.3g}" for q in FIGURES))
    if "default" not in figures:
        return
    print(f"\nless the default's\n{'arm':16} " + " ".join(f"{FIGURES[quantity]:>26}" for quantity in COMPARED))
    for arm, found in figures.items():
        less = [interval_text(paired(found[q], figures["default"][q]), signed=True) for q in COMPARED]
        print(f"{arm:16} " + " ".join(f"{text:>26}" for text in less))
