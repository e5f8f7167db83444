"""Whose names a file of weights uses: ours, those of one of the network's sources, or PyTorch's."""

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from flax.traverse_util import flatten_dict

from featviz.models.convert import LEAVES, convert, torch_name
from featviz.models.entry import Source
from featviz.models.reading.failures import base_name, check_file
from featviz.models.reading.files import EXPECTED, read_tensors
from featviz.models.reading.safetensors_file import tensor_names
from featviz.models.weights import read_weights

# What BVLC's GoogLeNet has beside its weights: the two classifiers that only its training used.
CAFFE_IGNORED = (r"^loss[12]/",)

Naming = tuple[Callable[[str], str], tuple[str, ...]]


def caffe_name(path: str) -> str:
    """What `read_tensors` calls a blob of Caffe's for a tensor of ours whose modules are named as Caffe's layers.

    >>> caffe_name("inception_4c/3x3_reduce/kernel")
    'inception_4c/3x3_reduce.weight'
    """
    *modules, leaf = path.split("/")
    return "/".join(modules) + "." + LEAVES.get(leaf, leaf)


def read_network(
    path: str | os.PathLike[str], template: Mapping[str, Any], *, sources: Sequence[Source] = ()
) -> dict[str, Any]:
    """The network's tree from a file: our own safetensors, or an official one of any kind that `read_tensors` takes.

    Of the ways in which the tensors may be named, that one is taken which finds most of them in the file.

    Raises: FeatvizError if the file cannot be read, or is not for this network; it speaks of the names that fit best.
    """
    file = Path(path)
    check_file(file, expected=EXPECTED)
    paths = list(flatten_dict(template, sep="/"))
    namings: list[Naming] = [(source.names or torch_name, source.ignored) for source in sources]
    # What one of the sources has beside the weights may be in any other file as well.
    namings.append((torch_name, tuple(pattern for source in sources for pattern in source.ignored)))
    namings.append((caffe_name, CAFFE_IGNORED))
    own = tensor_names(file)
    # Of another network's safetensors, in which no names are found, it is our names that are told.
    if own is not None and _found(paths, own) >= max(_found(map(names, paths), own) for names, _ in namings):
        return read_weights(file, template)
    tensors = read_tensors(file)
    names, ignored = max(namings, key=lambda naming: _found(map(naming[0], paths), tensors))
    # A float64 may be too large for our float32: `convert` then finds what is not finite.
    with np.errstate(over="ignore"):
        return convert(tensors, template, file=base_name(file), names=names, ignored=ignored)


def _found(names: Iterable[str], there: Iterable[str]) -> int:
    return len(set(names) & set(there))
