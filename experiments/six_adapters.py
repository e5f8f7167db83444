"""One network through every adapter: Flax linen and nnx, a function, Keras, PyTorch and ONNX.

    python experiments/six_adapters.py -o six-adapters.png
    python experiments/six_adapters.py -o six-adapters.png --adapters linen,nnx,function

Builds the built-in network `patterns` in each framework with the same weights and renders the same eight units. Prints
the largest difference of the activations of `mixed4a` and of an image's gradient from those of the first adapter,
relative to the largest value, and the ratio of the final scores. Frameworks: `pip install featviz[torch,keras,onnx]`.

Hardware: two CPU cores. Time: 4 minutes. Expected: differences below 1e-5 and median scores within 2 %; the same
eight pictures in the first five rows. The layer has another name in ONNX, hence other noise at the start: the last row
shows the same features in other pictures.
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
CHANNELS_FIRST = fv.InputSpec(size=(64, 64), mean=(0.5,), std=(0.25,), channels_first=True)
POOLED = "mixed4a"
Weights = Mapping[str, Any]


def convolutions() -> list[tuple[str, str, int, int, int]]:
    """The block, name, kernel size, stride and padding of each convolution."""
    return [
        (block, f"{side}x{side}", side, STRIDES.get(block, 1), (side - STRIDES.get(block, 1)) // 2)
        for block, branches in BRANCHES.items()
        for side, _ in branches
    ]


def from_linen(weights: Weights) -> tuple[fv.Model, str]:
    return fv.load("patterns"), "mixed4a"


def from_function(weights: Weights) -> tuple[fv.Model, str]:
    def convolve(x: jax.Array, layer: Weights, stride: int) -> jax.Array:
        axes = ("NHWC", "HWIO", "NHWC")
        y = lax.conv_general_dilated(x, layer["kernel"], (stride, stride), "SAME", dimension_numbers=axes)
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
        outputs = []
        for side, width in branches:
            name, strides = f"{block}_{side}x{side}", STRIDES.get(block, 1)
            outputs.append(layers.Conv2D(width, side, strides, "same", activation="relu", name=name)(x))
        x = layers.Concatenate(name=block)(outputs) if len(outputs) > 1 else outputs[0]
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
                    for parent, name, side, stride, padding in convolutions()
                    if parent == block
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
    return fv.from_torch(torch_network(weights), input=CHANNELS_FIRST), "mixed4a"


def from_onnx(weights: Weights) -> tuple[fv.Model, str]:
    import onnx
    import torch

    file = io.BytesIO()
    options = {"input_names": ["image"], "dynamic_axes": {"image": {0: "batch"}}, "dynamo": False}
    with warnings.catch_warnings():
        # PyTorch recommends a newer exporter, which needs another package.
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.onnx.export(torch_network(weights), (torch.zeros(1, 3, 64, 64),), file, **options)
    return fv.from_onnx(onnx.load_from_string(file.getvalue()), input=CHANNELS_FIRST), "mixed4a/Concat"


ADAPTERS: dict[str, Callable[[Weights], tuple[fv.Model, str]]] = {
    "linen": from_linen,
    "nnx": from_nnx,
    "function": from_function,
    "keras": from_keras,
    "torch": from_torch,
    "onnx": from_onnx,
}


def adapt(name: str) -> tuple[fv.Model, str]:
    """`patterns` through one adapter, and the name of the layer `mixed4a` there."""
    return ADAPTERS[name](fv.load("patterns").weights["params"])


def activations_and_gradient(model: fv.Model, layer: str, image: jax.Array) -> tuple[np.ndarray, np.ndarray]:
    """The layer's activations for an image, and the image's gradient of one unit's mean."""

    def score(image: jax.Array) -> jax.Array:
        return fv.channel(layer, 9)(model.apply(model.weights, image, layers=[layer]))[0]

    activations = model.apply(model.weights, image, layers=[layer])[layer]
    return np.asarray(activations), np.asarray(jax.grad(score)(image))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", "--out", type=Path, required=True)
    parser.add_argument("--adapters", default=",".join(ADAPTERS), help="separated by commas")
    parser.add_argument("--steps", type=int, default=128)
    options = parser.parse_args()
    image = jax.random.uniform(jax.random.key(0), (1, 64, 64, 3))
    pictures: list[fv.Picture] = []
    first: tuple[np.ndarray, np.ndarray] | None = None
    scores: list[np.ndarray] = []
    for name in options.adapters.split(","):
        model, layer = adapt(name)
        values = activations_and_gradient(model, layer, image)
        first = first or values
        rendered = fv.render(model, fv.channel(layer, UNITS), size=64, steps=options.steps)
        scores.append(np.array([picture.score for picture in rendered]))
        differences = [np.abs(a - b).max() / np.abs(b).max() for a, b in zip(values, first, strict=True)]
        ratio = np.median(scores[-1] / scores[0])
        print(f"{name:9} activations {differences[0]:.1e}, gradient {differences[1]:.1e}, median score x {ratio:.4f}")
        pictures += rendered
    print(save_sheet(pictures, options.out, columns=len(UNITS)))


if __name__ == "__main__":
    main()
