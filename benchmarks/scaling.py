"""Do time and memory grow in proportion to the work: lanes, size, depth, and number of units?

    python benchmarks/scaling.py [--only lanes,size,depth,units] [--repeats 5] [--steps 32]

The compiled step of the ascent, GoogLeNet with the default recipe: by the number of lanes at 128 px, by the size with
two lanes, and by the layer with two lanes. Prints seconds per unit of work, where the work is lanes, pixels, or FLOPs
of products and convolutions. All programs of a series take turns in one process. If time is proportional to the work,
the column `of median` is 100 % everywhere; `bends` marks deviations of more than 10 % from the median of the series.
Memory is what XLA reserves for the program's results and intermediate values, without its arguments.

`units` is `fv.render` of 2 to 100 units, `--steps` steps each, after a first call that compiles everything. No later
call may trace or compile the step again: only the checks of a call trace the network, as often for 100 units as for 2.
100 units may cost at most 1.1 times what they would at the best number of lanes. Hardware: two CPU cores. Expected:
benchmarks/README.md.
"""

import argparse
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from statistics import median
from typing import Any

import jax
import jax.numpy as jnp
from ascent import load
from timing import gradient_flops, in_turns

import featviz as fv
from featviz import ascent, recipes
from featviz.ascent import batching
from featviz.ascent.lane_keys import lane_key
from featviz.objectives import stack

LANES = (2, 4, 8, 16, 32)
SIZES = (64, 128, 192, 256)
LAYERS = ("conv2/3x3", "inception_3b", "inception_4a", "inception_4c", "inception_5b")
UNITS = (2, 8, 32, 100)
SIZE, LAYER, MIN_LANES = 128, "inception_4c", 2
MAX_DEVIATION, MAX_RATIO = 0.1, 1.1


def chunk_of_steps(model: fv.Model, layer: str, size: int, lanes: int) -> tuple[Callable[[], Any], float]:
    """A call that runs one compiled chunk of steps, and the MiB of its results and intermediate values."""
    recipe, mesh = recipes.default, batching.device_mesh()
    routine = ascent.Routine(
        apply=model.apply,
        parameterization=recipe.parameterization,
        optimizer=recipe.optimizer,
        transforms=recipe.transforms,
        shape=(1, size, size, model.input.channels),
        chunk=batching.default_chunk(),
    )
    objectives = fv.channel(layer, [unit % model.layer(layer).units for unit in range(lanes)])
    program = batching.step_program(routine, model.weights, objectives[0], None, lanes, mesh=mesh)
    plan = ascent.plan_step(routine, model.weights, objectives[0], None)
    weights = ascent.PreparedWeights(model.weights, ascent.prepare(model.weights, plan=plan))
    arguments = (weights, stack(objectives), None, jnp.int32(1_000_000))
    state = ascent.start(jnp.stack([lane_key(0, objective) for objective in objectives]), None, routine=routine)
    *arguments, state = jax.device_put((*arguments, state), program.input_shardings[0])

    def run() -> Any:
        nonlocal state
        state, scores = program(*arguments, state)
        return scores

    analysis = program.memory_analysis()
    return run, (analysis.temp_size_in_bytes + analysis.output_size_in_bytes) / 2**20


def series(title: str, unit: str, work: dict[str, float], calls: list[Any], options: argparse.Namespace) -> list[float]:
    """Prints one series: seconds per step and per unit of work, and deviations; returns the seconds of each step."""
    chunk = batching.default_chunk()
    times = [
        seconds / chunk for seconds in in_turns([run for run, _ in calls], repeats=options.repeats, min_seconds=0.2)
    ]
    rates = [seconds / amount for seconds, amount in zip(times, work.values(), strict=True)]
    center = median(rates)
    print(f"\n{title:14} {'ms a step':>10} {'us a ' + unit:>14} {'of median':>10} {'MiB':>8} {'KiB a ' + unit:>14}")
    for (name, amount), seconds, rate, (_, memory) in zip(work.items(), times, rates, calls, strict=True):
        bend = "  bends" if abs(rate / center - 1) > MAX_DEVIATION else ""
        print(f"{name:14} {1e3 * seconds:10.1f} {1e6 * rate:14.4g} {rate / center:10.0%} {memory:8.0f} "
              f"{1024 * memory / amount:14.4g}{bend}", flush=True)  # fmt: skip
    return times


def units_series(model: fv.Model, best: float, options: argparse.Namespace) -> None:
    """Times `fv.render`; `best` is the seconds of a lane-step at the best number of lanes."""
    traces, compiles = [0], [0]

    def apply(*args: Any, **layers: Any) -> dict[str, jax.Array]:
        traces[0] += 1
        return model.apply(*args, **layers)

    def listen(event: str, seconds: float, **_: Any) -> None:
        compiles[0] += event == "/jax/core/compile/backend_compile_duration"

    jax.monitoring.register_event_duration_secs_listener(listen)
    counted = replace(model, apply=apply)
    print(f"\n{'units':14} {'s':>10} {'ms a unit-step':>14} {'/ best lanes':>12} {'traces':>8} {'compiled':>8}")
    rows: list[tuple[int, int, float]] = []
    # First, more units than a CPU has lanes, so that the refilling of lanes is compiled too.
    for count in (2 * MIN_LANES, *UNITS):
        before, first = (traces[0], compiles[0]), not rows
        objectives = fv.channel(LAYER, list(range(count)))
        started = time.perf_counter()
        fv.render(counted, objectives, size=SIZE, steps=options.steps, progress=False)
        elapsed = time.perf_counter() - started
        ratio = elapsed / (count * options.steps * best)
        rows.append((traces[0] - before[0], compiles[0] - before[1], ratio))
        name, pace = f"{count}, first" if first else str(count), 1e3 * elapsed / count / options.steps
        print(f"{name:14} {elapsed:10.1f} {pace:14.1f} "
              f"{ratio:12.2f} {rows[-1][0]:8d} {rows[-1][1]:8d}", flush=True)  # fmt: skip
    again = {(traced, built) for traced, built, _ in rows[1:]}
    print("a second trace or compilation: " + ("none" if len(again) == 1 and again.pop()[1] == 0 else "YES"))
    ratio = rows[-1][2]
    print(f"{UNITS[-1]} units / best lanes: {ratio:.2f}, at most {MAX_RATIO}: {'yes' if ratio <= MAX_RATIO else 'NO'}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="lanes,size,depth,units")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--steps", type=int, default=128, help="Steps of each unit.")
    options = parser.parse_args()
    wanted = options.only.split(",")
    model = load("googlenet")
    device = jax.devices()[0]
    print(f"{date.today()}, {device.platform} {device.device_kind}, jax {jax.__version__}; {LAYER} at {SIZE} px")
    if "lanes" in wanted or "units" in wanted:
        calls = [chunk_of_steps(model, LAYER, SIZE, lanes) for lanes in LANES]
        times = series("lanes", "lane", {str(lanes): lanes for lanes in LANES}, calls, options)
        best = min(seconds / lanes for seconds, lanes in zip(times, LANES, strict=True))
    if "size" in wanted:
        calls = [chunk_of_steps(model, LAYER, size, MIN_LANES) for size in SIZES]
        series("size", "pixel", {str(size): MIN_LANES * size**2 for size in SIZES}, calls, options)
    if "depth" in wanted:
        calls = [chunk_of_steps(model, layer, SIZE, MIN_LANES) for layer in LAYERS]
        work = {layer: gradient_flops(model, layer, (MIN_LANES, SIZE, SIZE, 3)) / 1e9 for layer in LAYERS}
        series("layer", "GFLOP", work, calls, options)
    if "units" in wanted:
        units_series(model, best, options)


if __name__ == "__main__":
    main()
