"""Seconds from the start of a process to its first picture, with an empty and a filled cache of compiled programs.

    python benchmarks/first_picture.py [patterns resnet50 mobilenetv2_100 vit_tiny_patch16_224 vit_base_patch16_224]
        [--rounds 3] [--steps 16] [--size 64]

Each run is a whole process: imports, the network with random weights, `fv.from_torch`, one picture. `patterns` is the
built-in network. The others come through PyTorch's door, from timm; without timm, `resnet50` is that of the tests.
Transformers are drawn at 224 px, the others at `--size`. Prints medians over the rounds, the part of each stage,
"end" from the picture to the end of the process, the processor time of all threads, and the size of the cache.
Hardware: two CPU cores. Expected: docs/speed.md.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from datetime import date
from itertools import pairwise
from pathlib import Path
from statistics import median

NETWORKS = ("patterns", "resnet50", "mobilenetv2_100", "vit_tiny_patch16_224", "vit_base_patch16_224")
LAYERS = {"patterns": "conv2", "resnet50": "layer3", "mobilenetv2_100": "blocks.5"}
STAGES = ("import torch", "import", "network", "model", "picture")


def draw(name: str, size: int, steps: int) -> None:
    """One picture; prints the seconds of each stage as JSON."""
    marks = [time.perf_counter()]

    def mark() -> None:
        marks.append(time.perf_counter())

    if name != "patterns":
        import torch
    mark()
    import jax  # noqa: F401

    import featviz as fv

    mark()
    if name == "patterns":
        mark()
        model = fv.load(name)
    else:
        torch.manual_seed(0)
        network = torch_network(name)
        mark()
        model = fv.from_torch(network, input=fv.InputSpec(size=(224, 224), channels_first=True))
    mark()
    layer = [each.name for each in model.layers if each.name.startswith(LAYERS.get(name, "blocks.8"))][-1]
    size = 224 if name.startswith("vit") else size
    fv.render(model, fv.channel(layer, 3), size=size, steps=steps, progress=False)
    mark()
    print(json.dumps(dict(zip(STAGES, (b - a for a, b in pairwise(marks)), strict=True))))


def torch_network(name: str):
    try:
        import timm
    except ImportError:
        if name != "resnet50":
            raise SystemExit(f"`{name}` needs timm") from None
        sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
        from support.torch_zoo.resnet import ResNet

        return ResNet((3, 4, 6, 3), bottleneck=True).eval()
    return timm.create_model(name).eval()


def run(options: argparse.Namespace, name: str, cache: Path) -> Mapping[str, float]:
    """The seconds of a whole process and of its stages."""
    arguments = [sys.executable, __file__, name, "--one", "--size", str(options.size), "--steps", str(options.steps)]
    started, before = time.perf_counter(), os.times()
    result = subprocess.run(arguments, env=environment_of(cache), stdout=subprocess.PIPE, text=True, check=True)
    ended, after = time.perf_counter(), os.times()
    processor = after.children_user + after.children_system - before.children_user - before.children_system
    stages = json.loads(result.stdout)
    # What is left is the start of Python, a few hundredths, and its end.
    end = ended - started - sum(stages.values())
    return {"whole process": ended - started, **stages, "end": end, "processor": processor}


def environment_of(cache: Path) -> dict[str, str]:
    """The environment of a process with a cache of its own; featviz's bytecode is kept, as where it is installed."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return kept | {"FEATVIZ_CACHE": str(cache), "FEATVIZ_KEEP_PROGRAMS": "1"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("networks", nargs="*", default=NETWORKS, metavar="NETWORK")
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--steps", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        draw(options.networks[0], options.size, options.steps)
        return
    columns = ("whole process", *STAGES, "end", "processor")
    print(f"{date.today()}, {platform.machine()}, {os.cpu_count()} cores, {options.steps} steps, medians in seconds\n")
    print(f"| network | cache | {' | '.join(columns)} | MB in the cache |")
    print(f"|---|---|{'---|' * (len(columns) + 1)}")
    for name in options.networks:
        rows: dict[str, list[Mapping[str, float]]] = {"empty": [], "filled": []}
        size = 0
        for _ in range(options.rounds):
            with tempfile.TemporaryDirectory() as folder:
                for measured in rows.values():
                    measured.append(run(options, name, Path(folder)))
                size = sum(path.stat().st_size for path in Path(folder).rglob("*") if path.is_file())
        for cache, measured in rows.items():
            values = " | ".join(f"{median(row[column] for row in measured):.1f}" for column in columns)
            print(f"| {name} | {cache} | {values} | {size / 1e6:.1f} |", flush=True)


if __name__ == "__main__":
    main()
