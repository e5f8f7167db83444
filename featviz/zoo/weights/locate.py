"""Where a network's weights are: shipped, in the user's cache, or at their official place."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from featviz.errors import FeatvizError
from featviz.zoo.entry import Entry, Source
from featviz.zoo.weights.download import cached, discard, fetch, place


def on_disk(entry: Entry) -> Path | None:
    """The file with the network's weights, if it is on this disk: shipped, or fetched from the first of its sources."""
    return entry.bundled_path or next(filter(None, map(cached, entry.sources[:1])), None)


def find_weights(entry: Entry) -> Path:
    """The file with the network's weights; fetched from the first of its sources if it is nowhere here.

    Raises: FeatvizError if it has none, or if it cannot be fetched.
    """
    if file := on_disk(entry):
        return file
    if not entry.sources:
        raise FeatvizError(
            f"{entry.name} has no weights here; pass weights=FILE (--weights FILE on the command line), "
            f"a file of {entry.parameters:,} values"
        )
    return fetch(entry.sources[0])


def read_found(entry: Entry, file: Path, template: Mapping[str, Any]) -> tuple[dict[str, Any], Source | None]:
    """What `read_network` gives of a file; one of the cache that is none of this network does not stay there.

    Raises: FeatvizError if the file cannot be read, or is not for this network.
    """
    from featviz.zoo.weights.match import read_network

    try:
        return read_network(file, template, sources=entry.sources)
    except FeatvizError as error:
        fetched = next((source for source in entry.sources if _is_of(source, file)), None)
        if fetched is None or not discard(fetched):
            raise
        raise FeatvizError(f"{error}; it came from {fetched.url} and is removed from the cache") from None


def _is_of(source: Source, file: Path) -> bool:
    try:
        return place(source) == file
    except FeatvizError:
        return False
