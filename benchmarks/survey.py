"""Throughput of a survey compared to the forward pass alone, and its memory.

    python benchmarks/survey.py [--few 100] [--repeats 3]

`fv.survey` of all photographs for the nine blocks of GoogLeNet at 224 px, from image files to the finished Zarr store,
without compilation; and the compiled forward pass to the last block on as many images in memory. Each runs in a new
process, in turns. Memory is the maximum resident set of the process, for `--few` photographs and for all. Hardware: two
CPU cores. Time: about 3 minutes. Expected: 82 % of the forward pass's throughput, and about the same memory for 100 and
800 photographs.
"""

import argparse
import json
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "experiments"))

import numpy as np
from data import FOLDER, network

import featviz as fv
from featviz.common.compilation import compiled
from featviz.surveys.reduction import BATCH, maxima_of

LAYERS = tuple(f"inception_{name}" for name in ("3a", "3b", "4a", "4b", "4c", "4d", "4e", "5a", "5b"))


def load() -> fv.Model:
    return fv.load("googlenet", weights=network("googlenet"))


def survey_seconds(photos: Path, out: Path) -> float:
    """Seconds of the survey, without compilation."""
    model = load()
    maxima_of(model, np.zeros((BATCH, 224, 224, 3), np.uint8), LAYERS)
    started = time.perf_counter()
    fv.survey(model, photos, out=out, layers=LAYERS, progress=False)
    return time.perf_counter() - started


def forward_seconds(count: int) -> float:
    """Seconds of the forward pass on `count` images, without compilation."""
    import jax
    import jax.numpy as jnp

    model = load()

    @jax.jit
    def forward(weights: Any, images: Any) -> Any:
        pixels = images.astype(jnp.float32) / jnp.float32(255)
        return model.apply(weights, pixels, layers=[LAYERS[-1]])[LAYERS[-1]]

    images = np.random.default_rng(0).integers(0, 256, (BATCH, 224, 224, 3), dtype=np.uint8)
    program = compiled(forward, model.weights, images)
    program(model.weights, images).block_until_ready()
    started = time.perf_counter()
    for _ in range(-(-count // BATCH)):
        program(model.weights, images).block_until_ready()
    return time.perf_counter() - started


def run_child(arguments: list[str]) -> dict[str, float]:
    done = subprocess.run([sys.executable, __file__, *arguments], capture_output=True, text=True)
    if done.returncode:
        sys.exit(done.stderr[-2000:])
    measured: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return measured


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--few", type=int, default=100)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--child", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    photos = FOLDER / "photos"
    if options.child:
        kind, value = options.child
        with tempfile.TemporaryDirectory() as work:
            seconds = (
                forward_seconds(int(value)) if kind == "forward" else survey_seconds(Path(value), Path(work) / "survey")
            )
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(json.dumps({"seconds": seconds, "mib": peak}))
        return
    names = sorted(photos.glob("*.jpg"))
    with tempfile.TemporaryDirectory() as work:
        few = Path(work) / "few"
        few.mkdir()
        for path in names[: options.few]:
            shutil.copyfile(path, few / path.name)
        small = run_child(["--child", "survey", str(few)])
    pairs = [
        (run_child(["--child", "forward", str(len(names))]), run_child(["--child", "survey", str(photos)]))
        for _ in range(options.repeats)
    ]
    forward, full = (median(pair[index]["seconds"] for pair in pairs) for index in (0, 1))
    print(f"forward pass alone: {len(names) / forward:.1f} images per second ({forward:.1f} s)")
    print(f"survey of {len(names)} photographs: {len(names) / full:.1f} images per second ({full:.1f} s)")
    print(f"survey / forward: {median(a['seconds'] / b['seconds'] for a, b in pairs):.0%}")
    largest = median(pair[1]["mib"] for pair in pairs)
    print(f"memory: {small['mib']:.0f} MiB at {options.few} photographs, {largest:.0f} MiB at {len(names)}")


if __name__ == "__main__":
    main()
