"""The compiled step of the ascent: steps x lanes per second, compile time, share of the matrix-product rate, memory.

    python benchmarks/ascent.py [--lanes 2,8,32] [--size 128] [--layer inception_4c] [--network googlenet]

For each lane count a new process compiles the program of one step, without a cache, and times runs of 16 steps in turns
with a large matrix product, the limit of the machine. Prints medians. A single unit runs in a program of two lanes, the
smallest there is, so its rate is half of that of `2`.

FLOPs are XLA's count for the compiled step, all lanes together. Peak memory is the maximum resident size of the
process. Hardware: two CPU cores. Expected: benchmarks/README.md.
"""

import argparse
import json
import platform
import resource
import subprocess
import sys
import time
from datetime import date
from pathlib import Path
from statistics import median

import jax
import jax.numpy as jnp
from jax.sharding import NamedSharding, PartitionSpec

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "experiments"))

from data import network

import featviz as fv
from featviz import ascent, recipes
from featviz.ascent.batching import default_chunk, device_mesh
from featviz.ascent.lane_keys import lane_key
from featviz.common.compilation import compiler_options
from featviz.objectives import stack

FILES = {"googlenet": "googlenet", "squeezenet1_1": "squeezenet_v1_1"}
STEPS = 16


def load(name: str) -> fv.Model:
    return fv.load(name, weights=network(FILES[name])) if name in FILES else fv.load(name)


def product_rate(side: int = 2048) -> float:
    """FLOP/s of a square matrix product."""
    a = jnp.ones((side, side), jnp.float32)
    product = jax.jit(jnp.matmul)
    jax.block_until_ready(product(a, a))
    started = time.perf_counter()
    jax.block_until_ready(product(a, a))
    return 2 * side**3 / (time.perf_counter() - started)


def measure(options: argparse.Namespace, lanes: int) -> dict[str, float]:
    """One lane count, in this process."""
    model, recipe = load(options.network), recipes.default
    shape = (1, options.size, options.size, model.input.channels)
    chunk, mesh = default_chunk(), device_mesh()
    routine = ascent.Routine(
        apply=model.apply,
        parameterization=recipe.parameterization,
        optimizer=recipe.optimizer,
        transforms=recipe.transforms,
        shape=shape,
        chunk=chunk,
        dtype=options.dtype,
    )
    lane, replicated = (NamedSharding(mesh, spec) for spec in (PartitionSpec(ascent.LANES), PartitionSpec()))
    objectives = fv.channel(options.layer, [unit % model.layer(options.layer).units for unit in range(lanes)])
    stacked = jax.device_put(stack(objectives), lane)
    weights, limit = jax.device_put((model.weights, jnp.int32(1_000_000)), replicated)
    keys = jnp.stack([lane_key(0, objective) for objective in objectives])
    state = jax.device_put(ascent.start(keys, None, routine=routine), lane)
    started = time.perf_counter()
    plan = ascent.plan_step(routine, weights, objectives[0], None)
    prepared = ascent.PreparedWeights(weights, ascent.prepare(weights, plan=plan))
    arguments = (prepared, stacked, None, limit)
    lowered = ascent.advance.lower(*arguments, state, plan=plan, mesh=mesh)
    traced = time.perf_counter()
    compiled = lowered.compile(compiler_options=compiler_options(jax.default_backend()))
    built = time.perf_counter()
    cost = compiled.cost_analysis()["flops"]
    rates, products = [], []
    for _ in range(options.repeats + 1):
        run_started = time.perf_counter()
        for _ in range(STEPS // chunk):
            state, _ = compiled(*arguments, state)
        jax.block_until_ready(state.step)
        rates.append(STEPS * lanes / (time.perf_counter() - run_started))
        products.append(product_rate())
    rate, product = median(rates[1:]), median(products[1:])
    return {
        "lanes": lanes,
        "rate": rate,
        "trace": traced - started,
        "compile": built - traced,
        "flops": cost / lanes,
        "product": product,
        "share": rate * cost / lanes / product,
        "memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--network", default="googlenet", choices=[*FILES, "patterns"])
    parser.add_argument("--layer", default="inception_4c")
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--lanes", default="2,8,32")
    parser.add_argument("--dtype", default="float32", choices=["float32", "bfloat16"])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--one", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        print(json.dumps(measure(options, options.one)))
        return
    device = jax.devices()[0]
    print(f"{date.today()}, {platform.processor() or platform.machine()}, {device.device_kind}, jax {jax.__version__}")
    print(f"{options.network} {options.layer}, {options.size} px, default recipe\n")
    print(f"{'lanes':>5} {'steps x lanes /s':>16} {'ms a lane-step':>14} {'trace s':>8} {'compile s':>9} "
          f"{'GFLOP a lane-step':>17} {'share of product':>16} {'peak MiB':>8}")  # fmt: skip
    for lanes in map(int, options.lanes.split(",")):
        words = [
            sys.executable,
            __file__,
            "--one",
            str(lanes),
            "--network",
            options.network,
            "--layer",
            options.layer,
        ]
        words += ["--size", str(options.size), "--repeats", str(options.repeats), "--dtype", options.dtype]
        row = json.loads(subprocess.run(words, check=True, capture_output=True, text=True).stdout.splitlines()[-1])
        print(f"{lanes:5d} {row['rate']:16.1f} {1e3 / row['rate']:14.1f} {row['trace']:8.1f} {row['compile']:9.1f} "
              f"{row['flops'] / 1e9:17.2f} {row['share']:16.0%} {row['memory']:8.0f}")  # fmt: skip
    print(f"\nmatrix product: {row['product'] / 1e9:.0f} GFLOP/s")


if __name__ == "__main__":
    main()
