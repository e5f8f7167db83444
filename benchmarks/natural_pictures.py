"""Pictures under a natural prior beside others: what they tell of units, who recognizes them, what they look like.

    python benchmarks/natural_pictures.py -o natural/                       # GoogLeNet: 24 units, 24 classes
    python benchmarks/natural_pictures.py --units 4 --classes 4 -o trial/   # a trial, five minutes
    python benchmarks/natural_pictures.py --peers-python PEERS/bin/python --arms default,lucent@64,lucent -o natural/
    python benchmarks/natural_pictures.py --network squeezenet1_1 --units 16 -o natural-squeezenet/
    python benchmarks/torch_networks.py --check                             # lucent's networks are featviz's
    python benchmarks/natural_pictures.py --network deit_tiny --arms default,transformer,transformer+16 --units 48 \
        --skip 16 --classes 0 --sets "" -o natural-deit/

Arms are recipes by name; `maco` in about the time of the default, `lucent` with the peers' environment of `peers.py`,
to which DeiT-tiny adds timm.
`NAME@STEPS` takes other steps, `NAME~SHARE` another share of the prior. Recipes without a size, `transformer` and with
a prior `transformer_denoised` and `transformer_guided`, draw at 224 px; `NAME+16` maximizes the mean of a unit over the
16 tokens where it is largest. Recipes with a prior take `--prior FILE` where
featviz has none of its own; an arm that cannot be drawn is left out, with a line that says why.

- E1 (`docs/evidence.md`) of one picture in two feature spaces, so that nothing is chosen for one of them: half way
  through a vision transformer and a convolutional network, neither of them the network that is looked at. Beside it the
  unit's best photograph alone, and its nine best.
- E1 of 4 and of 9 pictures of a unit together (`--sets`): other seeds, pictures that are optimized to differ, facets
  at clusters of photographs of half A, and these from a typical photograph of each cluster in place of noise
  (`started`), against as many photographs. E1 asks about photographs of half B.
- Pictures of random classes, recognized by other networks: first, and in the top five.
- All other figures of evidence with `--figures`, by the last feature space, with paired differences from the default.
- Sheets of units, without and with their best photographs, and of classes, a row an arm.

Units fire on a tenth of the photographs at least. Pictures are kept in the folder, and only what is missing is drawn;
`results.json` has all values. Seconds are those of a picture after the first ones, compilation apart; nothing else may
run meanwhile. Two cores, 24 units and classes: the survey 40 s, default and guided each 1 minute for units and 3 for
classes of 224 px, denoised and maco about twice that, sets of 8 units 3 minutes, scores 2 minutes.
"""

import argparse
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "experiments"))

import numpy as np
from data import FOLDER, network
from evidence import draw_units
from natural_arms import (
    LUCENT_CLASSES,
    SET_SIZES,
    Arm,
    available_arms,
    draw,
    draw_lucent,
    draw_set,
    objective_of,
    read_seconds,
    set_folder,
    unit_stem,
)
from natural_figures import measure_figures, print_figures
from natural_scores import (
    PHOTO,
    Space,
    Values,
    print_recognition,
    print_sets,
    print_single,
    recognize,
    score_photographs,
    score_pictures,
)
from natural_sheets import draw_sheet

import featviz as fv
from featviz.evaluation.features import Features
from featviz.surveys.receptive_fields import box_around
from featviz.surveys.statistics import halves, top_photos

WEIGHTS = {
    "googlenet": "googlenet",
    "squeezenet1_1": "squeezenet_v1_1",
    "deit_tiny": "deit_tiny_patch16_224",
}
# Network -> the layers of its units.
LAYERS = {"googlenet": "inception_4c", "squeezenet1_1": "fire6,fire8", "deit_tiny": "blocks/4/mlp/act,blocks/6/mlp/act"}
# The layer of each network whose features compare.
SPACES = {"deit_tiny": "blocks/6", "googlenet": "inception_4c", "squeezenet1_1": "fire6"}


def load(name: str) -> fv.Model:
    return fv.load(name, weights=network(WEIGHTS[name]))


def share_units(layers: list[str], count: int) -> dict[str, int]:
    """As many units of each layer, the first ones of one more."""
    shares = {layer: count // len(layers) + (index < count % len(layers)) for index, layer in enumerate(layers)}
    return {layer: share for layer, share in shares.items() if share}


def draw_arms(
    arms: list[Arm], model: fv.Model, units: Mapping[str, list[int]], classes: list[int], options: argparse.Namespace
) -> None:
    out: Path = options.out
    peer = (options.peers_python, options.network, network(WEIGHTS[options.network]))
    for arm in arms:
        for layer, chosen in units.items():
            if arm.recipe is None:
                draw_lucent(arm, *peer, layer, chosen, out / "units" / arm.name)
            else:
                objectives = {unit_stem(layer, unit): objective_of(layer, unit, arm.top) for unit in chosen}
                draw(arm, model, objectives, out / "units" / arm.name)
        if arm.recipe is None and classes:
            draw_lucent(arm, *peer, LUCENT_CLASSES[options.network], classes, out / "classes" / arm.name)
        elif classes:
            large = Arm(arm.name, arm.recipe, arm.steps, max(arm.size, options.class_size))
            objectives = {class_stem(arm, each, options.network): fv.logit(each) for each in classes}
            draw(large, model, objectives, out / "classes" / arm.name)


def class_stem(arm: Arm, index: int, name: str) -> str:
    """The file name of a class's picture; lucent's has that of the layer with the classes of the network `name`."""
    return unit_stem(LUCENT_CLASSES[name], index) if arm.recipe is None else f"class-{index}"


def load_classes(arms: list[Arm], classes: list[int], name: str, out: Path) -> dict[str, dict[int, np.ndarray]]:
    """The pictures of classes of the network `name`: arm -> class -> uint8 (h, w, 3)."""
    return {
        arm.name: {
            each: arm.load(out / "classes" / arm.name / f"{class_stem(arm, each, name)}.png") for each in classes
        }
        for arm in arms
    }


def score_singles(
    arms: list[Arm], survey: fv.Survey, units: Mapping[str, list[int]], spaces: list[Space], out: Path
) -> dict[str, dict[str, Values]]:
    """Arm -> space -> unit -> E1, photographs among the arms."""
    scores: dict[str, dict[str, Values]] = {}
    for layer, chosen in units.items():
        for arm in arms:
            pictures = {unit: [arm.load(out / "units" / arm.name / f"{unit_stem(layer, unit)}.png")] for unit in chosen}
            merge(scores, arm.name, score_pictures(survey, layer, pictures, spaces, out, units=chosen))
        for count in (1, *SET_SIZES):
            merge(scores, f"{PHOTO} {count}", score_photographs(survey, layer, chosen, count, spaces, out))
    return scores


def score_sets(
    arms: list[Arm], survey: fv.Survey, units: Mapping[str, list[int]], spaces: list[Space], options: argparse.Namespace
) -> dict[str, dict[str, Values]]:
    """Draws what is missing of the sets, and scores them: set -> space -> unit -> E1."""
    scores: dict[str, dict[str, Values]] = {}
    for arm in arms:
        for kind in options.sets.split(","):
            # The larger set first: the seeds of the smaller one are among them.
            for size in sorted(SET_SIZES, reverse=True):
                draw_set(kind, size, arm, survey.model, survey, chosen_first(units, options.set_units), options.out)
                folder = set_folder(kind, size, arm, options.out)
                for layer, chosen in chosen_first(units, options.set_units).items():
                    pictures = {
                        unit: [arm.load(folder / f"{unit_stem(layer, unit, member)}.png") for member in range(size)]
                        for unit in chosen
                    }
                    found = score_pictures(survey, layer, pictures, spaces, options.out, units=units[layer])
                    merge(scores, f"{kind}{size} {arm.name}", found)
    return scores


def chosen_first(units: Mapping[str, list[int]], count: int) -> dict[str, list[int]]:
    """Some of the units, as many of each layer."""
    counts = share_units(list(units), count)
    return {layer: units[layer][:share] for layer, share in counts.items()}


def merge(scores: dict[str, dict[str, Values]], name: str, found: Mapping[str, Values]) -> None:
    for space, values in found.items():
        scores.setdefault(name, {}).setdefault(space, {}).update(values)


def best_crops(survey: fv.Survey, units: Mapping[str, list[int]]) -> list[np.ndarray]:
    """The receptive field of each unit in its best photograph of half A."""
    a, _ = halves(survey)
    crops = []
    for layer, chosen in units.items():
        grid, side = survey.grid(layer), survey.receptive_field(layer)
        for unit in chosen:
            best = int(top_photos(survey.maxima(layer, units=unit), a, 1)[0])
            box = box_around(survey.positions(layer, units=unit)[best], grid, side, survey.size)
            left, top, right, bottom = box
            crops.append(survey.photo(best)[top:bottom, left:right])
    return crops


def draw_sheets(
    arms: list[Arm], survey: fv.Survey, units: Mapping[str, list[int]], classes: list[int], name: str, out: Path
) -> None:
    if units:
        names = [(layer, unit) for layer, chosen in units.items() for unit in chosen]
        captions = [f"{layer}:{unit}".removeprefix("inception_") for layer, unit in names]
        rows: dict[str, list[np.ndarray]] = {
            arm.name: [arm.load(out / "units" / arm.name / f"{unit_stem(layer, unit)}.png") for layer, unit in names]
            for arm in arms
        }
        draw_sheet(rows, captions, out / "units.webp")
        draw_sheet({**rows, "best photo": best_crops(survey, units)}, captions, out / "units-photographs.webp")
    if classes:
        rows = {arm: list(found.values()) for arm, found in load_classes(arms, classes, name, out).items()}
        captions = [survey.model.classes[each].partition(",")[0] for each in classes]
        draw_sheet(rows, captions, out / "classes.webp", cell=168)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--network", choices=WEIGHTS, default="googlenet")
    parser.add_argument("--arms", default="default,guided,denoised,maco,lucent@64", help="Separated by commas.")
    parser.add_argument("--prior", type=Path, help="A file of experiments/train_denoiser.py.")
    parser.add_argument("--layers", help="Of the units, separated by commas.")
    parser.add_argument("--units", type=int, default=24, help="Of all layers together.")
    parser.add_argument("--skip", type=int, default=0, help="Leave out the first units that are drawn, of each layer.")
    parser.add_argument("--size", type=int, default=128, help="Of the pictures of units; maco's is 448.")
    parser.add_argument("--classes", type=int, default=24)
    parser.add_argument("--skip-classes", type=int, default=0, help="Leave out the first classes that are drawn.")
    parser.add_argument("--class-size", type=int, default=224)
    parser.add_argument("--sets", default="seeds,diverse,facets", help='Separated by commas; "" for none.')
    parser.add_argument("--set-units", type=int, default=8)
    parser.add_argument("--set-arms", default="default", help="Of which recipes sets are drawn, separated by commas.")
    parser.add_argument("--figures", action="store_true", help="Also the other figures of evidence.")
    parser.add_argument("--peers-python", help="Python of an environment with torch and lucent.")
    parser.add_argument("-o", "--out", type=Path, required=True)
    options = parser.parse_args()
    out: Path = options.out
    out.mkdir(parents=True, exist_ok=True)
    model = load(options.network)
    others = {name: load(name) for name in WEIGHTS if name != options.network}
    layers = (options.layers or LAYERS[options.network]).split(",")
    survey = fv.survey(model, FOLDER / "photos", out=out / "survey", layers=layers)
    units = draw_units(survey, share_units(layers, options.units), skip=options.skip)
    drawn = np.random.default_rng(0).permutation(1000).tolist()
    classes = drawn[options.skip_classes : options.skip_classes + options.classes]
    named = {"size": options.size, "prior": options.prior, "peers": bool(options.peers_python)}
    arms = list(available_arms(options.arms.split(","), **named))
    draw_arms(arms, model, units, classes, options)
    spaces = [Space(f"{name} {SPACES[name]}", Features(other, SPACES[name])) for name, other in others.items()]
    results: dict[str, Any] = {}
    singles: dict[str, dict[str, Values]] = {}
    if units:
        results["singles"] = singles = score_singles(arms, survey, units, spaces, out)
        print_single(singles, {arm.name: read_seconds(out / "units" / arm.name) for arm in arms})
    if units and options.sets:
        set_arms = list(available_arms(options.set_arms.split(","), **named))
        results["sets"] = score_sets(set_arms, survey, units, spaces, options)
        print_sets(results["sets"], singles, SET_SIZES)
    if classes:
        ranks = recognize(load_classes(arms, classes, options.network, out), others)
        print_recognition(ranks, {arm.name: read_seconds(out / "classes" / arm.name) for arm in arms})
        results["ranks"] = {arm: {name: row.tolist() for name, row in of.items()} for arm, of in ranks.items()}
    if units and options.figures:
        results["figures"] = measure_figures(arms, survey, units, spaces[-1], out)
        print_figures(results["figures"], spaces[-1].name)
    (out / "results.json").write_text(json.dumps(results, indent=1))
    draw_sheets(arms, survey, units, classes, options.network, out)


if __name__ == "__main__":
    main()
