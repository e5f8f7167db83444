"""The zoo: the networks that featviz knows by name, and how one becomes a Model.

Listing the zoo builds nothing: an architecture is imported when its network is loaded.
"""

import dataclasses
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from featviz.errors import FeatvizError, nearest
from featviz.model import InputSpec, Model

if TYPE_CHECKING:
    import flax.linen as nn


def _no_classes() -> tuple[str, ...]:
    return ()


@dataclass(frozen=True)
class Entry:
    """One network of the zoo.

    `build` gives the Flax module and `classes` the names of its outputs, () where none are known; both import
    when called. `parameters` counts the weights' values. `origin` says where weights come from, and `bundled`
    names the file beside this module that holds them, where one is shipped.
    """

    name: str
    description: str
    build: Callable[[], "nn.Module"]
    input: InputSpec
    parameters: int
    licence: str
    origin: str
    aliases: tuple[str, ...] = ()
    classes: Callable[[], tuple[str, ...]] = _no_classes
    bundled: str | None = None

    @property
    def bundled_path(self) -> Path | None:
        """Where the shipped weights lie, or None if the user has to bring them."""
        return Path(__file__).with_name(self.bundled) if self.bundled else None


def _googlenet() -> "nn.Module":
    from featviz.models.googlenet import GoogLeNet

    return GoogLeNet()


def _squeezenet() -> "nn.Module":
    from featviz.models.squeezenet import SqueezeNet

    return SqueezeNet()


def _deit_tiny() -> "nn.Module":
    from featviz.models.deit import DeiT

    return DeiT()


def _patterns() -> "nn.Module":
    from featviz.models.patterns import Patterns

    return Patterns()


def _patterns_classes() -> tuple[str, ...]:
    from featviz.models.patterns import CLASSES

    return tuple(CLASSES)


# What Caffe's ImageNet networks were trained on: BGR in 0..255 less the mean colour, and no division.
CAFFE = InputSpec(size=(224, 224), scale=255.0, mean=(104.0, 117.0, 123.0), bgr=True)

# What most networks of PyTorch's were trained on: RGB in [0,1], less ImageNet's mean, divided by its spread; here of
# DeiT's patches.
TORCH_PATCHES = InputSpec(size=(224, 224), mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225), multiple=16)

ENTRIES = (
    Entry(
        name="patterns",
        description="a small network trained on drawn patterns, built in",
        build=_patterns,
        input=InputSpec(size=(64, 64), mean=(0.5,), std=(0.25,)),
        parameters=162_646,
        licence="Apache-2.0",
        origin="trained by featviz on patterns it draws",
        classes=_patterns_classes,
        bundled="patterns.safetensors",
    ),
    Entry(
        name="googlenet",
        description="GoogLeNet (InceptionV1) of BVLC, on ImageNet; the network of the original DeepDream",
        build=_googlenet,
        input=CAFFE,
        parameters=6_998_552,
        licence="released for unrestricted use",
        origin="bvlc_googlenet of Caffe's model zoo, kernels turned to HWIO",
        aliases=("inceptionv1",),
    ),
    Entry(
        name="squeezenet1_1",
        description="SqueezeNet 1.1 of DeepScale, on ImageNet",
        build=_squeezenet,
        input=CAFFE,
        parameters=1_235_496,
        licence="BSD-2-Clause",
        origin="SqueezeNet_v1.1 of github.com/forresti/SqueezeNet, kernels turned to HWIO",
        aliases=("squeezenet",),
    ),
    Entry(
        name="deit_tiny",
        description="DeiT-tiny, a vision transformer of 16 px patches, on ImageNet",
        build=_deit_tiny,
        input=TORCH_PATCHES,
        parameters=5_717_416,
        licence="Apache-2.0",
        origin="deit_tiny_patch16_224 of github.com/facebookresearch/deit, names of timm, joined by /",
        aliases=("deit_tiny_patch16_224",),
    ),
)

ZOO: Mapping[str, Entry] = MappingProxyType({entry.name: entry for entry in ENTRIES})


def find(name: str) -> Entry:
    """The entry of that name or alias.

    >>> find("googlenet").parameters, find("squeezenet").name
    (6998552, 'squeezenet1_1')

    Raises: FeatvizError with the nearest name if there is none.
    """
    names = {alias: entry for entry in ENTRIES for alias in (entry.name, *entry.aliases)}
    if not isinstance(name, str):
        raise FeatvizError(f"`name` is of type {type(name).__name__}; expected a name of the zoo, a string")
    if name not in names:
        raise FeatvizError(f"there is no network `{name}` in the zoo; {nearest(name, names)}")
    return names[name]


def load(name: str, *, weights: str | os.PathLike[str] | None = None) -> Model:
    """A network of the zoo as a Model, with the weights of a safetensors file or those that are shipped.

    The Model's `source` tells how to load it again: its name under `model` and, where a file was given,
    its base name under `weights`.

    Raises: FeatvizError if there is no such network, if it has no shipped weights and none are given, or if
    the file is not for it.
    """
    entry = find(name)
    if weights is not None and not isinstance(weights, (str, os.PathLike)):
        raise FeatvizError(f"`weights` is of type {type(weights).__name__}; expected the path of a file")
    file = entry.bundled_path if weights is None else Path(weights)
    if file is None:
        raise FeatvizError(
            f"{entry.name} has no weights here; pass weights=FILE (--weights FILE on the command line), "
            f"a safetensors file of {entry.parameters:,} values"
        )

    import jax

    from featviz.models.weights import read_weights

    plan = outline(entry.name)
    # One transfer for the whole tree, not one a tensor.
    variables = jax.device_put({"params": read_weights(file, plan.weights["params"])})
    source = {"model": entry.name} if weights is None else {"model": entry.name, "weights": file.name}
    return dataclasses.replace(plan, weights=variables, source=source)


def outline(name: str) -> Model:
    """A network of the zoo without weights, for its layers and their shapes: in the weights' place stand shapes.

    >>> outline("googlenet").layer("inception_4c").units
    512
    """
    import jax
    import jax.numpy as jnp

    from featviz.adapters.linen import from_linen

    entry = find(name)
    module = entry.build()
    image = jax.ShapeDtypeStruct((1, *entry.input.size, entry.input.channels), jnp.float32)
    template = jax.eval_shape(module.init, jax.random.key(0), image)["params"]
    variables = {"params": template}
    return from_linen(module, variables, input=entry.input, name=entry.name, classes=entry.classes())
