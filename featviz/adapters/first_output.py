"""The network's output among what its function returns: the first array that can have units, in the network's order."""

from collections.abc import Iterator, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np


def first_output(returned: Any, *, of_one_image: bool = False) -> Any:
    """The first array of what a network returned.

    JAX sorts the keys of dicts; here they count in the network's own order. Whole numbers, such as the class that is
    largest, and one number for all images, such as a loss, are not the output where there is another array.

    >>> first_output({"logits": jax.numpy.ones(2), "aux": jax.numpy.zeros(3)}).shape
    (2,)
    >>> first_output((jax.numpy.ones(2, int), jax.numpy.float32(0), jax.numpy.zeros((2, 3)))).shape
    (2, 3)

    Args:
        returned: What the network returned.
        of_one_image: Whether it is of an image without its batch, which may have one number.

    Raises:
        IndexError: If there is none.
    """
    leaves = list(_leaves(returned))
    if not leaves:
        raise IndexError(f"it returned a {type(returned).__name__} without arrays; expected an array or a dict of them")
    fit = (leaf for leaf in leaves if jnp.issubdtype(jnp.result_type(leaf), jnp.inexact))
    return next((leaf for leaf in fit if of_one_image or np.ndim(leaf)), leaves[0])


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
