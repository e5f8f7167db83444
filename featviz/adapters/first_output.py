"""The network's output among what its function returns: the first array, in the order that the network gives them."""

from collections.abc import Iterator, Mapping
from typing import Any

import jax


def first_output(returned: Any) -> Any:
    """The first array of what a network returned.

    JAX sorts the keys of dicts; here they count in the network's own order.

    >>> first_output({"logits": jax.numpy.ones(2), "aux": jax.numpy.zeros(3)}).shape
    (2,)

    Raises:
        IndexError: If there is none.
    """
    found = next(_leaves(returned), None)
    if found is None:
        raise IndexError(f"it returned a {type(returned).__name__} without arrays; expected an array or a dict of them")
    return found


def _leaves(tree: Any) -> Iterator[Any]:
    if isinstance(tree, Mapping):
        parts: Any = tree.values()
    elif isinstance(tree, list | tuple):
        parts = tree
    else:
        yield from jax.tree.leaves(tree)
        return
    for part in parts:
        yield from _leaves(part)
