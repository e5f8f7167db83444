"""Are the pictures of latents cleaner than those of neurons? An atlas of both, sheets side by side, and E1 of both.

    python benchmarks/latent_pictures.py googlenet|deit --dictionary SAE -o FOLDER [--latents 256] [--neurons 48]
        [--compared 24] [--size 128] [--render-steps 128] [--survey FOLDER] [--no-site]

FEATVIZ_TEST_DATA has `networks/` and `photos/`. Latents and neurons are drawn at random of those that fire on at least
sixteen photographs of each half of the survey: neither dead ones nor chosen ones. Their pictures are an atlas; the
first `--compared` of each are on two sheets and one that has both, and are evaluated by `fv.evidence` with the features
of the other network. Printed are the means of E1, of E1 on hard negatives and of E0 with their 95 % intervals, beside
those of the units' own nine strongest photographs, and the differences. FOLDER keeps the survey, the atlas and the
evidence of either kind: a second call continues. The first call draws a picture of GoogLeNet in about three seconds of
a core, and its survey takes five minutes.
"""

import argparse
import hashlib
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
from dictionary_networks import LAYERS, OTHERS, add_options, load, survey_both, with_latents
from PIL import Image

import featviz as fv
from featviz.evaluation.reference_statistics import split_photos
from featviz.evaluation.sample_statistics import bootstrap_interval, finite_mean
from featviz.pictures.sheets import contact_sheet

MIN_PHOTOS = 16
# Pictures that are evaluated at a time: the figure of other units compares with those.
TOGETHER = 8
FIGURES = ("prediction", "prediction_hard", "activation_z", "photo_prediction", "other_units_prediction")


def draw_units(survey: fv.Survey, layer: str, count: int) -> list[int]:
    """Units drawn at random of those that fire on enough photographs of both halves, in the order drawn."""
    fires = survey.maxima(layer) > 0
    enough = np.all([fires[half].sum(axis=0) >= MIN_PHOTOS for half in split_photos(survey)], axis=0)
    return np.random.default_rng(0).permutation(np.flatnonzero(enough))[:count].tolist()


def mean_text(values: np.ndarray) -> str:
    low, high = bootstrap_interval(values)
    return f"{finite_mean(values):.3f} [{low:.3f}, {high:.3f}]"


def difference_text(first: np.ndarray, second: np.ndarray) -> str:
    """The difference of two means of independent samples, with its bootstrap interval."""
    rng = np.random.default_rng(0)
    first, second = first[np.isfinite(first)], second[np.isfinite(second)]
    draws = [each[rng.integers(0, len(each), (2000, len(each)))].mean(1) for each in (first, second)]
    low, high = np.percentile(draws[0] - draws[1], (2.5, 97.5))
    return f"{first.mean() - second.mean():+.3f} [{low:+.3f}, {high:+.3f}]"


def save_sheets(pictures: dict[str, list[fv.Picture]], folder: Path) -> None:
    """A sheet of each kind, and one with latents on the left and neurons on the right."""
    sheets = {name: contact_sheet(each, columns=4) for name, each in pictures.items()}
    for name, sheet in sheets.items():
        sheet.save(folder / f"{name}.png")
    height, gap = max(sheet.height for sheet in sheets.values()), 24
    both = Image.new("RGB", (sum(sheet.width for sheet in sheets.values()) + gap, height), "white")
    left = 0
    for sheet in sheets.values():
        both.paste(sheet, (left, 0))
        left += sheet.width + gap
    both.save(folder / "both.png")


def evidence_of(pictures: list[fv.Picture], survey: fv.Survey, other: fv.Model, kept: Path) -> list[dict[str, Any]]:
    """The evidence of pictures, a row each, evaluated together in eights; what the file keeps is not computed again."""
    known: dict[str, list[dict[str, Any]]] = json.loads(kept.read_text()) if kept.exists() else {}
    rows: list[dict[str, Any]] = []
    for group in (pictures[start : start + TOGETHER] for start in range(0, len(pictures), TOGETHER)):
        key = hashlib.sha256(b"".join(picture.to_uint8().tobytes() for picture in group)).hexdigest()
        if key not in known:
            known[key] = fv.evidence(group, survey, other=other, progress=False).to_json()["units"]
            kept.write_text(json.dumps(known))
            print(f"{kept.stem}: {group[-1].name} at {time.strftime('%T')}", flush=True)
        rows += known[key]
    return rows


def print_evidence(evidence: dict[str, list[dict[str, Any]]]) -> None:
    print("| figure | latents | neurons | difference |")
    print("|---|---|---|---|")
    for figure in FIGURES:
        columns = {name: np.array([float(row[figure]) for row in rows]) for name, rows in evidence.items()}
        latents, neurons = columns["latents"], columns["neurons"]
        print(f"| {figure} | {mean_text(latents)} | {mean_text(neurons)} | {difference_text(latents, neurons)} |")
    for name, rows in evidence.items():
        print(f"{name}: {sum(row['trusted'] is True for row in rows)} of {len(rows)} trusted")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_options(parser)
    parser.add_argument("-o", "--out", type=Path, required=True)
    parser.add_argument("--latents", type=int, default=256)
    parser.add_argument("--neurons", type=int, default=48)
    parser.add_argument("--compared", type=int, default=24)
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--render-steps", type=int, default=128)
    parser.add_argument("--no-site", action="store_true")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    model, layer, other = with_latents(options), LAYERS[options.network], load(OTHERS[options.network])
    layers = {"latents": f"{layer}/latents", "neurons": layer}
    survey = survey_both(model, options, str(options.out))
    counts = {"latents": options.latents, "neurons": options.neurons}
    units = {name: draw_units(survey, layers[name], counts[name]) for name in layers}
    atlas = fv.build_atlas(
        model,
        out=options.out / "atlas",
        layers=list(layers.values()),
        units={layers[name]: sorted(units[name]) for name in layers},
        size=options.size,
        steps=options.render_steps,
        survey=survey,
        site=not options.no_site,
    )
    print("\n".join(atlas.report()), flush=True)
    pictures = {
        name: [atlas.picture(f"{layers[name]}:{unit}") for unit in units[name][: options.compared]] for name in layers
    }
    save_sheets(pictures, options.out)
    print_evidence(
        {
            name: evidence_of(each, survey, other, options.out / f"evidence-{name}.json")
            for name, each in pictures.items()
        }
    )


if __name__ == "__main__":
    main()
