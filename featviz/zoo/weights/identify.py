"""Which networks of the zoo a file of weights is for, told to those who give it to another."""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from flax.traverse_util import flatten_dict

from featviz.errors import FeatvizError
from featviz.zoo.entry import Entry
from featviz.zoo.readers.weight_file import read_tensors
from featviz.zoo.weights.match import ways_of

# A file may have classifiers that only the training used, or lack a few tensors: this part of the network's is found.
FOUND = 0.9
# How many values a file has, of the network's parameters: with statistics and what only the training used.
FEWEST, MOST = 0.95, 2.2

Template = Callable[[Entry], Mapping[str, Any]]


def belongs_to(file: Path, entries: Iterable[Entry], *, template: Template) -> list[str]:
    """The names of the networks whose tensors a file has, of the same sizes; none if it cannot be read.

    `template` gives a network's tree of shapes.
    """
    try:
        tensors = read_tensors(file)
    except FeatvizError:
        return []
    values = sum(array.size for array in tensors.values() if np.issubdtype(array.dtype, np.floating))
    near = [entry for entry in entries if FEWEST * entry.parameters <= values <= MOST * entry.parameters]
    return [entry.name for entry in near if _fits(tensors, entry, template(entry))]


def _fits(tensors: Mapping[str, np.ndarray], entry: Entry, template: Mapping[str, Any]) -> bool:
    leaves = flatten_dict(template, sep="/")

    def found(names: Callable[[str], str]) -> int:
        called = [(names(path), leaf.size) for path, leaf in leaves.items()]
        return sum(name in tensors and tensors[name].size == size for name, size in called)

    ways = [lambda path: path, *(way.names for way in ways_of(entry.sources))]
    return max(map(found, ways)) >= FOUND * len(leaves)
