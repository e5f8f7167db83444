"""Names that an adapter gives to the values of a framework's network while it is traced."""

import re
from contextlib import AbstractContextManager
from typing import Any, TypeVar

import jax
from jax.ad_checkpoint import checkpoint_name

Tree = TypeVar("Tree")


def mark(name: str, tree: Tree) -> Tree:
    """The same arrays, named in the traced program. Costs nothing when the program runs.

    Names reach inside scans and rematerialized parts as well.

    Args:
        name: The name of the array, where `tree` holds one; of several, each is `name/PATH`, such as `name/0`.
        tree: A pytree; leaves that are not arrays stay as they are.
    """
    leaves, structure = jax.tree_util.tree_flatten_with_path(tree)
    is_array = [isinstance(leaf, jax.Array) for _, leaf in leaves]
    if not name or not any(is_array):
        return tree
    single = sum(is_array) == 1
    marked = [
        checkpoint_name(leaf, clean_name(name if single else "/".join([name, *map(entry_name, path)])))
        if array
        else leaf
        for (path, leaf), array in zip(leaves, is_array, strict=True)
    ]
    return jax.tree_util.tree_unflatten(structure, marked)


def module_scope(path: str, *, opaque: bool = False) -> AbstractContextManager[None]:
    """A named scope for the module at `path`, wherever it is called from: values inside are named after it.

    Args:
        path: The module's full path in the network.
        opaque: Whether scopes that open inside are left out of names, such as those of a framework's operations.
    """
    return jax.named_scope(f"<{clean_name(path)}>" + ("." if opaque else ""))


def clean_name(name: str) -> str:
    """A layer's name without angle brackets, which are reserved for names that no layer can have."""
    return re.sub(r"[<>]", "", name)


def entry_name(entry: Any) -> str:
    """An entry of a pytree's path as text: a dict's key, an index, a field's name."""
    return str(getattr(entry, "key", getattr(entry, "idx", getattr(entry, "name", entry))))
