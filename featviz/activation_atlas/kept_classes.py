"""The classes of a map's activations, kept photograph by photograph, so that a stopped run goes on where it was."""

from contextlib import closing
from typing import Any

import numpy as np

from featviz.activation_atlas.map_classes import MapClasses, attribute_classes, count_classes
from featviz.activation_atlas.map_positions import MapPositions
from featviz.activation_atlas.map_store import growing_arrays
from featviz.atlas.atlas_store import Store
from featviz.common.canonical import digest
from featviz.common.files import delayed_interrupts
from featviz.common.progress import progress_bar
from featviz.errors import FeatvizError, in_one_line
from featviz.model import Model
from featviz.surveys.photos import Source

# Photographs that are written at once.
BLOCK = 32


def kept_classes(
    model: Model, layer: str, source: Source, positions: MapPositions, store: Store, *, progress: bool
) -> MapClasses | None:
    """The classes of the activations, from the store as far as it has them; None for a network without classes.

    Args:
      model: the network.
      layer: the map's.
      source: the photographs.
      positions: the activations.
      store: of the map.
      progress: whether to show a bar.

    Raises:
      FeatvizError: if they cannot be written.
    """
    count = count_classes(model, layer)
    if not count:
        return None
    photos = int(positions.photo.max()) + 1
    shapes = {"classes": ((photos, count), "int32"), "scores": ((len(positions.photo), count), "float32")}
    group = growing_arrays(store, f"classes-{positions_key(positions)[:16]}", shapes)
    done = int(group.attrs["done"])
    starts = np.searchsorted(positions.photo, np.arange(photos + 1))
    waiting: list[tuple[np.ndarray, np.ndarray]] = []

    def flush() -> None:
        nonlocal done
        if not waiting:
            return
        last = done + len(waiting)
        with delayed_interrupts():
            group["classes"][done:last] = np.stack([classes for classes, _ in waiting])
            if starts[last] > starts[done]:
                group["scores"][starts[done] : starts[last]] = np.concatenate([scores for _, scores in waiting])
            group.attrs["done"] = done = last
            waiting.clear()

    found = attribute_classes(model, layer, source, positions, start=done)
    with (
        closing(found),
        progress_bar(None, total=photos, initial=done, unit="photo", desc="classes", shown=progress) as bar,
    ):
        try:
            for each in found:
                waiting.append(each)
                bar.update(1)
                if len(waiting) == BLOCK:
                    flush()
            flush()
        except OSError as error:
            waiting.clear()
            raise FeatvizError(
                f"`{store.location}` cannot be written: {error.strerror or in_one_line(error)}"
            ) from None
        finally:
            # On Ctrl-C too: what is computed is kept.
            flush()
    return _read(group, store)


def _read(group: Any, store: Store) -> MapClasses:
    try:
        return MapClasses(np.asarray(group["classes"][:]), np.asarray(group["scores"][:]))
    except Exception as error:  # a decoder may raise anything
        raise FeatvizError(
            f"`{store.location}`: {group.name.strip('/')} is damaged ({in_one_line(error)}); remove that folder, and "
            "the same command makes it again"
        ) from None


def positions_key(positions: MapPositions) -> str:
    """A hash of the activations and of where they are from."""
    return digest([positions.values, positions.photo, positions.position])
