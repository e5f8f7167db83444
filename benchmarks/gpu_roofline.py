"""What an accelerator's data sheet allows: arithmetic and memory of a step, divided by peaks. Nothing is measured.

`gpu.py --roofline` prints it, on a CPU too. A program of two lanes and one of four are compiled for the backend at
hand, and what they have in common, such as the weights, is told apart from what each lane adds. FLOPs are those of
products and convolutions. Bytes are counted twice: at least, where each convolution or product reads its maps and
writes its result once, forward and back, and all else is fused; and as XLA counts them for the compiled step, with a
CPU's fusions, where an accelerator's differ, and as if nothing stayed in a cache.
"""

from collections.abc import Callable
from dataclasses import replace
from math import prod
from typing import NamedTuple

import jax
import jax.numpy as jnp
from gpu_step import routine_of
from timing import gradient_flops

import featviz as fv
from featviz.ascent.batching import device_mesh, step_program
from featviz.common.compilation import program_memory
from featviz.tracing.program import trace
from featviz.zoo.architectures.googlenet import BLOCKS
from featviz.zoo.registry import outline

STEPS = 512


class Peak(NamedTuple):
    """FLOP/s of a dtype, and the bytes of a number, by the vendor's data sheet."""

    flops: float
    width: int


# NVIDIA H200 SXM, dense. TF32 is what XLA takes for products of float32 unless it is told otherwise.
DEVICE = "H200"
PEAKS = {"float32": Peak(67e12, 4), "float32 as TF32": Peak(494e12, 4), "bfloat16": Peak(989e12, 2)}
BANDWIDTH, MEMORY = 4.8e12, 141e9
# Assumed: the share of the peaks that steps reach. On a CPU it is two fifths of a matrix product's rate.
SHARE = 0.4


class Case(NamedTuple):
    network: str
    layer: str
    size: int


CASES = [*(Case("googlenet", block, 128) for block in BLOCKS), Case("resnet50", "layer3", 128),
         Case("vit_base", "blocks/8", 224)]  # fmt: skip
FEW, MANY = 2, 4


class Work(NamedTuple):
    """Of one step of one lane, in float32; `shared` is read once for all lanes."""

    units: int
    flops: float
    least: float
    moved: float
    shared: float
    memory: float

    def seconds(self, peak: Peak, lanes: int, *, compiled: bool) -> float:
        """A lane-step at the peaks: the longer of arithmetic and memory; bytes as compiled, or at least."""
        moved = (self.moved if compiled else self.least) + self.shared / lanes
        return max(self.flops / peak.flops, moved * peak.width / 4 / BANDWIDTH)


def least_bytes(model: fv.Model, case: Case) -> float:
    """Of the convolutions and products of one image, forward and back; weights are not counted."""
    images = jax.ShapeDtypeStruct((1, case.size, case.size, model.input.channels), jnp.float32)
    program, _ = trace(lambda *args: model.apply(*args, layers=[case.layer]), model.weights, images)
    total = 0
    for step in program.steps:
        if step.primitive.name in ("conv_general_dilated", "dot_general"):
            first, second, result = (prod(value.aval.shape) for value in (*step.inputs[:2], step.outputs[0]))
            attention = step.primitive.name == "dot_general" and step.params["dimension_numbers"][1][0]
            total += first + result + (second if attention else 0)
    return 2 * 4 * total


def work_of(case: Case) -> Work:
    """From the shapes of the weights alone."""
    model = outline(case.network)
    routine = replace(routine_of(model, case.size, "float32"), chunk=1)  # XLA counts the steps of a loop once
    moved, memory = [], []
    for lanes in (FEW, MANY):
        objective = fv.channel(case.layer, 0)
        program = step_program(routine, model.weights, objective, None, lanes, mesh=device_mesh())
        moved.append(program.cost_analysis()["bytes accessed"])
        memory.append(program_memory(program))
    each = (moved[1] - moved[0]) / (MANY - FEW)
    return Work(
        units=model.layer(case.layer).units,
        flops=gradient_flops(model, case.layer, (1, case.size, case.size, model.input.channels)),
        least=least_bytes(model, case),
        moved=each,
        shared=max(0.0, moved[0] - FEW * each),
        memory=(memory[1] - memory[0]) / (MANY - FEW),
    )


def print_roofline(print: Callable[[str], None], *, lanes: int, cases: list[Case] = CASES) -> None:
    print(f"not measured: bounds by the data sheet of one {DEVICE}, {lanes} lanes, {STEPS} steps a picture")
    titles = ["network, layer, px", "GFLOP a lane-step", "MB at least", "MB as compiled", "MB a lane",
              "lanes in 80 % of memory", *(f"pictures/s, {name}" for name in PEAKS)]  # fmt: skip
    print("| " + " | ".join(titles) + " |")
    print("|---" * len(titles) + "|")
    done: dict[Case, Work] = {}
    for case in cases:
        done[case] = work = work_of(case)
        rates = [
            " to ".join(f"{1 / (STEPS * work.seconds(peak, lanes, compiled=each)):,.0f}" for each in (True, False))
            for peak in PEAKS.values()
        ]
        cells = [f"{case.network} `{case.layer}`, {case.size}", f"{work.flops / 1e9:.2f}",
                 *(f"{each / 1e6:.0f}" for each in (work.least, work.moved, work.memory)),
                 f"{0.8 * MEMORY / work.memory:,.0f}"]  # fmt: skip
        print("| " + " | ".join([*cells, *rates]) + " |")
    blocks = [work for case, work in done.items() if case.network == "googlenet"]

    def total(of: Callable[[Work], float]) -> float:
        return sum(work.units * STEPS * of(work) for work in blocks)

    flops, least, moved = (total(lambda work, name=name: getattr(work, name)) for name in ("flops", "least", "moved"))
    print(f"googlenet, {sum(work.units for work in blocks)} channels: {flops / 1e15:.2f} PFLOP, {least / 1e12:.0f} TB "
          f"at least, {moved / 1e12:.0f} TB as compiled")  # fmt: skip
    for name, peak in PEAKS.items():
        low, high = (
            total(lambda work, peak=peak, compiled=compiled: work.seconds(peak, lanes, compiled=compiled))
            for compiled in (False, True)
        )
        print(f"{name}: {flops / peak.flops:.1f} s of arithmetic; with memory {low:.0f} s, as compiled {high:.0f} s; "
              f"at an assumed {SHARE:.0%} of the peaks {low / SHARE:.0f} s and {high / SHARE:.0f} s")  # fmt: skip
