"""featviz beside lucent with the same PyTorch network: whole processes, eight pictures, and the time of a step.

    python benchmarks/peers_timm.py [--network mobilenetv2_100] [--layer blocks.5] [--size 128] [--rounds 3]
        [--pictures 8] [--tokens]

Needs timm, and lucent 0.1.8 with its dependencies, in this Python environment. Networks of timm with random weights, of
one seed; a unit is a channel. lucent has its defaults, 512 steps, one unit a call, as in its README, with the
normalization of images off on both sides. featviz has its default recipe for as many steps as `--steps` says, with an
empty cache of compiled programs (`cold`) and with that of the process before (`warm`). The rows with `=` make equal
steps. Each system runs in a process of its own, in turns; medians of the rounds. Hardware: two CPU cores.
Expected: docs/speed.md.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from statistics import median
from typing import Any


def network(name: str) -> Any:
    import timm
    import torch

    torch.manual_seed(0)
    return timm.create_model(name, pretrained=False).eval().requires_grad_(False)


def run_featviz(options: argparse.Namespace) -> None:
    import featviz as fv

    spec = fv.InputSpec(size=(options.size, options.size), channels_first=True)
    model = fv.from_torch(network(options.network), input=spec, upto=options.layer)
    pictures = fv.render(
        model,
        fv.channel(options.layer, range(options.pictures)),
        size=options.size,
        steps=options.steps,
        progress=False,
    )
    assert len(pictures) == options.pictures


def run_lucent(options: argparse.Namespace) -> None:
    import torch
    from lucent.optvis import objectives, param, render

    module = network(options.network)
    layer = options.layer.replace(".", "_")

    def objective(unit: int) -> Any:
        if not options.tokens:
            return objectives.channel(layer, unit)

        @objectives.wrap_objective()
        def token_mean() -> Any:
            return lambda activations: -activations(layer)[..., unit].mean()

        return token_mean()

    for unit in range(options.pictures):
        images = render.render_vis(
            module,
            objective(unit),
            lambda: param.image(options.size, batch=1),
            preprocess=False,
            fixed_image_size=options.size,
            thresholds=(options.steps,),
            progress=False,
            show_image=False,
            verbose=False,
        )
        assert len(images) == 1
    assert torch.get_num_threads() > 1


def launch(system: str, options: argparse.Namespace, steps: int, cache: str) -> float:
    """The seconds of one process."""
    command = [sys.executable, __file__, "--system", system, "--steps", str(steps)]
    command += [f"--{name}={getattr(options, name)}" for name in ("network", "layer", "size", "pictures")]
    command += ["--tokens"] if options.tokens else []
    started = time.perf_counter()
    subprocess.run(command, check=True, env={**os.environ, "FEATVIZ_CACHE": cache}, capture_output=True)
    return time.perf_counter() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--network", default="mobilenetv2_100")
    parser.add_argument("--layer", default="blocks.5")
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--steps", type=int, default=128)
    parser.add_argument("--peer-steps", type=int, default=512)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--pictures", type=int, default=8)
    parser.add_argument("--tokens", action="store_true", help="A unit is a column of (n, tokens, units).")
    parser.add_argument("--system", choices=["featviz", "lucent"], help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.system:
        {"featviz": run_featviz, "lucent": run_lucent}[options.system](options)
        return
    times: dict[str, list[float]] = {}
    for _ in range(options.rounds):
        with tempfile.TemporaryDirectory() as cache:
            for name, system, steps in (
                ("featviz, cold", "featviz", options.steps),
                ("featviz, warm", "featviz", options.steps),
                ("lucent", "lucent", options.peer_steps),
                ("= featviz, warm", "featviz", options.peer_steps),
            ):
                seconds = launch(system, options, steps, cache)
                times.setdefault(f"{name}, {steps} steps", []).append(seconds)
                print(json.dumps({"system": name, "steps": steps, "seconds": round(seconds, 1)}), flush=True)
    medians = {name: median(values) for name, values in times.items()}
    peer = medians[f"lucent, {options.peer_steps} steps"]
    print(f"\n{options.network} {options.layer}, {options.size} px, {options.pictures} pictures")
    for name, seconds in medians.items():
        print(f"{name}: {seconds:.1f} s, lucent takes {peer / seconds:.1f} times as long")


if __name__ == "__main__":
    main()
