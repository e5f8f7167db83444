"""Of what a harvest is: the photographs told apart from others, and a store's from what is asked for."""

from collections.abc import Iterator, Sized
from hashlib import sha256
from itertools import chain, islice
from typing import Any

import numpy as np

from featviz.dictionaries.fitting.activation_store import ActivationStore
from featviz.errors import FeatvizError
from featviz.model.network_record import name_network, same_network
from featviz.surveys.photos import Folder, Source, Stream, prepare, quiet

# Images from Python that are looked at.
FIRST = 16


def identified_source(source: Source, size: tuple[int, int], channels: int) -> tuple[Source, str]:
    """The source, of which nothing is consumed, and a digest that other photographs do not have.

    It is that of the names of a folder's files, or of the first images that come from Python and of their number.
    """
    if isinstance(source, Folder):
        return source, sha256("\n".join(source.names).encode()).hexdigest()
    first = list(islice(source.images, FIRST))
    if isinstance(source.images, Iterator):
        source = Stream(chain(first, source.images))
    digest = sha256(str(len(source.images)).encode() if isinstance(source.images, Sized) else b"")
    with quiet():
        for name, image, _ in Stream(first).items(0):
            photo = prepare(name, image, size, channels)
            digest.update(photo.name.encode() if photo.pixels is None else np.ascontiguousarray(photo.pixels).tobytes())
    return source, digest.hexdigest()


def check_same(store: ActivationStore, attributes: dict[str, Any]) -> None:
    """Refuses to resume a harvest of something else."""
    stored = store.attributes
    for name in ("network", "layer", "size", "input", "photos", "images", "sampling"):
        if name == "input" and name not in stored:
            continue  # of an earlier version, which does not say it
        before, now = _compared(name, stored.get(name)), _compared(name, attributes[name])
        if not (same_network(before, now) if name == "network" else before == now):
            found, asked = (_describe(name, each.get(name)) for each in (stored, attributes))
            raise FeatvizError(
                f"`{store.path}` holds activations with other {name}, {found} in place of {asked}; expected a new "
                "folder"
            )


def _compared(name: str, value: Any) -> Any:
    """What must be the same: the seed only where something is drawn."""
    return {**value, "seed": None} if name == "sampling" and value and value["per_photo"] is None else value


def _describe(name: str, value: Any) -> str:
    if name == "images":
        return "unknown ones" if value is None else f"those of digest {value[:8]}"
    if name == "network":
        return name_network(value)
    if name in ("input", "sampling"):
        return ", ".join(f"{key} {each}" for key, each in value.items())
    return "images from Python" if value is None else str(value)
