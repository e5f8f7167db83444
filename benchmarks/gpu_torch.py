"""Networks of PyTorch on an accelerator: adaptation, first picture, and pictures per second with featviz's lanes.

    python benchmarks/gpu_torch.py [--steps 128] [--count 256] [--after FILE] [NAME ...]    # timm is needed

ResNet-50 up to `layer3` at 128 px and ViT-B/16 up to `blocks.8` at 224 px, of timm with random weights, through
`fv.from_torch`, in float32 and bfloat16. The networks are adapted first; with `--after` they are
rendered once that file exists. Expected: benchmarks/README.md.
"""

import argparse
import time
import traceback
from pathlib import Path
from typing import Any

import jax
import networks_torch
import numpy as np

import featviz as fv

CASES = {"resnet50": (128, "layer3"), "vit_base_patch16_224": (224, "blocks.8"), "resnet18": (32, "layer3")}


def adapt(name: str) -> tuple[fv.Model, float]:
    """The network, and the seconds from a module in memory to a Model."""
    size, layer = CASES[name]
    images = np.random.default_rng(0).uniform(size=(2, size, size, 3)).astype(np.float32)
    network = networks_torch.create(name, images)
    started = time.perf_counter()
    spec = fv.InputSpec(size=(size, size), channels_first=True)
    model = fv.from_torch(network, input=spec, upto=layer)
    return model, time.perf_counter() - started


def rates(name: str, model: fv.Model, dtype: str, options: argparse.Namespace) -> str:
    """Seconds to the first picture of one unit and of another one, and of many units after one step of as many."""
    size, module = CASES[name]
    layer = [each for each in model.layers if (each.name + ".").startswith(module + ".")][-1]
    chosen: dict[str, Any] = {"size": size, "dtype": dtype, "progress": False}
    units = [unit % layer.units for unit in range(options.count)]
    firsts = []
    for unit in units[:2]:
        started = time.perf_counter()
        fv.render(model, fv.channel(layer.name, unit), steps=options.steps, **chosen)
        firsts.append(time.perf_counter() - started)
    started = time.perf_counter()
    fv.render(model, fv.channel(layer.name, units), steps=1, **chosen)
    compiled = time.perf_counter() - started
    started = time.perf_counter()
    pictures = fv.render(model, fv.channel(layer.name, units), steps=options.steps, **chosen)
    elapsed = time.perf_counter() - started
    stats = jax.devices()[0].memory_stats() or {}
    return (
        f"{name} {layer.name}, {size} px, {dtype}: first picture {firsts[0]:.1f} s, the next {firsts[1]:.2f} s; "
        f"{len(units)} pictures of one step {compiled:.1f} s, of {options.steps} steps {elapsed:.2f} s, "
        f"{len(units) * options.steps / elapsed:.0f} lane-steps/s, {len(units) / elapsed:.1f} pictures/s, "
        f"{pictures[0].provenance['lanes']} lanes, peak so far {stats.get('peak_bytes_in_use', 0) / 1e9:.2f} GB"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", default=["resnet50", "vit_base_patch16_224"])
    parser.add_argument("--steps", type=int, default=128)
    parser.add_argument("--count", type=int, default=256)
    parser.add_argument("--after", type=Path, help="Wait for this file before anything is rendered.")
    options = parser.parse_args()
    models = {}
    for name in options.names:
        try:
            models[name], seconds = adapt(name)
            print(f"{name}: adapted in {seconds:.1f} s", flush=True)
        except Exception:
            traceback.print_exc()
    while options.after and not options.after.exists():
        time.sleep(0.2)
    for dtype in ("float32", "bfloat16"):
        for name, model in models.items():
            try:
                print(rates(name, model, dtype, options), flush=True)
            except Exception:
                traceback.print_exc()


if __name__ == "__main__":
    main()
