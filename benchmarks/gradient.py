"""One gradient step: the gradient for the image of one channel's mean activation, in featviz, plain JAX and PyTorch.

    python benchmarks/gradient.py --peers-python PEERS/bin/python [--layer inception_4a] [--size 224] [--batch 8]

GoogLeNet with the same weights everywhere, no gradient of weights. The systems take turns, one step each, in processes
that stay alive and of which one computes at a time; medians are compared. PEERS is the environment of `peers.py`;
without `--peers-python` only JAX is measured. Every way's gradient is first compared with featviz's, in mean size.

- `featviz`: the rules and compiler options of this backend, the network as featviz has it.
- `options only`, `rules only`: one without the other. `without RULE`, with `--each-rule`: the rest without that rule.
- `plain`: JAX by itself, no rules, XLA's default options, the same network, whose local response normalization sums
  by `lax.reduce_window`. `plain, LRN shifted` sums five shifted slices, `plain, LRN banded` multiplies by a band
  matrix: the other ways in which people write it.
- `eager` and `compiled`: PyTorch, see `gradient_torch.py`.
- `product`: a product of two 2048 x 2048 matrices, the machine's own limit: the fastest of JAX's and PyTorch's.

FLOPs are those of convolutions and products, forward and back, by their shapes: the same number for everyone. The last
line says what share of the cores' time featviz's step spends elsewhere, from JAX's profiler.
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
# Processes leave threads that wait for work for a moment, at the next one's expense.
PAUSE = 0.03
PRODUCT = 2 * 2048**3


class Worker:
    """A process that answers a line with a line."""

    def __init__(self, words: list[str]) -> None:
        self.process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(self, line: str) -> Any:
        assert self.process.stdin
        assert self.process.stdout
        print(line, file=self.process.stdin, flush=True)
        answer = self.process.stdout.readline()
        return json.loads(answer) if answer else sys.exit(f"no answer to `{line}`")

    def close(self) -> None:
        assert self.process.stdin
        self.process.stdin.close()
        self.process.wait()


def compare(workers: dict[str, Worker], options: argparse.Namespace) -> tuple[dict[str, float], list[str]]:
    """Median seconds by `worker: way`, and what is to be said about the ways."""
    notes, turns, heads = [], [(name, "product") for name in workers], []
    reference = workers["jax"].ask("value featviz")
    for name, worker in workers.items():
        told = worker.ask("list")
        heads.append(told["versions"])
        for way, norm in told["ways"].items():
            value = worker.ask(f"value {way}")
            if isinstance(value, dict):
                notes.append(f"{way}: does not run here: {value['failed']}")
                continue
            if abs(value / reference - 1) > 1e-3:
                sys.exit(f"{name}, {way}: mean gradient {value}, but featviz's is {reference}")
            notes += [f"{way}: LRN {norm}"] if norm and way.endswith("best") else []
            turns.append((name, way))
    times: dict[str, list[float]] = {f"{name}: {way}": [] for name, way in turns}
    for turn in range(options.repeats + 1):
        for name, way in turns:
            time.sleep(PAUSE)
            workers[name].ask(way) if turn == 0 else times[f"{name}: {way}"].append(workers[name].ask(way))
    print(f"{date.today()}, {platform.processor() or platform.machine()}, {os.cpu_count()} cores, " + ", ".join(heads))
    return {way: median(kept) for way, kept in times.items()}, notes


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peers-python", help="The interpreter of the peers' environment.")
    parser.add_argument("--layer", default="inception_4a")
    parser.add_argument("--unit", type=int, default=3)
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--no-compile", action="store_true", help="Leave torch.compile out, which takes minutes.")
    parser.add_argument("--each-rule", action="store_true", help="featviz without each of its rules, too.")
    options = parser.parse_args()
    words = ["--weights", str(network("googlenet").resolve())]
    for name in ("layer", "unit", "size", "batch"):
        words += [f"--{name}", str(getattr(options, name))]
    each = ["--each-rule"] * options.each_rule
    workers = {"jax": Worker([sys.executable, str(HERE / "gradient_jax.py"), *words, *each])}
    if options.peers_python:
        skipped = ["--no-compile"] * options.no_compile
        workers["torch"] = Worker([options.peers_python, str(HERE / "gradient_torch.py"), *words, *skipped])
    times, notes = compare(workers, options)
    told = workers["jax"].ask("list")
    products = {way: PRODUCT / times.pop(way) for way in list(times) if way.endswith(": product")}
    flops, limit, ours = told["flops"], max(products.values()), times["jax: featviz"]
    print(f"googlenet {options.layer}, {options.size} px, batch {options.batch}: {flops / 1e9:.1f} GFLOP a step\n")
    print(f"{'way':42} {'ms':>8} {'GFLOP/s':>8} {'of product':>10} {'/ featviz':>9}")
    for way, seconds in times.items():
        rate = flops / seconds
        print(f"{way:42} {1e3 * seconds:8.1f} {rate / 1e9:8.0f} {rate / limit:10.0%} {seconds / ours:9.2f}")
    print("\n" + ", ".join(f"{way} {rate / 1e9:.0f} GFLOP/s" for way, rate in products.items()))
    plain = min(seconds for way, seconds in times.items() if way.startswith("jax: plain"))
    print(f"plain JAX / featviz: {times['jax: plain'] / ours:.2f}, its best way {plain / ours:.2f}")
    for mode in ("eager", "compiled"):
        theirs = {way: seconds for way, seconds in times.items() if way.startswith(f"torch: {mode}")}
        if theirs:
            best = min(theirs, key=theirs.__getitem__)
            print(f"PyTorch's best {mode} way / featviz: {theirs[best] / ours:.2f} ({best.removeprefix('torch: ')})")
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
