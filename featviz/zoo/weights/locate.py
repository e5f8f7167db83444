"""Where the weights of a network of the zoo are: shipped, in the user's cache, or at their official address."""

from pathlib import Path
from typing import TYPE_CHECKING

from featviz.errors import FeatvizError
from featviz.zoo.entry import Entry, Source
from featviz.zoo.weights.download import fetch
from featviz.zoo.weights.weight_cache import cache_path, cached, discard

if TYPE_CHECKING:
    from featviz.zoo.weights.load import ArrayTree, ShapeTree


def on_disk(entry: Entry) -> Path | None:
    """The file of the network's weights, if it is shipped, or fetched from the first of its sources before."""
    return entry.bundled_path or next(filter(None, map(cached, entry.sources[:1])), None)


def find_weights(entry: Entry) -> Path:
    """The file of the network's weights; fetched from the first of its sources if it is not on disk.

    Raises:
        FeatvizError: If the network has no source, or its file cannot be fetched.
    """
    if file := on_disk(entry):
        return file
    if not entry.sources:
        raise FeatvizError(
            f"{entry.name} has no weights here; pass weights=FILE (--weights FILE on the command line), "
            f"a file of {entry.parameters:,} values"
        )
    return fetch(entry.sources[0])


def read_entry_weights(entry: Entry, file: Path, template: "ShapeTree") -> tuple["ArrayTree", Source | None]:
    """The network's weights from a file, as `match.read_network` returns them; a wrong file is removed from the cache.

    Raises:
        FeatvizError: If the file cannot be read, or is not for this network.
    """
    from featviz.zoo.weights.match import read_network

    try:
        return read_network(file, template, sources=entry.sources)
    except FeatvizError as error:
        fetched = next((source for source in entry.sources if _is_cached_as(source, file)), None)
        if fetched is None or not discard(fetched):
            raise
        raise FeatvizError(f"{error}; it came from {fetched.url} and is removed from the cache") from None


def _is_cached_as(source: Source, file: Path) -> bool:
    try:
        return cache_path(source) == file
    except FeatvizError:
        return False
