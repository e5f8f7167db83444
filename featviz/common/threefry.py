"""JAX's random numbers computed without its programs: the same bits, by NumPy, or in one loop of a program."""

from collections.abc import Sequence
from math import prod
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float, PRNGKeyArray, UInt32

# Threefry-2x32 (Salmon et al. 2011): the rotations of its rounds, in groups of four, and the parity of its key.
ROTATIONS = ((13, 15, 26, 6), (17, 29, 16, 24))
PARITY = 0x1BD11BDA
GROUPS = 5


def is_default(key: PRNGKeyArray) -> bool:
    """Whether a key is of JAX's default kind, and draws as JAX does by default."""
    partitionable = getattr(jax.config, "jax_threefry_partitionable", False)
    return bool(partitionable) and str(jax.random.key_impl(key)) == "threefry2x32"


def normal(key: PRNGKeyArray, shape: tuple[int, ...], *, dtype: Any = jnp.float32) -> Float[Array, "*shape"]:
    """The numbers of `jax.random.normal`, from N(0, 1).

    On a CPU JAX draws bits by a loop of five passes over memory, where one does. They are computed by themselves: in
    one loop with the reads of a resampling before them XLA draws them one by one.

    >>> key = jax.random.key(3)
    >>> bool((normal(key, (5,)) == jax.random.normal(key, (5,))).all())
    True
    """
    fast = jax.default_backend() == "cpu" and dtype == jnp.float32 and is_default(key)
    if not fast or not 0 < prod(shape) < 1 << 32:
        return lax.optimization_barrier(jax.random.normal(key, shape, dtype))
    data, counters = jax.random.key_data(key), lax.iota(jnp.uint32, prod(shape))
    first, second = threefry((data[0], data[1]), (jnp.zeros_like(counters), counters))
    # Uniform in (-1, 1): the bits are the fraction of a number in [1, 2).
    in_two = lax.bitcast_convert_type(((first ^ second) >> np.uint32(9)) | np.uint32(0x3F800000), jnp.float32)
    low = np.nextafter(np.float32(-1), np.float32(0))
    uniform = jnp.maximum(low, (in_two - np.float32(1)) * (np.float32(1) - low) + low)
    return lax.optimization_barrier(np.float32(np.sqrt(2)) * lax.erf_inv(uniform)).reshape(shape)


def fold_in(key: UInt32[np.ndarray, "2 #n"], words: UInt32[np.ndarray, " n"]) -> UInt32[np.ndarray, "2 n"]:
    """The data of `jax.random.fold_in` for each of some words, by NumPy: nothing is compiled.

    >>> data = np.asarray(jax.random.key_data(jax.random.key(3)))
    >>> folded = fold_in(data[:, None], np.array([7], np.uint32))
    >>> bool((folded[:, 0] == jax.random.key_data(jax.random.fold_in(jax.random.key(3), 7))).all())
    True
    """
    return np.stack(threefry((key[0], key[1]), (np.zeros_like(words), words)))


def threefry(key: Sequence[Any], counters: Sequence[Any]) -> tuple[Any, Any]:
    """The two words of each pair of counters: of NumPy's arrays by NumPy, of JAX's by JAX."""
    keys = (key[0], key[1], key[0] ^ key[1] ^ np.uint32(PARITY))
    x, y = counters[0] + keys[0], counters[1] + keys[1]
    for group in range(GROUPS):
        for rotation in ROTATIONS[group % 2]:
            x = x + y
            y = x ^ ((y << np.uint32(rotation)) | (y >> np.uint32(32 - rotation)))
        x = x + keys[(group + 1) % 3]
        y = y + (keys[(group + 2) % 3] + np.uint32(group + 1))
    return x, y
