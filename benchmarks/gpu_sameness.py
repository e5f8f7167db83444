"""Gradients on an accelerator compared with those of a CPU, for each dtype and precision.

python benchmarks/gpu_sameness.py FILE [--size 128]     # on a CPU: the reference that gpu.py reads
"""

import argparse
from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from gpu_step import Setting, routine_of

import featviz as fv
from featviz import ascent
from featviz.ascent.gradient import step_gradient
from featviz.ascent.lane_keys import lane_keys
from featviz.common.compilation import compiler_options
from featviz.gradients.rules import rules_for
from featviz.objectives import stack
from featviz.tracing.evaluation import Rule, evaluate
from featviz.tracing.program import trace

SETTINGS = (Setting(), Setting(precision="highest"), Setting("bfloat16"))
IMAGES = 8


def network_gradient(
    model: fv.Model, layer: str, images: np.ndarray, device: jax.Device, setting: Setting, rules: tuple[Rule, ...]
) -> np.ndarray:
    """The gradient of each image's own unit, the mean of its activation, for the image."""
    units = jnp.arange(len(images)) % model.layer(layer).units

    def score(weights: Any, images: jax.Array) -> jax.Array:
        weights, images = jax.tree.map(lambda leaf: leaf.astype(setting.dtype), (weights, images))
        program, shapes = trace(lambda *args: model.apply(*args, layers=[layer]), weights, images)
        values = evaluate(program, jax.tree.leaves((weights, images)), program.outputs, rules=rules)
        activations = dict(zip(shapes, values, strict=True))[layer].astype(jnp.float32)
        means = jnp.mean(activations, axis=tuple(range(1, activations.ndim - 1)))
        return jnp.sum(jnp.take_along_axis(means, units[:, None], axis=1))

    with jax.default_device(device), setting.context:
        arguments = jax.device_put((model.weights, images), device)
        gradient = jax.jit(jax.grad(score, argnums=1)).lower(*arguments).compile(compiler_options=_options(device))
        return np.asarray(gradient(*arguments), np.float64)


def parameter_gradients(
    model: fv.Model, layer: str, size: int, device: jax.Device, setting: Setting, *, lanes: int = IMAGES
) -> np.ndarray:
    """The gradient of the default recipe's first step for the parameters of each lane."""
    routine = routine_of(model, size, setting.dtype)
    objectives = fv.channel(layer, list(range(lanes)))

    def gradients(weights: Any, objectives: Any, state: ascent.Lane) -> Any:
        run = partial(step_gradient, routine, weights, None)
        return jax.vmap(lambda objective, lane: run(objective, lane, jnp.float32(0)).gradient)(objectives, state)

    with jax.default_device(device), setting.context:
        keys = jax.device_put(lane_keys(0, objectives), device)
        state = ascent.start(keys, None, routine=routine)
        arguments = jax.device_put((model.weights, stack(objectives), state), device)
        program = jax.jit(gradients).lower(*arguments).compile(compiler_options=_options(device))
        leaves = [np.asarray(leaf).reshape(lanes, -1) for leaf in jax.tree.leaves(program(*arguments))]
        return np.concatenate([np.ascontiguousarray(leaf).view(np.float32).reshape(lanes, -1) for leaf in leaves], 1)


def _options(device: jax.Device) -> dict[str, str]:
    """Those of a CPU, whose default convolutions are slow to compile; without autotuning elsewhere."""
    return compiler_options("cpu") if device.platform == "cpu" else {"xla_gpu_autotune_level": "0"}


def difference(values: np.ndarray, reference: np.ndarray) -> str:
    """The largest over images of the norm of the difference, relative to the reference's, and the median."""
    axes = tuple(range(1, values.ndim))
    size = np.square(reference.astype(np.float64)).sum(axes)
    norm = np.sqrt(np.square(values.astype(np.float64) - reference).sum(axes)[size > 0] / size[size > 0])
    if not norm.size:
        return "all gradients are 0"
    return f"median {np.median(norm):.1e}, largest {norm.max():.1e}, of {norm.size}"


def images_of(size: int) -> np.ndarray:
    return np.random.default_rng(0).uniform(size=(IMAGES, size, size, 3)).astype(np.float32)


def write_reference(load: Any, layer: str, size: int, path: Path) -> None:
    """This machine's gradients, on its CPU, to an .npz file."""
    cpu = jax.devices("cpu")[0]
    image = network_gradient(load(), layer, images_of(size), cpu, Setting(), rules_for("cpu"))
    np.savez(path, image=image.astype(np.float32), parameters=parameter_gradients(load(), layer, size, cpu, Setting()))


def compare(load: Any, layer: str, path: Path, print_line: Any, left: Any) -> None:
    """Lines for each setting: the network's gradient, with the accelerator's rules, and that of the whole step."""
    device, reference = jax.devices()[0], np.load(path)
    size = reference["image"].shape[1]
    for setting in SETTINGS:
        values = network_gradient(load(), layer, images_of(size), device, setting, rules_for("gpu"))
        print_line(f"{setting.name}: gradient for the image against a CPU's: {difference(values, reference['image'])}")
        values = parameter_gradients(load(), layer, size, device, setting)
        print_line(f"{setting.name}: a step's gradient for the parameters: "
                   f"{difference(values, reference['parameters'])}")  # fmt: skip
        if left() < 0:
            print_line("no time for the rest")
            return
    values = network_gradient(load(), layer, images_of(size), device, SETTINGS[1], ())
    print_line(f"{SETTINGS[1].name}, no rules: {difference(values, reference['image'])}")


def main() -> None:
    from ascent import load

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path)
    parser.add_argument("--size", type=int, default=128)
    options = parser.parse_args()
    write_reference(lambda: load("googlenet"), "inception_4c", options.size, options.file)


if __name__ == "__main__":
    main()
