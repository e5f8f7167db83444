"""An accelerator: its rates, gradients against the CPU's, pictures per second, and all block channels of GoogLeNet.

    python benchmarks/gpu.py [-o FOLDER] [--reference FILE] [--seconds 200] [--parts device,lanes] [--small]
    python benchmarks/gpu.py --roofline      # bounds by a data sheet, on any machine

The parts, each of which goes on without the others, within a share of `--seconds`:

- `device`: the rate of a large matrix product for each dtype and precision.
- `sameness`: gradients of eight images, and of the first step of eight lanes, against those of a CPU,
  which `gpu_sameness.py` wrote.
- `lanes`: the compiled step of GoogLeNet's `inception_4c` at 128 px by lanes, dtype, precision and the effort of XLA's
  autotuning: compile seconds, steps, pictures of 512 steps per second, the share of the matrix product, memory. The
  kernels that take longest are listed.
- `all`: pictures of all 5,488 channels of the nine inception blocks by `fv.render_each`, with featviz's lanes. Seconds
  include everything; those of compilation are given beside it. Fewer than 512 steps where the time is short.

FLOPs are those of products and convolutions. `--small` tries everything with little work, also on a CPU; without it a
CPU is nothing to measure. Results are printed as they come, and written to `gpu.json`. `--roofline` measures nothing:
see `gpu_roofline.py`.
"""

import argparse
import json
import time
import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import jax
import jax.numpy as jnp
from ascent import load
from gpu_roofline import print_roofline
from gpu_sameness import compare
from gpu_step import CHUNK, Setting, Step, kernel_times
from timing import gradient_flops, seconds

import featviz as fv
from featviz.ascent.batching import MAX_LANES
from featviz.common import compilation
from featviz.zoo.architectures.googlenet import BLOCKS

LAYER = "inception_4c"
PRECISIONS = (Setting(), Setting(precision="highest"), Setting("bfloat16"))


class Bench:
    """Options, results so far, and the time left."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options, self.started = options, time.perf_counter()
        self.lines: list[str] = []
        self.values: dict[str, Any] = {}
        self.size, self.steps = (32, 32) if options.small else (128, 512)

    @property
    def left(self) -> float:
        return self.options.seconds - (time.perf_counter() - self.started)

    def print(self, line: str) -> None:
        print(f"[{time.perf_counter() - self.started:6.1f}] {line}", flush=True)
        self.lines.append(line)
        if self.options.out:
            text = json.dumps({"lines": self.lines, "values": self.values}, indent=1)
            (self.options.out / "gpu.json").write_text(text)


def measure_device(bench: Bench) -> None:
    side = 512 if bench.options.small else 8192
    for setting in PRECISIONS:
        a = jax.random.normal(jax.random.key(0), (side, side), jnp.float32).astype(setting.dtype)
        with setting.context:
            product = jax.jit(lambda a: a @ a).lower(a).compile()
        seconds(lambda program=product, a=a: program(a))
        times = [seconds(lambda program=product, a=a: program(a)) for _ in range(10)]
        bench.values[f"product {setting.name}"] = 2 * side**3 / median(times)
        bench.print(f"matrix product, {setting.name}: {2 * side**3 / median(times) / 1e12:.1f} TFLOP/s")


def measure_lanes(bench: Bench, *, until: float) -> None:
    """Until `bench.left` is less than `until`."""
    model = load("googlenet")
    flops = gradient_flops(model, LAYER, (1, bench.size, bench.size, 3))
    some, many, few = (2, 4, 1) if bench.options.small else (128, 512, 32)
    bench.print(f"googlenet {LAYER}, {bench.size} px: {flops / 1e9:.2f} GFLOP a lane-step")
    # Without autotuning first: with it a program can take minutes to compile.
    single, exact, half = (setting._replace(autotune=0) for setting in PRECISIONS)
    profiled = [(half, some), (single, some), (exact, some), (half._replace(autotune=None), some)]
    plan = [*profiled, (half, many), (single, many), (half, few), (exact, many)]
    for number, (setting, lanes) in enumerate(plan):
        if bench.left < until:
            bench.print(f"no time for {len(plan) - number} more")
            return
        if bench.options.small:
            setting = setting._replace(autotune=None)
        try:
            step = Step(load("googlenet"), LAYER, bench.size, lanes, setting)
            chunk = step.seconds_per_chunk(2 if bench.options.small else 4)
        except Exception as error:
            bench.print(f"{setting.name}, {lanes} lanes: {type(error).__name__}: {str(error)[:300]}")
            continue
        rate = lanes * CHUNK / chunk
        product = bench.values.get(f"product {setting._replace(autotune=None).name}", float("nan"))
        stats = jax.devices()[0].memory_stats() or {}
        row = {
            "trace": step.trace_seconds, "compile": step.compile_seconds, "lane-steps": rate,
            "TFLOP/s": rate * flops / 1e12, "share": rate * flops / product, "program GB": step.memory / 1e9,
            "peak GB": stats.get("peak_bytes_in_use", 0) / 1e9,
        }  # fmt: skip
        bench.values[f"step {setting.name} {lanes}"] = row
        bench.print(
            f"{setting.name}, {lanes} lanes: {rate:.0f} lane-steps/s, {rate / 512:.1f} pictures/s of 512 steps, "
            f"{rate * flops / 1e12:.1f} TFLOP/s ({row['share']:.0%} of the product), trace {row['trace']:.1f} s, "
            f"compile {row['compile']:.1f} s, {row['program GB']:.2f} GB, peak so far {row['peak GB']:.2f} GB"
        )
        if number < len(profiled):
            try:
                kernels = kernel_times(step)
                bench.values[f"kernels {setting.name}"] = kernels[:60]
                total = sum(kernel[1] for kernel in kernels)
                bench.print(f"  kernels {total:.1f} ms of {1e3 * chunk:.1f} ms a chunk, {len(kernels)} names:")
                for name, milliseconds, calls in kernels[:12]:
                    bench.print(f"    {milliseconds:8.2f} ms {calls:5d} x {name[:110]}")
            except Exception as error:
                bench.print(f"  no profile: {type(error).__name__}: {str(error)[:200]}")
        del step


def time_compilation(model_seconds: list[float]) -> None:
    """Appends the seconds of each compilation of featviz's programs from now on."""
    original = compilation.load_or_compile_entry

    def timed(*args: Any) -> Any:
        started = time.perf_counter()
        try:
            return original(*args)
        finally:
            model_seconds.append(time.perf_counter() - started)

    compilation.load_or_compile_entry = timed


def render_all(bench: Bench, setting: Setting, steps: int, compile_seconds: list[float], *, until: float) -> None:
    """Every block's channels; with fewer blocks where the time ends."""
    small = bench.options.small
    total, pictures, compiled, device = 0.0, 0, 0.0, "everything"
    for block in list(BLOCKS)[:2] if small else BLOCKS:
        if bench.left < until:
            device = "the blocks so far"
            break
        model_started, before = time.perf_counter(), len(compile_seconds)
        objectives = fv.channel(block, list(range(4 if small else bench.model.layer(block).units)))
        first, lanes, scores = 0.0, 0, []
        with setting.context:
            for _, picture in fv.render_each(
                bench.model, objectives, size=bench.size, steps=steps, dtype=setting.dtype, progress=False
            ):
                first = first or time.perf_counter() - model_started
                lanes = picture.provenance["lanes"]
                scores.append(picture.score)
        elapsed, spent = time.perf_counter() - model_started, sum(compile_seconds[before:])
        total, pictures, compiled = total + elapsed, pictures + len(objectives), compiled + spent
        bench.print(
            f"{setting.name} {block}: {len(objectives)} pictures in {elapsed:.1f} s, {lanes} lanes, compile "
            f"{spent:.1f} s, first pictures after {first:.1f} s, median score {median(scores):.4g}"
        )
    if pictures:
        bench.values[f"all {setting.name}"] = {"s": total, "compile": compiled, "pictures": pictures, "steps": steps}
        bench.print(
            f"{setting.name}, {device}: {pictures} pictures of {steps} steps in {total:.1f} s, of which compile "
            f"{compiled:.1f} s; {pictures / total:.1f} pictures/s, without compilation "
            f"{pictures / (total - compiled):.1f}"
        )


def compile_all(bench: Bench, setting: Setting) -> None:
    """All blocks' programs at once, by threads."""

    def one(block: str) -> None:
        count = 4 if bench.options.small else bench.model.layer(block).units
        options = {"size": bench.size, "steps": 1, "dtype": setting.dtype, "progress": False}
        with setting.context:
            next(iter(fv.render_each(bench.model, fv.channel(block, list(range(count))), **options)))

    started = time.perf_counter()
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(one, list(BLOCKS)[: 2 if bench.options.small else None]))
    bench.print(f"{setting.name}: the programs of all blocks at once in {time.perf_counter() - started:.1f} s")


def measure_all(bench: Bench) -> None:
    compile_seconds: list[float] = []
    time_compilation(compile_seconds)
    rows = {name: row["lane-steps"] for name, row in bench.values.items() if name.startswith("step ")}
    for number, setting in enumerate((PRECISIONS[2], PRECISIONS[0], PRECISIONS[1])):
        rates = [rate for name, rate in rows.items() if name.startswith(f"step {setting.name}")]
        rates = [rate for name, rate in rows.items() if _same(name, setting)] or rates or [1e5]
        # A fourth is left for compilation and the host.
        fits = 0.6 * max(bench.left, 1) * max(rates) / (60 if bench.options.small else 5488)
        steps = next((each for each in (512, 256, 128, 64, 32) if each <= fits), 16)
        steps = min(steps, bench.steps)
        quick = _quick(bench)
        compilation.OPTIONS.setdefault("gpu", {})
        if quick:
            compilation.OPTIONS["gpu"] = {"xla_gpu_autotune_level": "0"}
        compilation.compiler_options.cache_clear()
        bench.model = load("googlenet")
        if bench.left < 20 and number:
            bench.print(f"no time for {setting.name}")
            return
        if number:
            compile_all(bench, setting)
        bench.print(
            f"{setting.name}: {steps} steps, XLA's options {compilation.compiler_options(jax.default_backend())}"
        )
        render_all(bench, setting, steps, compile_seconds, until=5)


def _same(name: str, setting: Setting) -> bool:
    """Whether a row's name is of the setting, whatever its autotuning."""
    words = name.removeprefix("step ").rsplit(" ", 1)[0].split(", ")
    return [word for word in words if not word.startswith("autotune")] == setting.name.split(", ")


def _quick(bench: Bench) -> bool:
    """Whether XLA's quick autotuning was as good, or the other took long."""
    rows = {name: row for name, row in bench.values.items() if name.startswith("step bfloat16")}
    slow = next((row for name, row in rows.items() if "autotune" not in name), None)
    quick = next((row for name, row in rows.items() if "autotune 0" in name), None)
    if slow is None or quick is None:
        return quick is not None
    return quick["lane-steps"] > 0.9 * slow["lane-steps"] or slow["compile"] > 15


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", "--out", type=Path)
    parser.add_argument("--reference", type=Path, help="Of `gpu_sameness.py`; needed for the part `sameness`.")
    parser.add_argument("--seconds", type=float, default=200.0)
    parser.add_argument("--parts", default="device,sameness,lanes,all")
    parser.add_argument("--small", action="store_true", help="Little work, to try the script.")
    parser.add_argument("--roofline", action="store_true", help="Only arithmetic and memory by a data sheet.")
    options = parser.parse_args()
    if options.roofline:
        print_roofline(partial(print, flush=True), lanes=MAX_LANES)
        return
    bench = Bench(options)
    device = jax.devices()[0]
    if device.platform == "cpu" and not options.small:
        print("nothing to measure: jax.devices() are CPUs")
        return
    bench.print(f"{date.today()}, {len(jax.local_devices())} x {device.device_kind}, jax {jax.__version__}")
    total = options.seconds
    parts: dict[str, Callable[[], None]] = {
        "device": lambda: measure_device(bench),
        "sameness": lambda: compare(lambda: load("googlenet"), LAYER, options.reference, bench.print,
                                    lambda: bench.left - 0.75 * total),
        "lanes": lambda: measure_lanes(bench, until=0.5 * total),
        "all": lambda: measure_all(bench),
    }  # fmt: skip
    for name in options.parts.split(","):
        bench.print(f"--- {name}")
        try:
            parts[name]()
        except BaseException as error:  # the next part may work
            bench.print(f"{name} failed: {type(error).__name__}: {str(error)[:500]}")
            traceback.print_exc()


if __name__ == "__main__":
    main()
