"""The keys of lanes: what each draws depends on the seed, on its objective and on the stage, and on no other lane."""

from collections.abc import Sequence
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Key, UInt32

from featviz.common.threefry import fold_in, is_default
from featviz.objectives import Objective


def lane_key(seed: int, objective: Objective, *, stage: int = 0) -> Key[Array, ""]:
    """The key of an objective's lane: the root key of the seed, folded with the objective's hash, then the stage."""
    return lane_keys(seed, [objective], stage=stage)[0]


def lane_keys(seed: int, objectives: Sequence[Objective], *, stage: int = 0) -> Key[Array, " lanes"]:
    """The keys of objectives' lanes, all at once: an accelerator would wait for thousands of small programs."""
    hashes = [objective.hash for objective in objectives]
    words = np.array([[int(digits[:8], 16), int(digits[8:16], 16)] for digits in hashes], np.uint32)
    root = jax.random.key(seed)
    if not is_default(root):
        return _fold(root, jnp.asarray(words), stage=stage)
    data = np.asarray(jax.random.key_data(root))[:, None]
    for part in (*words.T, *([np.full(len(words), stage, np.uint32)] if stage else [])):
        data = fold_in(data, part)
    return jax.random.wrap_key_data(jnp.asarray(data.T), impl="threefry2x32")


@partial(jax.jit, static_argnames="stage")
def _fold(root: Key[Array, ""], words: UInt32[Array, "lanes 2"], *, stage: int) -> Key[Array, " lanes"]:
    def fold_one(words: UInt32[Array, "2"]) -> Key[Array, ""]:
        key = jax.random.fold_in(jax.random.fold_in(root, words[0]), words[1])
        return jax.random.fold_in(key, stage) if stage else key

    return jax.vmap(fold_one)(words)
