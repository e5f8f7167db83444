"""Less work for as good a picture: other steps, rates, sizes on the way and dtypes than the default's, by E1 and score.

    python benchmarks/less_work.py units FOLDER      # which units, by a survey of the photographs: units.json
    python benchmarks/less_work.py draw FOLDER [--arms NAME,NAME] [--count 16] [--after FILE] [--seconds 100]
    python benchmarks/less_work.py paces FOLDER      # processor seconds of a step at the whole and at half the size
    python benchmarks/less_work.py evaluate FOLDER   # E1, scores and costs, in pairs of the same unit

Units of three blocks of GoogLeNet that fire on a tenth of the photographs at least, none of those of `evidence.py`.
`draw` renders every arm, on a CPU or an accelerator, to `ARM.npz`: bytes, scores, seconds. `evaluate` runs on any
machine: clean scores of the bytes, E1 with DeiT-tiny's features, and differences to the default in pairs, with
bootstrapped intervals. Costs are FLOPs, steps times pixels, of the default's; beside them processor seconds by `paces`,
since on a CPU they are not in proportion to pixels.

The arms are the default recipe with another number of steps; a first part of the steps at half the size ("half");
a larger rate of learning that falls as a cosine ("falling"); a start from the default's picture of the unit of the same
layer with the most similar weights ("warm"), whose own cost is not counted; bfloat16; and precise products, where the
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
from featviz.circuits.cosine_neighbors import cosine_neighbors
from featviz.circuits.expanded_weights import expanded_weights
from featviz.circuits.unit_std import unit_std
from featviz.optimizers import Adam, Chain, Cosine, ScaleBySchedule
from featviz.recipes import Stage
from featviz.zoo.architectures.googlenet import BLOCKS

COUNTS = {"inception_3b": 32, "inception_4c": 32, "inception_5a": 32}
SIZE, SKIPPED = 128, 16


@dataclass(frozen=True)
class Arm:
    """How the pictures are drawn; the file is named as the arm."""

    recipe: fv.recipes.Recipe
    dtype: str = "float32"
    precision: str | None = None
    warm: bool = False

    @property
    def cost(self) -> float:
        """Pixels times steps, of the default's."""
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


# In the order in which they are drawn. A half-size step is a quarter of the work.
ARMS = {
    "default-128": steps(128),
    "default-64": steps(64),
    "half-64-64": Arm(coarse(64, 64)),
    "falling-0.1-64": Arm(falling(0.1, 64)),
    "default-32": steps(32),
    "default-96": steps(96),
    "half-84-44": Arm(coarse(84, 44)),
    "half-128-96": Arm(coarse(128, 96)),
    "falling-0.1-96": Arm(falling(0.1, 96)),
    "warm-64": replace(steps(64), warm=True),
    "default-256": steps(256),
    "bfloat16-128": Arm(fv.recipes.default, "bfloat16"),
    "highest-128": Arm(fv.recipes.default, precision="highest"),
}


def draw_layer(arm: Arm, layer: str, units: list[int], size: int) -> tuple[np.ndarray, list[float]]:
    """The pictures of one layer, uint8, and their scores. A network of its own: programs are kept with it."""
    model = fv.load("googlenet", weights=network("googlenet"))
    starts = None
    if arm.warm:
        others, _ = draw_layer(
            replace(arm, recipe=fv.recipes.default, warm=False), layer, nearest(model, layer, units), size
        )
        starts = list(others.astype(np.float32) / 255)
    with nullcontext() if arm.precision is None else jax.default_matmul_precision(arm.precision):
        pictures = fv.render(model, fv.channel(layer, units), recipe=arm.recipe, size=size, dtype=arm.dtype,
                             start=starts, progress=False)  # fmt: skip
    return np.stack([picture.to_uint8() for picture in pictures]), [picture.score for picture in pictures]


def nearest(model: fv.Model, layer: str, units: list[int]) -> list[int]:
    """The unit of the layer whose expanded weights are most similar, for each unit."""
    blocks = list(BLOCKS)
    below = blocks[blocks.index(layer) - 1]
    std = unit_std(model, [below])[below]
    found = cosine_neighbors(expanded_weights(model, below, layer, std), 1)
    return [found.row(unit)[0][0] for unit in units]


def draw(options: argparse.Namespace) -> None:
    units = {layer: each[: options.count] for layer, each in json.loads(options.units.read_text()).items()}
    while options.after and not options.after.exists():
        time.sleep(0.2)
    started = time.perf_counter()
    for name in options.arms.split(",") if options.arms else ARMS:
        if time.perf_counter() - started > options.seconds:
            print(f"{name}: no time", flush=True)
            continue
        begun, processor = time.perf_counter(), time.process_time()
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
                processor_seconds=time.process_time() - processor,
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


def measure_paces(options: argparse.Namespace) -> None:
    """Processor seconds of one step of one picture: layer -> at the whole size and at half of it, in turns."""
    model = fv.load("googlenet", weights=network("googlenet"))
    sizes = (options.size, options.size // 2)
    times: dict[str, list[list[float]]] = {layer: [[] for _ in sizes] for layer in COUNTS}
    for turn in range(4):
        for layer, each in times.items():
            for size, durations in zip(sizes, each, strict=True):
                begun = time.process_time()
                fv.render(model, fv.channel(layer, [0, 1, 2, 3]), steps=16, size=size, progress=False)
                if turn:  # the first one compiles
                    durations.append((time.process_time() - begun) / 64)
    paces = {layer: [float(np.median(durations)) for durations in each] for layer, each in times.items()}
    (options.folder / "paces.json").write_text(json.dumps(paces))
    print(paces)


def evaluate(options: argparse.Namespace) -> None:
    from less_work_e1 import evaluate_units, photo_crops
    from less_work_table import print_table

    from featviz.evaluation.features import Features

    model = fv.load("googlenet", weights=network("googlenet"))
    survey = fv.survey(model, FOLDER / "photos", out=options.folder / "survey", layers=list(COUNTS))
    phi = Features(fv.load("deit_tiny", weights=network("deit_tiny_patch16_224")), "blocks/6")
    units = {layer: each[: options.count] for layer, each in json.loads(options.units.read_text()).items()}
    photos = {layer: photo_crops(survey, layer, each, phi, options.folder / f"photos-{layer}-{len(each)}.npz")
              for layer, each in units.items()}  # fmt: skip
    kept = options.folder / "figures.json"
    rows: dict[str, Any] = json.loads(kept.read_text()) if kept.exists() else {}
    for name in ARMS:
        path = options.folder / f"{name}.npz"
        if name in rows or not path.exists():
            continue
        with np.load(path) as file:
            pixels = {str(label): image for label, image in zip(file["units"], file["pixels"], strict=True)}
            row: dict[str, Any] = {"e1": {}, "score": {}, "seconds": float(file["seconds"])}
        for layer, chosen in units.items():
            images = {unit: pixels[f"{layer}:{unit}"] for unit in chosen if f"{layer}:{unit}" in pixels}
            if images:
                e1, scores = evaluate_units(model, survey, layer, images, photos[layer], phi)
                row["e1"] |= e1
                row["score"] |= scores
        rows[name] = row
        kept.write_text(json.dumps(rows, indent=1))
        print(f"{name}: E1 {np.nanmean(list(row['e1'].values())):.3f}", file=sys.stderr, flush=True)
    file = options.folder / "paces.json"
    full, half = np.mean(list(json.loads(file.read_text()).values()), 0) if file.exists() else (np.nan, np.nan)
    seconds = {name: arm.steps_at(1.0) * full + (arm.steps_at(0.5) and arm.steps_at(0.5) * half)
               for name, arm in ARMS.items()}  # fmt: skip
    print_table({name: rows[name] for name in ARMS if name in rows},
                {name: arm.cost for name, arm in ARMS.items()}, seconds)  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", choices=["units", "draw", "paces", "evaluate"])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--units", type=Path, help="Default: units.json of the folder.")
    parser.add_argument("--arms", help="Only these, separated by commas.")
    parser.add_argument("--count", type=int, default=16, help="Of each layer.")
    parser.add_argument("--size", type=int, default=SIZE)
    parser.add_argument("--threads", type=int, default=3, help="Layers at a time.")
    parser.add_argument("--seconds", type=float, default=float("inf"), help="No arm begins later than that.")
    parser.add_argument("--after", type=Path, help="Wait for this file first.")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    options.units = options.units or options.folder / "units.json"
    commands = {"units": find_units, "draw": draw, "paces": measure_paces, "evaluate": evaluate}
    commands[options.command](options)


if __name__ == "__main__":
    main()
