"""A table of networks: one gradient step of featviz and of PyTorch eager, for the same network and weights.

    python benchmarks/networks.py [NAME ...] [--seconds 12] [--compile]    # timm and torchvision are needed

Networks of timm go through `fv.from_torch`; `zoo/NAME` is featviz's own network with the weights of timm's or
torchvision's. The step is the gradient of the mean of a layer's first unit with respect to two images, and ends at the
layer in both systems. Weights are random and take no gradients; batch norms have the statistics of the images.

featviz's step is that of a render: the backend's rules and compiler options, what depends on weights alone computed
before, and two programs of one image that run at a time, as the lanes of a render do on a CPU. PyTorch runs both images
in one batch, with channels first and channels last; the better of the two counts. `--compile` adds `torch.compile`,
which needs a C++ compiler and a minute a network.

Each network has a process of its own. The systems take turns, with a pause of 30 ms before each turn in which
PyTorch's threads fall asleep, for `--seconds`; of each system the turns count that other processes disturbed least, and
their medians are compared. Rows in which even these saw others on the cores are marked `NOT QUIET`.

`adapt` is the time from a module in memory to a Model, `compile` that of tracing, preparing and compiling the step
without a cache, `MB` the memory of the program of one image. The last column has the largest difference of the
gradients from PyTorch's, relative to the largest value, and that between PyTorch's own two layouts. Hardware: two CPU
cores. Expected: docs/speed.md.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from statistics import median
from typing import Any, NamedTuple

import jax
import networks_torch
import numpy as np
import torch
from peers import MAX_BUSY, processor
from peers_launch import machine_seconds
from timing import Call, image_score, seconds, with_prepared_weights

import featviz as fv
from featviz.common.compilation import program_memory
from featviz.gradients.rules import rules_for

# Seconds before each turn, and of a turn: the kernel counts the cores' time in hundredths.
PAUSE, TURN = 0.03, 0.2


class Case(NamedTuple):
    """A network of timm and the module at which the step ends; for featviz's own, also the PyTorch network's name."""

    size: int
    layer: str
    module: str | None = None
    torch: str | None = None


CASES = {
    "resnet50": Case(128, "layer3"),
    "mobilenetv2_100": Case(128, "blocks.5"),
    "efficientnet_b0": Case(128, "blocks.5"),
    "convnext_tiny": Case(128, "stages.2"),
    "vit_tiny_patch16_224": Case(224, "blocks.8"),
    "densenet121": Case(128, "features.denseblock3"),
    "zoo/deit_tiny": Case(224, "blocks/8", "blocks.8", "deit_tiny_patch16_224"),
    "regnety_008": Case(128, "s3"),
    "resnext50_32x4d": Case(128, "layer3"),
    "mobilenetv3_large_100": Case(128, "blocks.5"),
    "swin_tiny_patch4_window7_224": Case(224, "layers.2"),
    "mixer_s16_224": Case(224, "blocks.5"),
    "levit_128": Case(224, "stages.1"),
    "xcit_nano_12_p16_224": Case(224, "blocks.8"),
    "inception_v3": Case(224, "Mixed_6c"),
    "vgg11": Case(128, "features.13"),
    "zoo/resnet50": Case(128, "layer3", "layer3", "torchvision/resnet50"),
    "zoo/mobilenet_v2": Case(128, "features.13", "features.13", "torchvision/mobilenet_v2"),
    "zoo/efficientnet_b0": Case(128, "features.5", "features.5", "torchvision/efficientnet_b0"),
    "zoo/convnext_tiny": Case(128, "features.5", "features.5", "torchvision/convnext_tiny"),
}


def load(name: str, case: Case, network: torch.nn.Module) -> fv.Model:
    """The network as a Model, cut behind the layer where it comes through the door."""
    if case.torch is None:
        spec = fv.InputSpec(size=(case.size, case.size), channels_first=True)
        return fv.from_torch(network, input=spec, upto=case.layer)
    with tempfile.TemporaryDirectory() as folder:
        torch.save(network.state_dict(), f"{folder}/network.pth")
        return fv.load(name.removeprefix("zoo/"), weights=f"{folder}/network.pth")


def measure(name: str, options: argparse.Namespace) -> dict[str, Any]:
    """One row, in this process."""
    case = CASES[name]
    images = np.random.default_rng(0).uniform(size=(2, case.size, case.size, 3)).astype(np.float32)
    torch.set_num_threads(2)
    network = networks_torch.create(case.torch or name, images)
    started = time.perf_counter()
    model = load(name, case, network)
    adapted = time.perf_counter()
    layer = [each for each in model.layers if (each.name + "/").replace(".", "/").startswith(
        case.layer.replace(".", "/") + "/")][-1]  # fmt: skip
    gradient = jax.grad(image_score(model, layer.name, 0, rules=rules_for(jax.default_backend())), argnums=1)
    program, prepared = with_prepared_weights(gradient, model.weights, images[:1])
    built = time.perf_counter()
    pool = ThreadPoolExecutor(len(images))

    def own() -> np.ndarray:
        parts = pool.map(lambda image: program(prepared, image[None]).block_until_ready(), images)
        return np.concatenate(list(parts))

    module, normalized = case.module or case.layer, case.torch is not None
    shape: list[tuple[int, ...]] = []
    hook = network.get_submodule(module).register_forward_hook(lambda _, x, y: shape.append(tuple(y.shape[1:])))
    network(torch.tensor(images).permute(0, 3, 1, 2))
    hook.remove()
    kinds = {
        "channels_first": (torch.contiguous_format, False),
        "channels_last": (torch.channels_last, False),
        "compiled": (torch.contiguous_format, True),
        "compiled_last": (torch.channels_last, True),
    }
    calls = {"featviz": own}
    for kind, (memory_format, compile) in kinds.items():
        if not compile or options.compile:
            # A module has one memory format: each system takes a copy of its own.
            copy = networks_torch.create(case.torch or name, images)
            calls[kind] = networks_torch.step(copy, module, images, memory_format, compile=compile,
                                              units_last=shape[0] == layer.shape, normalized=normalized)  # fmt: skip
    gradients = [np.asarray(call()) for call in calls.values()]
    largest = np.abs(gradients[1]).max()
    quiet = quietest_turns(calls, options)
    return {
        "network": name,
        "layer": layer.name,
        "adapt": adapted - started,
        "compile": built - adapted,
        "memory": program_memory(program) / 1e6,
        "difference": float(np.abs(gradients[0] - gradients[1]).max() / largest) if largest else float("nan"),
        "between_layouts": float(np.abs(gradients[2] - gradients[1]).max() / largest) if largest else float("nan"),
        "others": max(turn.others for each in quiet.values() for turn in each),
        **{kind: 1e3 * median(turn.seconds for turn in each) for kind, each in quiet.items()},
    }


class Turn(NamedTuple):
    """How many cores other processes used meanwhile, and the seconds of one call."""

    others: float
    seconds: float


def quietest_turns(calls: dict[str, Call], options: argparse.Namespace) -> dict[str, list[Turn]]:
    """The calls in turns until the time is up, and of each call the turns that others disturbed least."""
    turns: dict[str, list[Turn]] = {kind: [] for kind in calls}
    counts = {kind: max(1, round(TURN / seconds(call))) for kind, call in calls.items()}
    deadline = time.perf_counter() + options.seconds
    while time.perf_counter() < deadline or len(turns["featviz"]) < options.repeats:
        for kind, call in calls.items():
            time.sleep(PAUSE)
            busy, used, since = machine_seconds(), time.process_time(), time.perf_counter()
            for _ in range(counts[kind]):
                call()
            elapsed = time.perf_counter() - since
            others = (machine_seconds() - busy - (time.process_time() - used)) / elapsed
            turns[kind].append(Turn(others, elapsed / counts[kind]))
    return {kind: sorted(each)[: options.repeats] for kind, each in turns.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help=f"{', '.join(CASES)}; all by default.")
    parser.add_argument("--repeats", type=int, default=7, help="Turns that count.")
    parser.add_argument("--seconds", type=float, default=12.0, help="Of turns for each network.")
    parser.add_argument("--compile", action="store_true", help="Measure torch.compile too.")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        print(json.dumps(measure(options.one, options)))
        return
    unknown = set(options.names) - set(CASES)
    if unknown:
        parser.error(f"no such networks: {', '.join(sorted(unknown))}; expected of {', '.join(CASES)}")
    versions = f"jax {jax.__version__}, torch {torch.__version__}, timm {networks_torch.timm.__version__}"
    print(f"{date.today()}, {processor()}, {versions}\n")
    compiled = ["torch.compile ms", "ratio"] if options.compile else []
    titles = ["network, px, to layer", "PyTorch ms", "featviz ms", "ratio", *compiled]
    titles += ["adapt s", "compile s", "MB", "gradients differ by (PyTorch's own)"]
    print("| " + " | ".join(titles) + " |\n" + "|---" * len(titles) + "|")
    for name in options.names or CASES:
        words = [sys.executable, __file__, "--one", name, "--repeats", str(options.repeats)]
        words += ["--seconds", str(options.seconds)]
        words += ["--compile"] if options.compile else []
        done = subprocess.run(words, capture_output=True, text=True)
        if done.returncode:
            print(f"| {name} failed: {done.stderr.strip().splitlines()[-1][:200]} |", flush=True)
            continue
        row = json.loads(done.stdout.splitlines()[-1])
        print(line(row), flush=True)


def line(row: dict[str, Any]) -> str:
    """A row of the table; all of `measure`'s figures."""
    name = row["network"]
    best = min(row["channels_first"], row["channels_last"])
    cells = [f"{name}, {CASES[name].size}, {CASES[name].layer}", f"{best:.1f}", f"{row['featviz']:.1f}"]
    cells.append(f"{row['featviz'] / best:.2f}")
    if "compiled" in row:
        best = min(row["compiled"], row["compiled_last"])
        cells += [f"{best:.1f}", f"{row['featviz'] / best:.2f}"]
    cells += [f"{row['adapt']:.1f}", f"{row['compile']:.1f}", f"{row['memory']:.0f}"]
    cells.append(f"{row['difference']:.1e} ({row['between_layouts']:.1e})")
    quiet = "" if row["others"] <= MAX_BUSY else f" NOT QUIET: {row['others']:.2f} cores used by others"
    return "| " + " | ".join(cells) + " |" + quiet


if __name__ == "__main__":
    main()
