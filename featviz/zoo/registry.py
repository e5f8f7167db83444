"""The zoo: the networks that featviz knows by name, and how they become Models.

Listing the zoo builds nothing: an architecture is imported when its network is loaded.
"""

import dataclasses
import os
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from featviz.errors import FeatvizError, join_or, suggest
from featviz.model import RANGES, InputSpec, Model
from featviz.zoo.convolutional_entries import CONVOLUTIONAL, imagenet_classes
from featviz.zoo.entry import Entry, Source, lazy
from featviz.zoo.transformer_entries import TRANSFORMERS

if TYPE_CHECKING:
    from featviz.zoo.weights.load import ShapeTree

# Caffe's ImageNet networks were trained on BGR in 0..255 minus the mean color, not divided.
CAFFE = InputSpec(size=(224, 224), **RANGES["caffe"])
# At a commit whose size and SHA-256 OpenVINO's Open Model Zoo has (squeezenet1.1/model.yml).
DEEPSCALE = (
    "https://github.com/forresti/SqueezeNet/raw/a47b6f13d30985279789d08053d37013d67d131b/"
    "SqueezeNet_v1.1/squeezenet_v1.1.caffemodel"
)
DEEPSCALE_SHA256 = "72b912ace512e8621f8ff168a7d72af55910d3c7c9445af8dfbff4c2ee960142"

ENTRIES = (
    Entry(
        name="patterns",
        family="patterns",
        description="a small network trained on drawn patterns, built in",
        build=lazy("architectures.patterns", "Patterns"),
        input=InputSpec(size=(64, 64), mean=(0.5,), std=(0.25,)),
        parameters=162_646,
        license="Apache-2.0",
        origin="trained by featviz on patterns it draws",
        classes=lazy("architectures.patterns", "class_names"),
        bundled="patterns.safetensors",
    ),
    Entry(
        name="googlenet",
        family="GoogLeNet",
        description="GoogLeNet (InceptionV1) of BVLC, on ImageNet; the network of the original DeepDream",
        build=lazy("architectures.googlenet", "GoogLeNet"),
        input=CAFFE,
        parameters=6_998_552,
        license="released for unrestricted use",
        accuracy="68.7 % top-1",
        origin="bvlc_googlenet of Caffe's model zoo",
        classes=imagenet_classes,
    ),
    Entry(
        name="squeezenet1_1",
        family="SqueezeNet",
        description="SqueezeNet 1.1 of DeepScale, on ImageNet",
        build=lazy("architectures.squeezenet", "SqueezeNet"),
        input=CAFFE,
        parameters=1_235_496,
        license="BSD-2-Clause",
        origin="github.com/forresti/SqueezeNet",
        sources=(Source(DEEPSCALE, DEEPSCALE_SHA256, 4_950_080, names=lazy("weights.match", "caffe_name")),),
        aliases=("squeezenet",),
        classes=imagenet_classes,
    ),
    *CONVOLUTIONAL,
    *TRANSFORMERS,
)

ZOO: Mapping[str, Entry] = MappingProxyType({entry.name: entry for entry in ENTRIES})


def find(name: str) -> Entry:
    """The entry with that name or alias.

    Raises:
        FeatvizError: If there is none; the message has the nearest name.

    >>> find("googlenet").parameters, find("squeezenet").name
    (6998552, 'squeezenet1_1')
    """
    names = {alias: entry for entry in ENTRIES for alias in (entry.name, *entry.aliases)}
    if not isinstance(name, str):
        raise FeatvizError(f"`name` is of type {type(name).__name__}; expected a name of the zoo, a string")
    if name not in names:
        raise FeatvizError(f"there is no network `{name}` in the zoo; {suggest(name, names)}")
    return names[name]


def load(name: str, *, weights: str | os.PathLike[str] | None = None) -> Model:
    """A network of the zoo as a Model.

    Args:
        name: A name or alias of the zoo; `featviz models` lists them.
        weights: A file of weights, our own safetensors or an official file of PyTorch, Caffe or Keras; or
            `hf-hub:OWNER/REPOSITORY`, the safetensors of a repository of Hugging Face, whose mean and std its images
            get. By default the weights that are shipped with featviz, or those fetched from their official address
            into the user's cache.

    Returns:
        The Model. Where a source of the file was trained on another range of images, its `input` is that one. Its
        `source` says how to load it again: the network's name under `model`, and under `weights` a given file's name or
        the repository's.

    Raises:
        FeatvizError: If there is no such network, it has no weights, they cannot be fetched, or the file is not for it.

    >>> load("patterns")
    <Model patterns, 31 layers, 64 x 64 x 3>
    """
    entry = find(name)
    if weights is not None and not isinstance(weights, (str, os.PathLike)):
        raise FeatvizError(
            f"`weights` is of type {type(weights).__name__}; expected the path of a file, or hf-hub:OWNER/REPOSITORY"
        )

    import jax

    from featviz.zoo.weights.hub_weights import fetch_hub_weights
    from featviz.zoo.weights.locate import find_weights, read_entry_weights
    from featviz.zoo.weights.match import identify
    from featviz.zoo.weights.recorded_weights import PREFIX, recorded_weights

    given = "" if weights is None else Path(weights).as_posix()
    hub = fetch_hub_weights(given) if given.startswith(PREFIX) else None
    file = hub.file if hub else find_weights(entry) if weights is None else Path(weights)
    plan = _outline(entry)
    try:
        tree, file_source = read_entry_weights(entry, file, plan.weights["params"])
    except FeatvizError as error:
        networks = [] if weights is None else identify(file, ENTRIES, template=_template)
        if not networks or entry.name in networks:
            raise
        raise FeatvizError(f"{error}; it fits {join_or(networks)}") from None
    adapted = entry.adapted_to(file_source)
    if hub is not None:
        adapted = dataclasses.replace(adapted, input=hub.adapted(adapted.input))
    plan = plan if adapted == entry else _outline(adapted)
    # One transfer for the tree, not one for each tensor.
    variables = jax.device_put({"params": tree})
    source = {"model": entry.name} if weights is None else {"model": entry.name, "weights": recorded_weights(given)}
    return dataclasses.replace(plan, weights=variables, source=source)


def outline(name: str) -> Model:
    """A network of the zoo whose `weights` are shapes instead of arrays, for its layers and their shapes.

    Raises:
        FeatvizError: If there is no such network.

    >>> outline("googlenet").layer("inception_4c").units
    512
    """
    return _outline(find(name))


def _template(entry: Entry) -> "ShapeTree":
    """The network's tree of shapes."""
    import jax
    import jax.numpy as jnp

    image = jax.ShapeDtypeStruct((1, *entry.input.size, entry.input.channels), jnp.float32)
    template: ShapeTree = jax.eval_shape(entry.build().init, jax.random.key(0), image)["params"]
    return template


def _outline(entry: Entry) -> Model:
    from featviz.adapters.linen import from_linen

    variables = {"params": _template(entry)}
    return from_linen(entry.build(), variables, input=entry.input, name=entry.name, classes=entry.classes())
