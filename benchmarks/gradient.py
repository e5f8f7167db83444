"""One gradient step: the image's gradient of one channel's mean activation, in featviz, plain JAX and PyTorch.

    python benchmarks/gradient.py --peers-python PEERS/bin/python [--layer inception_4a] [--size 224] [--batch 8]

GoogLeNet with the same weights everywhere, no gradient of the weights. The systems take turns, one step each, in
processes that stay alive, one computing at a time; medians are compared. PEERS is the environment of `peers.py`;
without `--peers-python` only JAX is measured. The gradient of every variant is first compared with featviz's by its
mean size.

- `featviz`: with the rules and compiler options of this backend.
- `options only`, `rules only`: one without the other. `without RULE`, with `--each-rule`: all rules but this one.
- `plain`: JAX without rules, with XLA's default options; the same network, whose local response normalization sums with
  `lax.reduce_window`. `plain, LRN shifted` sums five shifted slices, `plain, LRN banded` multiplies by a band matrix:
  other common implementations.
- `eager` and `compiled`: PyTorch, see `gradient_torch.py`.
- `product`: a product of two 2048 x 2048 matrices, the limit of the machine: the fastest of JAX's and PyTorch's.

FLOPs are those of convolutions and products, forward and backward, by their shapes: the same for all systems. The last
line is the share of the cores' time that featviz's step spends elsewhere, from JAX's profiler. Hardware: two CPU cores.
Expected: benchmarks/README.md.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from datetime import date
from pathlib import Path
from statistics import median
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "experiments"))

from data import network

HERE = Path(__file__).resolve().parent
# Threads of a process spin for a moment after its work and slow down the next one.
PAUSE = 0.03
PRODUCT = 2 * 2048**3


class Worker:
    """A process that answers each line with one line of JSON."""

    def __init__(self, command: list[str]) -> None:
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(self, line: str) -> Any:
        assert self.process.stdin
        assert self.process.stdout
        print(line, file=self.process.stdin, flush=True)
        answer = self.process.stdout.readline()
        return json.loads(answer) if answer else sys.exit(f"the process ended at `{line}`")

    def close(self) -> None:
        assert self.process.stdin
        self.process.stdin.close()
        self.process.wait()


def compare(workers: dict[str, Worker], options: argparse.Namespace) -> tuple[dict[str, float], list[str]]:
    """Median seconds by `worker: variant`, and notes about the variants."""
    notes, turns, versions = [], [(name, "product") for name in workers], []
    reference = workers["jax"].ask("value featviz")
    for name, worker in workers.items():
        answer = worker.ask("list")
        versions.append(answer["versions"])
        for variant, norm in answer["variants"].items():
            value = worker.ask(f"value {variant}")
            if isinstance(value, dict):
                notes.append(f"{variant}: does not run here: {value['failed']}")
                continue
            if abs(value / reference - 1) > 1e-3:
                sys.exit(f"{name}, {variant}: mean gradient {value}, but featviz's is {reference}")
            notes += [f"{variant}: LRN {norm}"] if norm and variant.endswith("best") else []
            turns.append((name, variant))
    times: dict[str, list[float]] = {f"{name}: {variant}": [] for name, variant in turns}
    for turn in range(options.repeats + 1):
        for name, variant in turns:
            time.sleep(PAUSE)
            seconds = workers[name].ask(variant)
            if turn > 0:
                times[f"{name}: {variant}"].append(seconds)
    print(
        f"{date.today()}, {platform.processor() or platform.machine()}, {os.cpu_count()} cores, " + ", ".join(versions)
    )
    return {variant: median(seconds) for variant, seconds in times.items()}, notes


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peers-python", help="The interpreter of the peers' environment.")
    parser.add_argument("--layer", default="inception_4a")
    parser.add_argument("--unit", type=int, default=3)
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--no-compile", action="store_true", help="Skip torch.compile, which takes minutes.")
    parser.add_argument("--each-rule", action="store_true", help="Also featviz without each of its rules.")
    options = parser.parse_args()
    arguments = ["--weights", str(network("googlenet").resolve())]
    for name in ("layer", "unit", "size", "batch"):
        arguments += [f"--{name}", str(getattr(options, name))]
    rules = ["--each-rule"] * options.each_rule
    workers = {"jax": Worker([sys.executable, str(HERE / "gradient_jax.py"), *arguments, *rules])}
    if options.peers_python:
        skipped = ["--no-compile"] * options.no_compile
        workers["torch"] = Worker([options.peers_python, str(HERE / "gradient_torch.py"), *arguments, *skipped])
    times, notes = compare(workers, options)
    flops = workers["jax"].ask("list")["flops"]
    products = {name: PRODUCT / times.pop(name) for name in list(times) if name.endswith(": product")}
    limit, featviz = max(products.values()), times["jax: featviz"]
    print(f"googlenet {options.layer}, {options.size} px, batch {options.batch}: {flops / 1e9:.1f} GFLOP a step\n")
    print(f"{'variant':42} {'ms':>8} {'GFLOP/s':>8} {'of product':>10} {'/ featviz':>9}")
    for variant, seconds in times.items():
        rate = flops / seconds
        print(f"{variant:42} {1e3 * seconds:8.1f} {rate / 1e9:8.0f} {rate / limit:10.0%} {seconds / featviz:9.2f}")
    print("\n" + ", ".join(f"{name} {rate / 1e9:.0f} GFLOP/s" for name, rate in products.items()))
    plain = min(seconds for variant, seconds in times.items() if variant.startswith("jax: plain"))
    print(f"plain JAX / featviz: {times['jax: plain'] / featviz:.2f}, its best variant {plain / featviz:.2f}")
    for mode in ("eager", "compiled"):
        torch = {variant: seconds for variant, seconds in times.items() if variant.startswith(f"torch: {mode}")}
        if torch:
            best = min(torch, key=torch.__getitem__)
            print(
                f"PyTorch's best {mode} variant / featviz: {torch[best] / featviz:.2f} ({best.removeprefix('torch: ')})"
            )
    for note in notes:
        print(note)
    shares = workers["jax"].ask("profile")
    if shares:
        parts = ", ".join(f"{kind} {share:.0%}" for kind, share in shares.items())
        print(f"of the cores' time in featviz's step, outside convolutions and products: {parts}")
    for worker in workers.values():
        worker.close()


if __name__ == "__main__":
    main()
