"""Batches of positions in random order, of a store that need not fit into memory."""

import itertools
from collections.abc import Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from featviz.dictionaries.fitting.activation_store import TRAIN, ActivationStore

# What is shuffled together: as many chunks, drawn from all of the store. Another such pool is read ahead.
POOL_BYTES = 256 * 2**20


def shuffled_batches(
    store: ActivationStore, batch: int, *, seed: int, start: int = 0, pool_bytes: int = POOL_BYTES
) -> Generator[Float[np.ndarray, "batch units"], None, None]:
    """Batches without end, pass after pass over the training positions; what is left of a pool is in the next pass.

    A pass takes all chunks in random order, pool by pool, and a pool's positions in random order. The batch of a step
    follows from the seed and the step alone, so that a training goes on where it stopped.

    Args:
      store: of the activations.
      batch: positions a batch, at most as many as there are.
      seed: of the order.
      start: the step of the first batch.
      pool_bytes: of a pool.
    """
    rows, chunk = store.rows(TRAIN), store.chunk
    per_pool = max(2 * -(-batch // chunk) + 2, pool_bytes // (4 * store.units * chunk))
    coming = _from_step(_pools(rows, chunk, per_pool, seed), batch, start)
    with ThreadPoolExecutor(1, "activations") as reading:
        pool = next(coming)
        waiting = reading.submit(store.read_chunks, pool.chunks)
        for following in coming:
            values = waiting.result()
            # A store of one pool is read once.
            if following.chunks != pool.chunks:
                waiting = reading.submit(store.read_chunks, following.chunks)
            for index in range(pool.first, len(pool.order) // batch):
                yield values[pool.order[index * batch : (index + 1) * batch]]
            pool = following


class _Pool(NamedTuple):
    """Chunks that are shuffled together, the order of their positions, and the first batch to take of them."""

    chunks: tuple[int, ...]
    order: Int[np.ndarray, " rows"]
    first: int = 0


def _pools(rows: int, chunk: int, per_pool: int, seed: int) -> Iterator[_Pool]:
    """The pools of pass after pass."""
    count = -(-rows // chunk)
    for epoch in itertools.count():
        rng = np.random.default_rng([seed, epoch])
        for own in np.array_split(rng.permutation(count), -(-count // per_pool)):
            size = sum(min(chunk, rows - int(index) * chunk) for index in own)
            yield _Pool(tuple(sorted(own.tolist())), rng.permutation(size))


def _from_step(pools: Iterator[_Pool], batch: int, start: int) -> Iterator[_Pool]:
    """The pools from that of a step on."""
    for pool in pools:
        batches = len(pool.order) // batch
        if start < batches:
            yield pool._replace(first=start)
        start = max(0, start - batches)
