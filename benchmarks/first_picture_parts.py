"""Where the processor's seconds of a first picture go: one process, its programs compiled one after the other.

    OMP_NUM_THREADS=1 python benchmarks/first_picture_parts.py [resnet50 vit_tiny_patch16_224] [--size 64] [--steps 16]

The process of `first_picture.py`, with an empty and then a filled cache of compiled programs. Prints the processor
seconds of each part; "the rest" of a stage is what no part of it names. Needs timm. One CPU core, two minutes.
Expected: docs/speed.md.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from first_picture import LAYERS, environment_of

PROGRAMS = ("fresh lanes", "the step", "weights that are moved", "other weights", "images and scores")
seconds: dict[str, float] = defaultdict(float)


def timed(name: str, call: Callable[..., Any]) -> Callable[..., Any]:
    """The same function, whose processor seconds are added up under a name."""

    def run(*args: Any, **kwargs: Any) -> Any:
        began = time.process_time()
        try:
            return call(*args, **kwargs)
        finally:
            seconds[name] += time.process_time() - began

    return run


def compile_in_turn(programs: Iterable[Any]) -> None:
    """In place of `compile_together`."""
    trace = timed("picture: tracing and lowering", iter(programs).__next__)
    for name in PROGRAMS:
        timed(f"picture: XLA, {name}", trace().compiled)()


def draw(name: str, size: int, steps: int) -> None:
    """One picture; prints the seconds of each part as JSON."""
    timed("imports: torch", lambda: __import__("torch.export._trace"))()
    timed("imports: timm", lambda: __import__("timm"))()
    timed("imports: jax", lambda: __import__("jax"))()
    import timm
    import torch

    torch.manual_seed(0)
    network = timed("the network", lambda: timm.create_model(name).eval())()
    began = time.process_time()
    import featviz as fv
    from featviz.adapters.torch import exported_network
    from featviz.adapters.torch.from_module import from_torch
    from featviz.ascent import lane_batch
    from featviz.rendering.render import render

    seconds["imports: featviz"] = time.process_time() - began
    torch.export.export = timed("model: torch.export", torch.export.export)
    exported_network.run_once = timed("model: runs of the module", exported_network.run_once)
    exported_network.find_difference = timed(
        "model: whether the export is the module", exported_network.find_difference
    )
    lane_batch.compile_together = compile_in_turn
    lane_batch.LaneBatch.advance = timed("picture: steps", lane_batch.LaneBatch.advance)
    began, before = time.process_time(), sum(seconds.values())
    model = from_torch(network, input=fv.InputSpec(size=(224, 224), channels_first=True))
    layer = [each.name for each in model.layers if each.name.startswith(LAYERS.get(name, "blocks.8"))][-1]
    seconds["model: the rest"] = time.process_time() - began - (sum(seconds.values()) - before)
    began, before = time.process_time(), sum(seconds.values())
    render(model, fv.channel(layer, 3), size=224 if name.startswith("vit") else size, steps=steps, progress=False)
    seconds["picture: the rest"] = time.process_time() - began - (sum(seconds.values()) - before)
    print(json.dumps([seconds, time.process_time()]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("networks", nargs="*", default=["resnet50", "vit_tiny_patch16_224"], metavar="NETWORK")
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--steps", type=int, default=16)
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        draw(options.networks[0], options.size, options.steps)
        return
    columns, rows = [], defaultdict(dict)
    for name in options.networks:
        with tempfile.TemporaryDirectory() as folder:
            for cache in ("empty", "filled"):
                columns.append(f"{name}, {cache}")
                arguments = [name, "--one", "--size", str(options.size), "--steps", str(options.steps)]
                before = os.times()
                result = subprocess.run([sys.executable, __file__, *arguments], env=environment_of(Path(folder)),
                                        stdout=subprocess.PIPE, text=True, check=True)  # fmt: skip
                after = os.times()
                parts, ended = json.loads(result.stdout)
                total = after.children_user + after.children_system - before.children_user - before.children_system
                for part, each in {**parts, "the process ends": total - ended, "all": total}.items():
                    rows[part][columns[-1]] = each
    print(f"| part | {' | '.join(columns)} |\n|---|{'---|' * len(columns)}")
    for part, each in rows.items():
        print(f"| {part} | {' | '.join(f'{each.get(column, 0):.2f}' for column in columns)} |")


if __name__ == "__main__":
    main()
