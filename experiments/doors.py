"""One network through every door: `patterns` as a module of Flax linen, nnx, Keras, PyTorch, as ONNX and a function.

    python experiments/doors.py -o doors.png
    python experiments/doors.py -o doors.png --doors linen,nnx,function

Each gets the built-in network's weights and draws the same eight units. Printed: the largest difference of the
activations of `mixed4a` and of an image's gradient from those of the first door, relative to the largest value, and
the ratio of the final scores. Frameworks: `pip install featviz[torch,keras,onnx]`.

Hardware: 2 CPU cores. Takes: 4 minutes. Expected: differences below 1e-5, scores' median within 2 %; the same eight
pictures in five rows, and in the last, whose layer has another name and so its own noise, the same things.
"""

import argparse
import io
import os
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen, nnx
from jax import lax

import featviz as fv
from featviz.pictures.sheets import save_sheet
from featviz.zoo.architectures.patterns import BRANCHES, STRIDES

os.environ.setdefault("KERAS_BACKEND", "jax")
UNITS = (0, 9, 18, 27, 36, 45, 54, 63)
SPEC = fv.InputSpec(size=(64, 64), mean=(0.5,), std=(0.25,))
FIRST = fv.InputSpec(size=(64, 64), mean=(0.5,), std=(0.25,), channels_first=True)
POOLED = "mixed4a"
Weights = Mapping[str, Any]


def convolutions() -> list[tuple[str, str, int, int, int]]:
    """Of each convolution: its block, its name, its side, its stride and its padding on each side."""
    return [
        (block, f"{side}x{side}", side, STRIDES.get(block, 1), (side - STRIDES.get(block, 1)) // 2)
        for block, branches in BRANCHES.items()
        for side, _ in branches
    ]


def from_linen(weights: Weights) -> tuple[fv.Model, str]:
    return fv.load("patterns"), "mixed4a"


def from_function(weights: Weights) -> tuple[fv.Model, str]:
    def convolve(x: jax.Array, layer: Weights, stride: int) -> jax.Array:
        numbers = ("NHWC", "HWIO", "NHWC")
        y = lax.conv_general_dilated(x, layer["kernel"], (stride, stride), "SAME", dimension_numbers=numbers)
        return jax.nn.relu(y + layer["bias"])

    def network(weights: Weights, x: jax.Array) -> jax.Array:
        for block in BRANCHES:
            with jax.named_scope(block):
                if block == POOLED:
                    x = linen.max_pool(x, (2, 2), strides=(2, 2))
                layers = [weights[block][f"{side}x{side}"] for side, _ in BRANCHES[block]]
                x = jnp.concatenate([convolve(x, layer, STRIDES.get(block, 1)) for layer in layers], axis=-1)
        with jax.named_scope("logits"):
            return jnp.mean(x, axis=(1, 2)) @ weights["logits"]["kernel"] + weights["logits"]["bias"]

    return fv.from_function(network, weights, input=SPEC), "mixed4a"


class Block(nnx.Module):
    def __init__(self, weights: Weights, block: str, inputs: int):
        self.branches = nnx.List([])
        for side, width in BRANCHES[block]:
            layer = nnx.Conv(inputs, width, (side, side), strides=STRIDES.get(block, 1), rngs=nnx.Rngs(0))
            layer.kernel[...] = weights[block][f"{side}x{side}"]["kernel"]
            layer.bias[...] = weights[block][f"{side}x{side}"]["bias"]
            self.branches.append(layer)

    def __call__(self, x: jax.Array) -> jax.Array:
        return jnp.concatenate([nnx.relu(branch(x)) for branch in self.branches], axis=-1)


class Network(nnx.Module):
    def __init__(self, weights: Weights):
        width = 3
        for block, branches in BRANCHES.items():
            setattr(self, block, Block(weights, block, width))
            width = sum(units for _, units in branches)
        self.logits = nnx.Linear(width, weights["logits"]["bias"].size, rngs=nnx.Rngs(0))
        self.logits.kernel[...] = weights["logits"]["kernel"]
        self.logits.bias[...] = weights["logits"]["bias"]

    def __call__(self, x: jax.Array) -> jax.Array:
        for block in BRANCHES:
            x = getattr(self, block)(nnx.max_pool(x, (2, 2), strides=(2, 2)) if block == POOLED else x)
        return self.logits(x.mean(axis=(1, 2)))


def from_nnx(weights: Weights) -> tuple[fv.Model, str]:
    return fv.from_nnx(Network(weights), input=SPEC), "mixed4a"


def from_keras(weights: Weights) -> tuple[fv.Model, str]:
    import keras
    from keras import layers

    x = image = keras.Input((64, 64, 3))
    for block, branches in BRANCHES.items():
        if block == POOLED:
            x = layers.MaxPool2D(2)(x)
        made = []
        for side, width in branches:
            name, strides = f"{block}_{side}x{side}", STRIDES.get(block, 1)
            made.append(layers.Conv2D(width, side, strides, "same", activation="relu", name=name)(x))
        x = layers.Concatenate(name=block)(made) if len(made) > 1 else made[0]
    x = layers.Dense(weights["logits"]["bias"].size, name="logits")(layers.GlobalAveragePooling2D()(x))
    model = keras.Model(image, x)
    for block, name, *_ in convolutions():
        layer = weights[block][name]
        model.get_layer(f"{block}_{name}").set_weights([np.asarray(layer["kernel"]), np.asarray(layer["bias"])])
    model.get_layer("logits").set_weights([np.asarray(weights["logits"][name]) for name in ("kernel", "bias")])
    return fv.from_keras(model, input=SPEC), "mixed4a"


def torch_network(weights: Weights) -> Any:
    """`patterns` as a torch.nn.Module."""
    import torch
    from torch import nn

    class Branches(nn.Module):
        def __init__(self, block: str, inputs: int):
            super().__init__()
            self.convolutions = nn.ModuleDict(
                {
                    name: nn.Conv2d(inputs, weights[block][name]["bias"].size, side, stride, padding)
                    for at, name, side, stride, padding in convolutions()
                    if at == block
                }
            )

        def forward(self, x: Any) -> Any:
            return torch.cat([torch.relu(layer(x)) for layer in self.convolutions.values()], dim=1)

    class Patterns(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            width = 3
            for block, branches in BRANCHES.items():
                self.add_module(block, Branches(block, width))
                width = sum(units for _, units in branches)
            self.logits = nn.Linear(width, weights["logits"]["bias"].size)

        def forward(self, x: Any) -> Any:
            for block in BRANCHES:
                x = getattr(self, block)(nn.functional.max_pool2d(x, 2) if block == POOLED else x)
            return self.logits(x.mean(dim=(2, 3)))

    network = Patterns().eval()
    with torch.no_grad():
        for block, name, *_ in convolutions():
            layer = getattr(network, block).convolutions[name]
            layer.weight.copy_(torch.tensor(np.transpose(weights[block][name]["kernel"], (3, 2, 0, 1))))
            layer.bias.copy_(torch.tensor(np.asarray(weights[block][name]["bias"])))
        network.logits.weight.copy_(torch.tensor(np.transpose(weights["logits"]["kernel"])))
        network.logits.bias.copy_(torch.tensor(np.asarray(weights["logits"]["bias"])))
    return network


def from_torch(weights: Weights) -> tuple[fv.Model, str]:
    return fv.from_torch(torch_network(weights), input=FIRST), "mixed4a"


def from_onnx(weights: Weights) -> tuple[fv.Model, str]:
    import onnx
    import torch

    file = io.BytesIO()
    options = {"input_names": ["image"], "dynamic_axes": {"image": {0: "batch"}}, "dynamo": False}
    with warnings.catch_warnings():
        # PyTorch says of this exporter that there is a newer one, which needs another package.
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.onnx.export(torch_network(weights), (torch.zeros(1, 3, 64, 64),), file, **options)
    return fv.from_onnx(onnx.load_from_string(file.getvalue()), input=FIRST), "mixed4a/Concat"


DOORS: dict[str, Callable[[Weights], tuple[fv.Model, str]]] = {
    "linen": from_linen,
    "nnx": from_nnx,
    "function": from_function,
    "keras": from_keras,
    "torch": from_torch,
    "onnx": from_onnx,
}


def open_door(name: str) -> tuple[fv.Model, str]:
    """`patterns` through one door, and what its layer `mixed4a` is called there."""
    return DOORS[name](fv.load("patterns").weights["params"])


def look(model: fv.Model, layer: str, image: jax.Array) -> tuple[np.ndarray, np.ndarray]:
    """The layer's activations for an image, and the gradient of one unit's mean there."""

    def score(image: jax.Array) -> jax.Array:
        return fv.channel(layer, 9)(model.apply(model.weights, image, layers=[layer]))[0]

    found = model.apply(model.weights, image, layers=[layer])[layer]
    return np.asarray(found), np.asarray(jax.grad(score)(image))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", "--out", type=Path, required=True)
    parser.add_argument("--doors", default=",".join(DOORS), help="split at commas")
    parser.add_argument("--steps", type=int, default=128)
    options = parser.parse_args()
    image = jax.random.uniform(jax.random.key(0), (1, 64, 64, 3))
    pictures: list[fv.Picture] = []
    first: tuple[np.ndarray, np.ndarray] | None = None
    scores: list[np.ndarray] = []
    for name in options.doors.split(","):
        model, layer = open_door(name)
        found = look(model, layer, image)
        first = first or found
        drawn = fv.render(model, fv.channel(layer, UNITS), size=64, steps=options.steps)
        scores.append(np.array([picture.score for picture in drawn]))
        apart = [np.abs(a - b).max() / np.abs(b).max() for a, b in zip(found, first, strict=True)]
        ratio = np.median(scores[-1] / scores[0])
        print(f"{name:9} activations {apart[0]:.1e}, gradient {apart[1]:.1e}, scores x {ratio:.4f} at the median")
        pictures += drawn
    print(save_sheet(pictures, options.out, columns=len(UNITS)))


if __name__ == "__main__":
    main()
