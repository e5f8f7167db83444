"""Less work for as good a picture: other steps, rates, sizes on the way and dtypes than the default's, by E1 and score.

    python benchmarks/less_work.py units FOLDER      # which units, by a survey of the photographs: units.json
    python benchmarks/less_work.py draw FOLDER [--arms NAME,NAME] [--count 32] [--after FILE] [--seconds 100]
    python benchmarks/less_work.py evaluate FOLDER   # E1, scores and costs, in pairs of the same unit

32 units of each of three blocks of GoogLeNet that fire on a tenth of the photographs at least, none of those of
`evidence.py`. `draw` renders every arm, on a CPU or an accelerator, to `ARM.npz`: bytes, scores, seconds. `evaluate`
runs on any machine: clean scores of the bytes, E1 with DeiT-tiny's features, and differences to the default in pairs,
with bootstrapped intervals. Costs are FLOPs: steps times pixels, of the default's; `--paces` measures seconds of steps
at half the size and at the whole, which on a CPU are not in proportion to pixels.

The arms are the default recipe with another number of steps; a first part of the steps at half the size ("half");
a larger rate of learning that falls as a cosine ("falling"); bfloat16; and precise products, where the
accelerator's default is fewer bits. Expected: benchmarks/README.md.
"""

import argparse
import json
import sys
import time
import traceback
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "experiments"))

import jax
import numpy as np
from data import FOLDER, network

import featviz as fv
from featviz.optimizers import Adam, Chain, Cosine, ScaleBySchedule
from featviz.recipes import Stage

COUNTS = {"inception_3b": 32, "inception_4c": 32, "inception_5a": 32}
SIZE, SKIPPED = 128, 16


@dataclass(frozen=True)
class Arm:
    """How the pictures are drawn. `stages` are shares of the steps at a scale; the file is named as the arm."""

    recipe: fv.recipes.Recipe
    dtype: str = "float32"
    precision: str | None = None

    @property
    def cost(self) -> float:
        """Pixels times steps, of the default's; `full` and `half` steps have their own paces on a CPU."""
        return (self.steps_at(1.0) + self.steps_at(0.5) / 4) / fv.recipes.default.steps

    def steps_at(self, scale: float) -> int:
        stages = self.recipe.stages or (Stage(1.0, self.recipe.steps),)
        return sum(stage.steps for stage in stages if stage.scale == scale)


def coarse(first: int, last: int) -> fv.recipes.Recipe:
    """`first` steps at half the size, under transforms that do not fade yet, then `last` at the whole size."""
    base = fv.recipes.default
    (affine,) = base.transforms
    begun = replace(affine, translation=affine.translation / 2, end_strength=0.5)
    ended = replace(affine, scales=(0.95, 1.05), degrees=(-5.0, 5.0))
    stages = (Stage(0.5, first, transforms=(begun,)), Stage(1.0, last, transforms=(ended,)))
    return replace(base, steps=first + last, stages=stages)


def falling(rate: float, steps: int) -> fv.recipes.Recipe:
    """A larger rate that falls to a tenth."""
    optimizer = Chain((Adam(rate, b1=0.5), ScaleBySchedule(Cosine(1.0, 0.1))))
    return replace(fv.recipes.default, steps=steps, optimizer=optimizer)


def steps(count: int) -> Arm:
    return Arm(replace(fv.recipes.default, steps=count))


# In the order in which they are drawn. A half-size step is a quarter of the work: the costs of a block are alike.
ARMS = {
    "default-128": steps(128),
    "bfloat16-128": Arm(fv.recipes.default, "bfloat16"),
    "highest-128": Arm(fv.recipes.default, precision="highest"),
    "default-64": steps(64),
    "half-128-32": Arm(coarse(128, 32)),
    "falling-0.1-64": Arm(falling(0.1, 64)),
    "default-32": steps(32),
    "half-64-16": Arm(coarse(64, 16)),
    "falling-0.1-32": Arm(falling(0.1, 32)),
    "half-128-96": Arm(coarse(128, 96)),
    "falling-0.1-128": Arm(falling(0.1, 128)),
    "half-32-24": Arm(coarse(32, 24)),
    "default-256": steps(256),
    "half-64-48": Arm(coarse(64, 48)),
    "falling-0.2-32": Arm(falling(0.2, 32)),
}


def draw_layer(arm: Arm, layer: str, units: list[int], size: int) -> tuple[np.ndarray, list[float]]:
    """The pictures of one layer, uint8, and their scores. A network of its own: programs are kept with it."""
    model = fv.load("googlenet", weights=network("googlenet"))
    with nullcontext() if arm.precision is None else jax.default_matmul_precision(arm.precision):
        pictures = fv.render(
            model, fv.channel(layer, units), recipe=arm.recipe, size=size, dtype=arm.dtype, progress=False
        )
    return np.stack([picture.to_uint8() for picture in pictures]), [picture.score for picture in pictures]


def draw(options: argparse.Namespace) -> None:
    units = {layer: each[: options.count] for layer, each in json.loads(options.units.read_text()).items()}
    while options.after and not options.after.exists():
        time.sleep(0.2)
    started = time.perf_counter()
    for name in options.arms.split(",") if options.arms else ARMS:
        if time.perf_counter() - started > options.seconds:
            print(f"{name}: no time", flush=True)
            continue
        begun = time.perf_counter()
        try:
            # Programs of the layers are compiled at the same time.
            with ThreadPoolExecutor(options.threads) as pool:
                jobs = [pool.submit(draw_layer, ARMS[name], layer, each, options.size) for layer, each in units.items()]
                done = [job.result() for job in jobs]
            seconds = time.perf_counter() - begun
            np.savez_compressed(
                options.folder / f"{name}.npz",
                pixels=np.concatenate([pixels for pixels, _ in done]),
                scores=np.concatenate([scores for _, scores in done]),
                units=np.array([f"{layer}:{unit}" for layer, each in units.items() for unit in each]),
                seconds=seconds,
            )
            medians = ", ".join(f"{np.median(scores):.4g}" for _, scores in done)
            print(f"{name}: {seconds:.1f} s, compilation included; median scores {medians}", flush=True)
        except Exception:
            traceback.print_exc()


def find_units(options: argparse.Namespace) -> None:
    from evidence import draw_units

    model = fv.load("googlenet", weights=network("googlenet"))
    survey = fv.survey(model, FOLDER / "photos", out=options.folder / "survey", layers=list(COUNTS))
    options.units.write_text(json.dumps(draw_units(survey, COUNTS, skip=SKIPPED), indent=1))


def evaluate(options: argparse.Namespace) -> None:
    from evidence import column
    from less_work_table import print_table

    from featviz.evaluation.evaluate import evaluate_pictures
    from featviz.evaluation.features import Features
    from featviz.evaluation.reference_statistics import features_of_photos, reference_statistics

    model = fv.load("googlenet", weights=network("googlenet"))
    survey = fv.survey(model, FOLDER / "photos", out=options.folder / "survey", layers=list(COUNTS))
    other = fv.load("deit_tiny", weights=network("deit_tiny_patch16_224"))
    phi = Features(other, "blocks/6")
    photo_features = features_of_photos(survey, phi)
    kept = options.folder / "figures.json"
    rows: dict[str, Any] = json.loads(kept.read_text()) if kept.exists() else {}
    files = {name: np.load(options.folder / f"{name}.npz") for name in ARMS
             if (options.folder / f"{name}.npz").exists() and name not in rows}  # fmt: skip
    layers: dict[str, list[int]] = {}
    for label in next(iter(files.values()))["units"] if files else ():
        layer, _, unit = str(label).rpartition(":")
        layers.setdefault(layer, []).append(int(unit))
    for layer, units in layers.items():
        reference = reference_statistics(survey, layer, units, phi, photo_features)
        for name, file in files.items():
            pixels = {str(label): image for label, image in zip(file["units"], file["pixels"], strict=True)}
            images = {unit: [pixels[f"{layer}:{unit}"]] for unit in units}
            found = evaluate_pictures(model, reference, images, phi)
            mine = rows.setdefault(name, {"e1": {}, "score": {}, "seconds": float(file["seconds"])})
            values = column({row.name: row for row in found.values()}, "prediction")
            mine["e1"] |= {row.name: float(value) for row, value in zip(found.values(), values, strict=True)}
            activations = np.asarray(clean_scores(model, layer, units, [pixels[f"{layer}:{unit}"] for unit in units]))
            mine["score"] |= {f"{layer}:{unit}": float(v) for unit, v in zip(units, activations, strict=True)}
            print(f"{layer} {name}: E1 {np.nanmean(values):.3f}", file=sys.stderr, flush=True)
    kept.write_text(json.dumps(rows, indent=1))
    print_table({name: rows[name] for name in ARMS if name in rows}, {name: ARMS[name].cost for name in ARMS})


def clean_scores(model: fv.Model, layer: str, units: list[int], pictures: list[np.ndarray]) -> list[float]:
    """The mean activation of each picture's own unit, of its bytes."""
    images = np.stack(pictures).astype(np.float32) / 255
    run = jax.jit(lambda weights, images: model.apply(weights, images, layers=(layer,))[layer].mean((1, 2)))
    return [float(row[unit]) for row, unit in zip(run(model.weights, images), units, strict=True)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", choices=["units", "draw", "evaluate"])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--units", type=Path, help="Default: units.json of the folder.")
    parser.add_argument("--arms", help="Only these, separated by commas.")
    parser.add_argument("--count", type=int, default=32, help="Of each layer.")
    parser.add_argument("--size", type=int, default=SIZE)
    parser.add_argument("--threads", type=int, default=3, help="Layers at a time.")
    parser.add_argument("--seconds", type=float, default=float("inf"), help="No arm begins later than that.")
    parser.add_argument("--after", type=Path, help="Wait for this file first.")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    options.units = options.units or options.folder / "units.json"
    {"units": find_units, "draw": draw, "evaluate": evaluate}[options.command](options)


if __name__ == "__main__":
    main()
