"""A layer's activations over photographs, harvested once: sampled positions into a sharded store, resumable."""

import os
from collections.abc import Callable, Iterator, Mapping, Sized
from contextlib import closing
from dataclasses import asdict
from hashlib import sha256
from itertools import chain, islice
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, UInt8

from featviz.common.compilation import compiled
from featviz.common.files import delayed_interrupts
from featviz.common.kept import kept_with_owner
from featviz.common.progress import progress_bar
from featviz.dictionaries.fitting.activation_store import (
    CHUNKS_PER_SHARD,
    HELD_OUT,
    TRAIN,
    ActivationStore,
    Positions,
    create_activations,
    holds_activations,
    open_activations,
)
from featviz.dictionaries.fitting.position_sampling import Norms, Sampling
from featviz.errors import FeatvizError
from featviz.model import Apply, Model, Weights, hash_weights, require_model
from featviz.model.shapes import shapes_at
from featviz.rendering.checks import check_size
from featviz.surveys.photos import (
    Folder,
    Photo,
    PhotoInput,
    Source,
    Stream,
    find_photos,
    prepare,
    quiet,
    read_ahead,
)
from featviz.version import __version__

# Images a call of the compiled program.
BATCH = 16
# Of ten photographs one is held out.
HELD_OUT_EVERY = 10


def harvest(
    model: Model,
    layer: str,
    photos: PhotoInput,
    *,
    out: str | os.PathLike[str],
    sampling: Sampling,
    size: int | tuple[int, int] | None = None,
    progress: bool = True,
) -> ActivationStore:
    """The activations of a layer at sampled positions of photographs; one pass over them.

    Each tenth photograph is held out. Memory does not grow with their number. Ctrl-C keeps what is done, and the same
    call resumes it: the rows are the same as without a stop.

    Args:
      model: the network.
      layer: its name.
      photos: a folder, searched recursively, or an iterable of paths, PIL images or arrays.
      out: a new folder, or that of the same harvest, which is resumed.
      sampling: which positions.
      size: pixels, or (height, width); by default that of the network's training.
      progress: whether to show a progress bar.

    Raises:
      FeatvizError: for an unknown layer, a folder without images, an `out` that holds something else, or activations
        that are not finite.
    """
    name = require_model(model).layer(layer).name
    height, width = check_size(model.input.size if size is None else size, None)
    source, images = _identified(find_photos(photos), (height, width), model.input.channels)
    attributes = {
        "featviz": __version__,
        "network": {"name": model.name, **dict(model.source), "weights_sha256": hash_weights(model.weights)},
        "layer": name,
        "size": [height, width],
        "photos": str(source.path.resolve()) if isinstance(source, Folder) else None,
        "images": images,
        "sampling": asdict(sampling),
    }
    shape = shapes_at(model, (name,), (height, width))[name]
    path = Path(out)
    if holds_activations(path):
        store = open_activations(path, writable=True)
        _check_same(store, attributes)
    else:
        store = create_activations(path, attributes, shape[-1])
    if store.attributes["total"] is None:
        _run(model, store, source, name, (height, width), sampling, sampling.candidates(shape), progress=progress)
    return store


def _identified(source: Source, size: tuple[int, int], channels: int) -> tuple[Source, str]:
    """The source, of which nothing is consumed, and a digest that other photographs do not have.

    It is that of the names of a folder's files, or of the first images that come from Python and of their number.
    """
    if isinstance(source, Folder):
        return source, sha256("\n".join(source.names).encode()).hexdigest()
    first = list(islice(source.images, BATCH))
    if isinstance(source.images, Iterator):
        source = Stream(chain(first, source.images))
    digest = sha256(str(len(source.images)).encode() if isinstance(source.images, Sized) else b"")
    with quiet():
        for name, image, _ in Stream(first).items(0):
            photo = prepare(name, image, size, channels)
            digest.update(photo.name.encode() if photo.pixels is None else np.ascontiguousarray(photo.pixels).tobytes())
    return source, digest.hexdigest()


class _Harvested(NamedTuple):
    """What is harvested and not yet written: one value, so that a Ctrl-C finds it whole.

    Args:
      taken: how many photographs were read.
      norms: of all positions so far.
      faults: index -> why a photograph could not be read.
      parts: the positions that are not on the disk yet.
    """

    taken: int
    norms: Norms
    faults: Mapping[str, str]
    parts: Mapping[str, tuple[Positions, ...]]


def _run(
    model: Model,
    store: ActivationStore,
    source: Source,
    layer: str,
    size: tuple[int, int],
    sampling: Sampling,
    candidates: Int[np.ndarray, " positions"],
    *,
    progress: bool,
) -> None:
    done, total = store.attributes["done"], None if source.names is None else len(source.names)
    # Without those of photographs that were not finished.
    faults = {index: fault for index, fault in store.faults().items() if int(index) < done}
    nothing: dict[str, tuple[Positions, ...]] = {TRAIN: (), HELD_OUT: ()}
    state = _Harvested(done, Norms(**(store.attributes["norms"] or {})), faults, nothing)
    reader = read_ahead(source, size, channels=model.input.channels, batch=BATCH, start=done)
    shard = CHUNKS_PER_SHARD * store.chunk

    def flush(state: _Harvested) -> _Harvested:
        store.write_faults(state.faults)
        parts = {part: _join(rows, store.units) for part, rows in state.parts.items()}
        store.append(parts, state.taken, {"norms": state.norms._asdict()})
        return state._replace(parts=nothing)

    with closing(reader), progress_bar(None, total=total, initial=done, unit="photo", shown=progress) as bar:
        try:
            for photos in reader:
                drawn = np.stack([sampling.draw(state.taken + row, candidates) for row in range(BATCH)])
                values = sampled_activations(model, photos, layer, size, drawn)
                state = _add(state, photos, values, drawn, layer, high_norms=sampling.high_norms)
                bar.update(len(photos))
                if sum(len(rows.values) for rows in state.parts[TRAIN]) >= shard:
                    with delayed_interrupts():
                        state = flush(state)
        finally:
            # On Ctrl-C too: what is computed is kept.
            if state.taken > store.attributes["done"]:
                flush(state)
    if not len(state.faults) < state.taken:
        fault = next(iter(state.faults.values()), "none came")
        raise FeatvizError(f"`photos`: none of {state.taken} images can be read; {fault}")
    store.group.attrs["total"] = state.taken


def _add(
    state: _Harvested,
    photos: list[Photo],
    values: Float[np.ndarray, "n sampled units"],
    drawn: Int[np.ndarray, "n sampled"],
    layer: str,
    *,
    high_norms: bool,
) -> _Harvested:
    """The state with a batch of photographs."""
    readable = [row for row, photo in enumerate(photos) if photo.pixels is not None]
    for row in readable:
        if not np.isfinite(values[row]).all():
            raise FeatvizError(f"{layer} is not finite on the photo `{photos[row].name}`; expected finite values")
    norms = state.norms
    if norms.median is None and readable:
        norms = norms.measured(values[readable].reshape(-1, values.shape[-1]))
    parts = {part: list(rows) for part, rows in state.parts.items()}
    for row in readable:
        index = state.taken + row
        norms, high = norms.after(values[row])
        stays = ~high | high_norms
        own = np.full(int(stays.sum()), index, np.int32)
        part = HELD_OUT if index % HELD_OUT_EVERY == HELD_OUT_EVERY - 1 else TRAIN
        parts[part].append(Positions(values[row][stays], own, drawn[row][stays].astype(np.int32)))
    broken = {str(state.taken + row): photo.fault for row, photo in enumerate(photos) if photo.pixels is None}
    kept = {part: tuple(rows) for part, rows in parts.items()}
    return _Harvested(state.taken + len(photos), norms, {**state.faults, **broken}, kept)


def sampled_activations(
    model: Model, photos: list[Photo], layer: str, size: tuple[int, int], drawn: Int[np.ndarray, "n sampled"]
) -> Float[np.ndarray, "n sampled units"]:
    """A layer's activations at positions of at most `BATCH` photographs; of unreadable ones those of a black image.

    Args:
      model: the network.
      photos: as `read_ahead` gives them.
      layer: its name.
      size: (height, width) of the photographs.
      drawn: the positions of each, rows beyond the photographs included.
    """
    images = np.zeros((BATCH, *size, model.input.channels), np.uint8)
    for row, photo in enumerate(photos):
        if photo.pixels is not None:
            images[row] = photo.pixels
    args = (model.weights, images, drawn.astype(np.int32))
    return np.asarray(compiled(_sampling_program(model.apply, layer), *args)(*args))


@kept_with_owner(maxsize=16)
def _sampling_program(apply: Apply, layer: str) -> Callable[..., Array]:
    def sample(
        weights: Weights, images: UInt8[Array, "n h w c"], drawn: Int[Array, "n sampled"]
    ) -> Float[Array, "n sampled units"]:
        values = apply(weights, images.astype(jnp.float32) / jnp.float32(255), layers=(layer,))[layer]
        flat = values.reshape(values.shape[0], -1, values.shape[-1]).astype(jnp.float32)
        return jnp.take_along_axis(flat, drawn[..., None], axis=1)

    return jax.jit(sample)


def _join(rows: tuple[Positions, ...], units: int) -> Positions:
    """Rows of several photographs after each other."""
    empty = Positions(np.zeros((0, units), np.float32), np.zeros(0, np.int32), np.zeros(0, np.int32))
    return Positions(*(np.concatenate(arrays) for arrays in zip(empty, *rows, strict=True)))


def _check_same(store: ActivationStore, attributes: dict[str, Any]) -> None:
    """Refuses to resume a harvest of something else."""
    stored = store.attributes
    for name in ("network", "layer", "size", "photos", "images", "sampling"):
        if _compared(name, stored.get(name)) != _compared(name, attributes[name]):
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
        return f"{value['name']} ({value['weights_sha256'][:8]})"
    if name == "sampling":
        return ", ".join(f"{key} {each}" for key, each in value.items())
    return "images from Python" if value is None else str(value)
