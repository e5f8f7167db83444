"""An accelerator: pictures per second by lanes and dtype, the share of its peak, and all block channels of GoogLeNet.

    python benchmarks/gpu.py [--peak 989e12] [--lanes 32,64,128,256,512] [--steps 512] [--skip-all]

First, renders of two rounds of lanes with `fv.render_each`: `inception_4c` at 128 px, 512 steps, in float32 and
bfloat16. A render of one step compiles the same program before, so compilation is not included. FLOPs are those of
products and convolutions; the peak is the measured rate of a large matrix product in the same dtype, unless `--peak`
gives the manufacturer's.

Then all 5,488 channels of the outputs of the nine inception blocks, with featviz's default number of lanes, compilation
included. Without an accelerator it prints that and ends.
"""

import argparse
import time
from collections.abc import Sequence
from datetime import date
from statistics import median

import jax
import jax.numpy as jnp
from ascent import load
from timing import gradient_flops, seconds

import featviz as fv
from featviz.zoo.architectures.googlenet import BLOCKS

SIZE, LAYER, DTYPES = 128, "inception_4c", ("float32", "bfloat16")
SIDE = 8192


def product_rate(dtype: str) -> float:
    """FLOP/s of a large square matrix product, at the dtype's default precision."""
    a = jnp.ones((SIDE, SIDE), dtype)
    product = jax.jit(jnp.matmul)
    seconds(lambda: product(a, a))
    return 2 * SIDE**3 / median(seconds(lambda: product(a, a)) for _ in range(5))


def render_time(
    model: fv.Model, objectives: Sequence[fv.Objective], steps: int, lanes: int | None, dtype: str
) -> float:
    """Seconds until the last picture is on the host; the pictures are discarded."""
    started = time.perf_counter()
    for _ in fv.render_each(model, objectives, size=SIZE, steps=steps, lanes=lanes, dtype=dtype, progress=False):
        pass
    return time.perf_counter() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peak", type=float, help="FLOP/s of the device by its manufacturer, for every dtype.")
    parser.add_argument("--lanes", default="32,64,128,256,512")
    parser.add_argument("--steps", type=int, default=512)
    parser.add_argument("--skip-all", action="store_true", help="Skip the 5,488 channels.")
    options = parser.parse_args()
    device = jax.devices()[0]
    if device.platform == "cpu":
        print("nothing to measure: jax.devices() are CPUs")
        return
    model, steps = load("googlenet"), options.steps
    step_flops = gradient_flops(model, LAYER, (1, SIZE, SIZE, 3))
    units = model.layer(LAYER).units
    print(f"{date.today()}, {len(jax.local_devices())} x {device.device_kind}, jax {jax.__version__}")
    print(f"googlenet {LAYER}, {SIZE} px, {steps} steps, {step_flops / 1e9:.2f} GFLOP a lane-step\n")
    print(f"{'dtype':9} {'lanes':>5} {'pictures':>8} {'s':>7} {'pictures /s':>11} {'TFLOP/s':>8} {'of peak':>8}")
    for dtype in DTYPES:
        peak = (options.peak or product_rate(dtype)) * len(jax.local_devices())
        for lanes in map(int, options.lanes.split(",")):
            count = 2 * lanes * len(jax.local_devices())
            objectives = fv.channel(LAYER, [unit % units for unit in range(count)])
            try:
                render_time(model, objectives[: count // 2], 1, lanes, dtype)
                elapsed = render_time(model, objectives, steps, lanes, dtype)
            except (fv.FeatvizError, jax.errors.JaxRuntimeError) as error:
                print(f"{dtype:9} {lanes:5d}  {str(error).splitlines()[0][:90]}", flush=True)
                continue
            rate = count * steps * step_flops / elapsed
            print(f"{dtype:9} {lanes:5d} {count:8d} {elapsed:7.1f} {count / elapsed:11.2f} {rate / 1e12:8.2f} "
                  f"{rate / peak:8.1%}", flush=True)  # fmt: skip
        print(f"{dtype:9} peak {peak / 1e12:.0f} TFLOP/s")
    if options.skip_all:
        return
    for dtype in DTYPES:
        total, channels = 0.0, 0
        for block in BLOCKS:
            objectives = fv.channel(block, list(range(model.layer(block).units)))
            elapsed = render_time(model, objectives, steps, None, dtype)
            total, channels = total + elapsed, channels + len(objectives)
            print(f"{dtype:9} {block}: {len(objectives)} in {elapsed:.1f} s", flush=True)
        print(f"{dtype:9} all {channels} block channels: {total:.1f} s, {channels / total:.1f} pictures /s")


if __name__ == "__main__":
    main()
