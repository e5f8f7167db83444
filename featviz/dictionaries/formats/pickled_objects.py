"""Pickles of whole modules and of configurations, read as inert values: no class is imported and nothing is called."""

import io
from collections.abc import Iterator
from dataclasses import dataclass, field
from dataclasses import replace as with_changes
from typing import Any

import numpy as np

from featviz.zoo.readers.pickles import Name, Rules
from featviz.zoo.readers.reading_errors import Budget, MalformedError
from featviz.zoo.readers.torch_files import read_zip_tree
from featviz.zoo.readers.torch_objects import MAX_DEPTH, MAX_VALUES, Tensor, to_arrays, torch_rules

# Packages whose objects become `Inert`: libraries of sparse autoencoders, and the layers that theirs are made of.
PACKAGES = (
    *("overcomplete.", "vit_prisma.", "sae_training.", "dictionary_learning.", "sae_lens.", "saev."),
    *("torch.nn.modules.", "sparsify."),
)
# Classes of plain values; what they are made of is not kept.
PLAIN = ("builtins.set", "__builtin__.set", "torch.Size", "pathlib.PosixPath", "pathlib.PurePosixPath")
# Names that stand for values.
VALUES = ("torch.float32", "torch.float16", "torch.bfloat16", "torch.float64", "torch.int64")
# What a module of PyTorch keeps its parts under.
PARTS = ("_parameters", "_buffers", "_modules")


@dataclass(frozen=True, slots=True)
class Inert:
    """An object of a pickle: the full name of its class, and its attributes."""

    kind: str
    fields: dict[str, object] = field(default_factory=dict)


def read_objects(file: io.BufferedIOBase, size: int) -> tuple[dict[str, np.ndarray], dict[str, object]]:
    """The tensors of a file of torch.save by name, and its plain values by name.

    Modules of PyTorch are read as their state dict, so that `encoder.weight` has one name whether a module or its state
    dict was saved. Other objects give their attributes: `cfg.k`. The class of the outermost object is under `""`.

    Raises:
        MalformedError: If the file is damaged, or names anything but tensors and these libraries' classes.
    """
    tree, load = read_zip_tree(file, size, inert_rules())
    tensors: dict[str, Tensor] = {}
    values: dict[str, object] = {"": tree.kind} if type(tree) is Inert else {}
    for name, value in _walk(tree, "", 0, Budget(MAX_VALUES, f"it has more than {MAX_VALUES:,} values")):
        if type(value) is Tensor:
            tensors[name] = value
        else:
            values[name] = value.full if type(value) is Name else value
    return to_arrays(tensors, load), values


def inert_rules() -> Rules:
    """The rules of torch.save's state dicts, with objects of `PACKAGES` as `Inert`."""
    base = torch_rules({})

    def knows(name: str) -> bool:
        return name.startswith(PACKAGES) or name in PLAIN or name in VALUES or base.knows(name)

    def make(name: str, arguments: tuple) -> object:
        if name.startswith(PACKAGES):
            return Inert(name)
        return None if name in PLAIN else base.make(name, arguments)

    def build(target: object, state: object) -> None:
        # The state of an object with slots is a pair of dicts.
        states = state if type(state) is tuple else (state,)
        if type(target) is Inert and all(part is None or type(part) is dict for part in states):
            for part in states:
                target.fields.update((key, value) for key, value in (part or {}).items() if type(key) is str)
        else:
            base.build(target, state)

    return with_changes(base, knows=knows, make=make, build=build)


def _walk(value: object, name: str, depth: int, budget: Budget) -> Iterator[tuple[str, object]]:
    if depth > MAX_DEPTH:
        raise MalformedError(f"its dicts are nested more than {MAX_DEPTH} deep")
    budget.spend(1)
    inside: dict[Any, object] | None = value if type(value) is dict else None
    if type(value) is Inert:
        own = {key: part for key, part in value.fields.items() if key not in PARTS}
        parts: list[Any] = [value.fields[key] for key in PARTS if type(value.fields.get(key)) is dict]
        # What PyTorch keeps of hooks begins with an underscore, attributes of modules do not.
        kept = {key: part for key, part in own.items() if not parts or not key.startswith("_")}
        inside = dict(kept)
        for each in parts:
            inside |= each
    if inside is None:
        yield name, value
        return
    for key, part in inside.items():
        if type(key) is str:
            yield from _walk(part, f"{name}.{key}" if name else key, depth + 1, budget)
