"""Where arrays lie: weights that are spread over several devices are gathered on one."""

from typing import Any

import jax


def gather(tree: Any) -> Any:
    """A tree of arrays that one program can take: as it is, or on one device if its arrays lie on different ones.

    The device is that of the largest array. Arrays that are all sharded or replicated over the same devices stay so.

    >>> gather({"w": 1.0})
    {'w': 1.0}
    """
    arrays = [leaf for leaf in jax.tree.leaves(tree) if is_placed(leaf)]
    if len({frozenset(leaf.sharding.device_set) for leaf in arrays}) < 2:
        return tree
    largest = max(arrays, key=lambda leaf: leaf.nbytes)
    device = min(largest.sharding.device_set, key=lambda device: device.id)
    return jax.tree.map(lambda leaf: jax.device_put(leaf, device) if isinstance(leaf, jax.Array) else leaf, tree)


def is_placed(leaf: Any) -> bool:
    """Whether an array is bound to its devices; others follow those of the arrays that they meet."""
    return isinstance(leaf, jax.Array) and not isinstance(leaf, jax.core.Tracer) and leaf.committed
