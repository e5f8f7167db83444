"""A harvest by shards: each takes a range of the photographs into a store of its own, and one store has them all."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from featviz.dictionaries.fitting.activation_store import (
    HELD_OUT,
    TRAIN,
    ActivationStore,
    Positions,
    holds_activations,
    open_activations,
)
from featviz.dictionaries.fitting.position_sampling import Norms
from featviz.errors import FeatvizError

# Chunks that are put together at once.
PIECE = 32


@dataclass(frozen=True)
class Shard:
    """One of `count` shards of a harvest, from 1 on.

    >>> str(Shard(2, 8))
    '2/8'
    """

    index: int
    count: int

    def __str__(self) -> str:
        return f"{self.index}/{self.count}"

    def photos(self, total: int, batch: int) -> tuple[int, int]:
        """Its first photograph, and the one after its last: whole batches, so that each is computed among the same.

        >>> [Shard(index, 3).photos(100, 16) for index in (1, 2, 3)]
        [(0, 32), (32, 64), (64, 100)]
        """
        batches = -(-total // batch)
        first, stop = (batches * index // self.count * batch for index in (self.index - 1, self.index))
        return first, min(stop, total)

    def path(self, whole: Path) -> Path:
        """The folder of its store, beside that of the whole harvest.

        >>> Shard(2, 8).path(Path("out/activations")).name
        'activations.2-of-8'
        """
        return whole.with_name(f"{whole.name}.{self.index}-of-{self.count}")


def find_shards(whole: Path) -> list[ActivationStore]:
    """The stores of all shards of a harvest, in their order; none if it was not harvested by shards.

    Raises:
      FeatvizError: if some of them are missing or not finished.
    """
    named = re.compile(re.escape(whole.name) + r"\.(\d+)-of-(\d+)")
    found = [match for path in whole.parent.glob("*-of-*") if (match := named.fullmatch(path.name))]
    counts = {int(match[2]) for match in found if holds_activations(whole.with_name(match[0]))}
    if not counts:
        return []
    if len(counts) > 1:
        numbers = " and ".join(f"{count} shards" for count in sorted(counts))
        raise FeatvizError(f"beside `{whole}` are some of {numbers}; expected all of one number")
    shards = [Shard(index, *counts) for index in range(1, max(counts) + 1)]
    paths = {shard: shard.path(whole) for shard in shards}
    stores = {shard: open_activations(path) for shard, path in paths.items() if holds_activations(path)}
    waiting = [str(s) for s in shards if s not in stores or stores[s].attributes["total"] is None]
    if waiting:
        raise FeatvizError(f"`{whole}`: not finished are shards {', '.join(waiting)}; expected all, by --shard I/N")
    return [stores[shard] for shard in shards]


def merge_shards(whole: ActivationStore, shards: list[ActivationStore]) -> None:
    """Appends the positions of all shards to a store, in order; what it has already is not read again.

    Args:
      whole: what they are appended to.
      shards: all of them, in their order.

    Raises:
      FeatvizError: if no photograph could be read, or the store cannot be written.
    """
    norms = Norms(**(whole.attributes["norms"] or {}))
    faults = {index: fault for shard in shards for index, fault in shard.faults().items()}
    if (total := shards[-1].attributes["total"]) <= len(faults):
        raise FeatvizError(f"`photos`: none of {total} images can be read; {next(iter(faults.values()), 'none came')}")
    whole.write_faults(dict(sorted(faults.items(), key=lambda item: int(item[0]))))
    for number, shard in enumerate(shards, 1):
        for parts, done in pieces(shard, whole.attributes["done"]):
            if done == shard.attributes["total"]:
                own = [each.attributes["norms"] for each in shards[:number]]
                norms = _sum([Norms(**each) for each in own if each is not None])
            whole.append(parts, done, {"norms": norms._asdict()})
    whole.group.attrs["total"] = total


def pieces(shard: ActivationStore, start: int) -> Iterator[tuple[dict[str, Positions], int]]:
    """The positions of a store's photographs from number `start` on, piece by piece, and where each piece ends.

    Memory does not grow with the store.
    """
    stop, size = int(shard.attributes["total"]), max(1, round(PIECE * shard.chunk))
    where = {part: shard.where(part) for part in (TRAIN, HELD_OUT)}
    while start < stop:
        first = int(np.searchsorted(where[TRAIN][0], start))
        following = where[TRAIN][0][first + size :][:1]
        # Photographs stay whole.
        end = max(int(following[0]), start + 1) if len(following) else stop
        parts = {}
        for part, (photo, position) in where.items():
            low, high = np.searchsorted(photo, (start, end)).tolist()
            parts[part] = Positions(shard.read(part, low, high), photo[low:high], position[low:high])
        yield parts, end
        start = end


def _sum(norms: list[Norms]) -> Norms:
    """Of all photographs; the median is that of the first ones."""
    first, *others = norms
    totals: list[Any] = [sum(column) for column in zip(*(each[1:] for each in (first, *others)), strict=True)]
    return Norms(first.median, *totals)
