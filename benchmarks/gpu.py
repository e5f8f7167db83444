"""An accelerator: pictures a second by lanes and dtype, the share of its peak, and all of GoogLeNet's block channels.

    python benchmarks/gpu.py [--peak 989e12] [--lanes 32,64,128,256,512] [--steps 512] [--skip-all]

First, whole `fv.render`s of two rounds of lanes each, `inception_4c` at 128 px, 512 steps, in float32 and bfloat16; a
render of one step before compiles the same program, so that no compilation counts. FLOPs are those of products and
convolutions; the peak is the rate of a large matrix product in the same dtype, measured here, unless `--peak` gives
the maker's.
Then all 5,488 channels of the outputs of the nine inception blocks, with the number of lanes that featviz itself
chooses, compilation included. On a machine without an accelerator this says so and ends.
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
    """Seconds until the last picture is on the host; pictures are dropped as they come."""
    started = time.perf_counter()
    for _ in fv.render_each(model, objectives, size=SIZE, steps=steps, lanes=lanes, dtype=dtype, progress=False):
        pass
    return time.perf_counter() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peak", type=float, help="FLOP/s of the device by its maker, for every dtype.")
    parser.add_argument("--lanes", default="32,64,128,256,512")
    parser.add_argument("--steps", type=int, default=512)
    parser.add_argument("--skip-all", action="store_true", help="Leave the 5,488 channels out.")
    options = parser.parse_args()
    device = jax.devices()[0]
    if device.platform == "cpu":
        print("no accelerator here: jax.devices() are CPUs; nothing to measure")
        return
    model, steps = load("googlenet"), options.steps
    one = gradient_flops(model, LAYER, (1, SIZE, SIZE, 3))
    units = model.layer(LAYER).units
    print(f"{date.today()}, {len(jax.local_devices())} x {device.device_kind}, jax {jax.__version__}")
    print(f"googlenet {LAYER}, {SIZE} px, {steps} steps, {one / 1e9:.2f} GFLOP a lane-step\n")
    print(f"{'dtype':9} {'lanes':>5} {'pictures':>8} {'s':>7} {'pictures /s':>11} {'TFLOP/s':>8} {'of peak':>8}")
    for dtype in DTYPES:
        peak = (options.peak or product_rate(dtype)) * len(jax.local_devices())
        for lanes in map(int, options.lanes.split(",")):
            count = 2 * lanes * len(jax.local_devices())
            objectives = fv.channel(LAYER, [number % units for number in range(count)])
            try:
                render_time(model, objectives[: count // 2], 1, lanes, dtype)
                whole = render_time(model, objectives, steps, lanes, dtype)
            except (fv.FeatvizError, jax.errors.JaxRuntimeError) as error:
                print(f"{dtype:9} {lanes:5d}  {str(error).splitlines()[0][:90]}", flush=True)
                continue
            rate = count * steps * one / whole
            print(f"{dtype:9} {lanes:5d} {count:8d} {whole:7.1f} {count / whole:11.2f} {rate / 1e12:8.2f} "
                  f"{rate / peak:8.1%}", flush=True)  # fmt: skip
        print(f"{dtype:9} peak {peak / 1e12:.0f} TFLOP/s")
    if options.skip_all:
        return
    for dtype in DTYPES:
        total, channels = 0.0, 0
        for block in BLOCKS:
            objectives = fv.channel(block, list(range(model.layer(block).units)))
            taken = render_time(model, objectives, steps, None, dtype)
            total, channels = total + taken, channels + len(objectives)
            print(f"{dtype:9} {block}: {len(objectives)} in {taken:.1f} s", flush=True)
        print(f"{dtype:9} all {channels} block channels: {total:.1f} s, {channels / total:.1f} pictures /s")


if __name__ == "__main__":
    main()
