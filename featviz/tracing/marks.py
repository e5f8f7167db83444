"""Names that an adapter gives to the values of a framework's network while it is traced."""

import re
from contextlib import AbstractContextManager
from typing import Any

import jax
from jax.ad_checkpoint import checkpoint_name


def mark(name: str, tree: Any) -> Any:
    """The same arrays, named in the traced program: one array by `name`, several by `name/0`, `name/key`, ...

    Inside scans and rematerialized parts as well. Costs nothing when the program runs.
    """
    leaves, structure = jax.tree_util.tree_flatten_with_path(tree)
    arrays = [isinstance(leaf, jax.Array) for _, leaf in leaves]
    if not name or not any(arrays):
        return tree
    alone = sum(arrays) == 1
    named = [
        checkpoint_name(leaf, clean(name if alone else "/".join([name, *map(key_name, path)]))) if is_array else leaf
        for (path, leaf), is_array in zip(leaves, arrays, strict=True)
    ]
    return jax.tree_util.tree_unflatten(structure, named)


def within(path: str, *, opaque: bool = False) -> AbstractContextManager[None]:
    """The scope of a module by its whole path, wherever it is called from: what stands in it has that path's name.

    The scopes that open within an `opaque` one are no part of names: those of a framework's single operations, say.
    """
    return jax.named_scope(f"<{clean(path)}>" + ("." if opaque else ""))


def clean(name: str) -> str:
    """A layer's name without angle brackets, which are kept for names that no layer can have."""
    return re.sub(r"[<>]", "", name)


def key_name(entry: Any) -> str:
    """How an entry of a tree's path is written: a dict's key, a place in a list, a field's name."""
    return str(getattr(entry, "key", getattr(entry, "idx", getattr(entry, "name", entry))))
