"""Whose names a file of weights uses: ours, those of one of the network's sources, or PyTorch's."""

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from flax.traverse_util import flatten_dict

from featviz.zoo.entry import Source
from featviz.zoo.readers.reading_errors import base_name, check_file
from featviz.zoo.readers.safetensors_file import tensor_names
from featviz.zoo.readers.weight_file import EXPECTED, read_tensors
from featviz.zoo.weights.convert import LEAVES, convert, torch_name
from featviz.zoo.weights.load import read_weights

# What BVLC's GoogLeNet has beside its weights: the two classifiers that only its training used.
CAFFE_IGNORED = (r"^loss[12]/",)


@dataclass(frozen=True)
class Way:
    """How a file may call the tensors, what it may hold beside them, and the source that it then is, if any."""

    names: Callable[[str], str]
    ignored: tuple[str, ...]
    source: Source | None = None

    def found(self, paths: Iterable[str], there: Iterable[str]) -> int:
        """How many of our tensors are in a file of these names."""
        return len(set(map(self.names, paths)) & set(there))


def caffe_name(path: str) -> str:
    """What `read_tensors` calls a blob of Caffe's for a tensor of ours whose modules are named as Caffe's layers.

    >>> caffe_name("inception_4c/3x3_reduce/kernel")
    'inception_4c/3x3_reduce.weight'
    """
    *modules, leaf = path.split("/")
    return "/".join(modules) + "." + LEAVES.get(leaf, leaf)


def ways_of(sources: Sequence[Source]) -> list[Way]:
    """How a network's files may call its tensors: as its sources do, as PyTorch does, as Caffe does."""
    ways = [Way(source.names or torch_name, source.ignored, source) for source in sources]
    # What one of the sources has beside the weights may be in any other file as well.
    ways.append(Way(torch_name, tuple(pattern for source in sources for pattern in source.ignored)))
    return [*ways, Way(caffe_name, CAFFE_IGNORED)]


def read_network(
    path: str | os.PathLike[str], template: Mapping[str, Any], *, sources: Sequence[Source] = ()
) -> tuple[dict[str, Any], Source | None]:
    """The network's tree from a file, and the source whose names the file has, None if it has other names.

    The file is our own safetensors, or an official one of any kind that `read_tensors` takes. Of the ways in which the
    tensors may be named, that one is taken which finds most of them in the file.

    Raises: FeatvizError if the file cannot be read, or is not for this network; it speaks of the names that fit best.
    """
    file = Path(path)
    check_file(file, expected=EXPECTED)
    paths = list(flatten_dict(template, sep="/"))
    ways = ways_of(sources)
    own = tensor_names(file)
    # Of another network's safetensors, in which no names are found, it is our names that are told.
    if own is not None and len(set(paths) & set(own)) >= max(way.found(paths, own) for way in ways):
        return read_weights(file, template), None
    tensors = read_tensors(file)
    way = max(ways, key=lambda way: way.found(paths, tensors))
    axes, ones = (way.source.axes, way.source.ones) if way.source else (None, ())
    # A float64 may be too large for our float32: `convert` then finds what is not finite.
    with np.errstate(over="ignore"):
        tree = convert(
            tensors, template, file=base_name(file), names=way.names, axes=axes, ignored=way.ignored, ones=ones
        )
    return tree, way.source
