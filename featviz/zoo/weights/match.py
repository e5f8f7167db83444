"""Which network a file of weights is for, and whose names it uses: ours, a source's, PyTorch's or Caffe's."""

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from flax.traverse_util import flatten_dict

from featviz.errors import FeatvizError
from featviz.zoo.entry import Entry, Source
from featviz.zoo.readers.reading_errors import base_name, check_file
from featviz.zoo.readers.weight_file import EXPECTED, read_tensors, tensor_names
from featviz.zoo.weights.convert import LEAVES, convert, torch_name
from featviz.zoo.weights.load import ArrayTree, ShapeTree, read_weights

# Tensors beside the weights in BVLC's GoogLeNet: the two auxiliary classifiers of its training.
CAFFE_IGNORED = (r"^loss[12]/",)
# A file may have auxiliary classifiers or lack a few tensors: it is a network's if it has this part of its tensors.
MIN_MATCHED = 0.9
# The number of values in a file, relative to the network's parameters: with statistics and auxiliary classifiers.
MIN_VALUES, MAX_VALUES = 0.95, 2.2


@dataclass(frozen=True)
class Naming:
    """One way in which a file may name a network's tensors.

    Attributes:
        names: A tensor's name in the file for its name in our network.
        ignored: Patterns of further tensors that the file may hold.
        source: The source whose naming it is, or None.
    """

    names: Callable[[str], str]
    ignored: tuple[str, ...]
    source: Source | None = None

    def count_matches(self, paths: Iterable[str], tensors: Iterable[str]) -> int:
        """How many of our tensors, by path, are among a file's tensors, by name."""
        return len(set(map(self.names, paths)) & set(tensors))


def caffe_name(path: str) -> str:
    """The name that `read_tensors` gives to a Caffe blob, for a tensor whose modules are named as Caffe's layers.

    >>> caffe_name("inception_4c/3x3_reduce/kernel")
    'inception_4c/3x3_reduce.weight'
    """
    *modules, leaf = path.split("/")
    return "/".join(modules) + "." + LEAVES.get(leaf, leaf)


def namings_of(sources: Sequence[Source]) -> list[Naming]:
    """The ways in which a network's files may name its tensors: as its sources do, as PyTorch, as Caffe."""
    namings = [Naming(source.names or torch_name, source.ignored, source) for source in sources]
    # Tensors that one source has beside the weights may be in any other file as well.
    namings.append(Naming(torch_name, tuple(pattern for source in sources for pattern in source.ignored)))
    return [*namings, Naming(caffe_name, CAFFE_IGNORED)]


def read_network(
    path: str | os.PathLike[str], template: ShapeTree, *, sources: Sequence[Source] = ()
) -> tuple[ArrayTree, Source | None]:
    """A network's weights from a file.

    Args:
        path: Our own safetensors file, or an official one of any kind that `read_tensors` takes.
        template: The network's tree of shapes, a nested dict of `jax.ShapeDtypeStruct`.
        sources: The network's sources. Of their namings, PyTorch's and Caffe's, the one is used that finds most tensors
            in the file.

    Returns:
        The tree of arrays, and the source whose names the file has, None if it has other names.

    Raises:
        FeatvizError: If the file cannot be read, or is not for this network; the message uses the best naming.
    """
    file = Path(path)
    check_file(file, expected=EXPECTED)
    paths = list(flatten_dict(template, sep="/"))
    namings = namings_of(sources)
    names = tensor_names(file)
    # Where no naming finds anything in a safetensors file, the message uses our names.
    if names is not None and len(set(paths) & set(names)) >= max(each.count_matches(paths, names) for each in namings):
        return read_weights(file, template), None
    tensors = read_tensors(file)
    naming = max(namings, key=lambda naming: naming.count_matches(paths, tensors))
    axes, ones = (naming.source.axes, naming.source.ones) if naming.source else (None, ())
    # A float64 may be too large for float32: `convert` then finds values that are not finite.
    with np.errstate(over="ignore"):
        tree = convert(
            tensors, template, file=base_name(file), names=naming.names, axes=axes, ignored=naming.ignored, ones=ones
        )
    return tree, naming.source


def identify(file: Path, entries: Iterable[Entry], *, template: Callable[[Entry], ShapeTree]) -> list[str]:
    """The names of the networks whose tensors a file has, in the right sizes; none if it cannot be read.

    Args:
        file: A file of weights.
        entries: The candidates.
        template: Gives a network's tree of shapes.
    """
    try:
        tensors = read_tensors(file)
    except FeatvizError:
        return []
    values = sum(array.size for array in tensors.values() if np.issubdtype(array.dtype, np.floating))
    candidates = [
        entry for entry in entries if MIN_VALUES * entry.parameters <= values <= MAX_VALUES * entry.parameters
    ]
    return [entry.name for entry in candidates if _has_tensors(tensors, entry, template(entry))]


def _has_tensors(tensors: Mapping[str, np.ndarray], entry: Entry, template: ShapeTree) -> bool:
    leaves = flatten_dict(template, sep="/")

    def count(names: Callable[[str], str]) -> int:
        expected = [(names(path), leaf.size) for path, leaf in leaves.items()]
        return sum(name in tensors and tensors[name].size == size for name, size in expected)

    own_names: list[Callable[[str], str]] = [lambda path: path]
    return max(map(count, own_names + [naming.names for naming in namings_of(entry.sources)])) >= MIN_MATCHED * len(
        leaves
    )
