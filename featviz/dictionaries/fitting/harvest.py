"""A layer's activations over photographs, harvested once: sampled positions into a sharded store, resumable."""

import os
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import asdict, replace
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
from featviz.dictionaries.fitting.harvest_identity import check_same, identified_source
from featviz.dictionaries.fitting.harvest_shards import Shard, find_shards, merge_shards
from featviz.dictionaries.fitting.position_sampling import Norms, Sampling
from featviz.errors import FeatvizError
from featviz.model import Apply, Model, Weights, require_model
from featviz.model.network_record import record_network
from featviz.model.shapes import shapes_at
from featviz.rendering.checks import check_size
from featviz.surveys.photos import Folder, Photo, PhotoInput, Source, find_photos, read_ahead
from featviz.version import __version__

# Images a call of the compiled program.
BATCH = 16
# Of ten photographs one is held out.
HELD_OUT_EVERY = 10
WHOLE = Shard(1, 1)


def harvest(
    model: Model,
    layer: str,
    photos: PhotoInput,
    *,
    out: str | os.PathLike[str],
    sampling: Sampling,
    size: int | tuple[int, int] | None = None,
    shard: Shard = WHOLE,
    progress: bool = True,
) -> ActivationStore:
    """The activations of a layer at sampled positions of photographs; one pass over them.

    Each tenth photograph is held out. Memory does not grow with their number. Ctrl-C keeps what is done, and the same
    call resumes it: the rows are the same as without a stop. Shards are put together by the call without one, once all
    are finished: the rows are the same as without shards.

    Args:
      model: the network.
      layer: its name.
      photos: a folder, searched recursively, or an iterable of paths, PIL images or arrays.
      out: a new folder, or that of the same harvest, which is resumed.
      sampling: which positions.
      size: pixels, or (height, width); by default that of the network's training.
      shard: which of how many shares of the photographs, into a folder of its own beside `out`; by default all.
      progress: whether to show a progress bar.

    Raises:
      FeatvizError: for an unknown layer, a folder without images, an `out` that holds something else, activations
        that are not finite, a shard of images from Python, or shards that are not finished.
    """
    name = require_model(model).layer(layer).name
    height, width = check_size(model.input.size if size is None else size, None)
    source, images = identified_source(find_photos(photos), (height, width), model.input.channels)
    attributes: dict[str, Any] = {
        "featviz": __version__,
        "network": record_network(model),
        "layer": name,
        "size": [height, width],
        "input": model.input.encoding,
        "photos": str(source.path.resolve()) if isinstance(source, Folder) else None,
        "images": images,
        "sampling": asdict(sampling),
    }
    shape = shapes_at(model, (name,), (height, width))[name]
    # `.` has no name beside which shards could lie.
    path = Path(out) if Path(out).name not in ("", "..") else Path(out).resolve()
    shards: list[ActivationStore] = []
    if shard != WHOLE:
        if not isinstance(source, Folder):
            raise FeatvizError(f"`shard` is {shard} of images from Python; expected a folder of photographs")
        first, stop = shard.photos(len(source.names), BATCH)
        source, path = replace(source, files=source.files[:stop]), shard.path(path)
        attributes |= {"done": first, "first": first}
    elif not _is_whole(path):
        shards = find_shards(path)
        for each in shards:
            check_same(each, attributes)
    if holds_activations(path):
        store = open_activations(path, writable=True)
        check_same(store, attributes)
    else:
        store = create_activations(path, attributes, shape[-1])
    if shards:
        merge_shards(store, shards)
    elif store.attributes["total"] is None:
        candidates = sampling.candidates(shape, (height, width))
        _run(model, store, source, name, (height, width), sampling, candidates, progress=progress)
    return store


def _is_whole(path: Path) -> bool:
    """Whether a folder has all activations."""
    return holds_activations(path) and open_activations(path).attributes["total"] is not None


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
    first = store.attributes.get("first", 0)
    norms = Norms(**(store.attributes["norms"] or {}))
    if done == first > 0:
        norms = _first_norms(model, source, layer, size, sampling, candidates)
    state = _Harvested(done, norms, faults, nothing)
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
    # A shard may have none.
    if "first" not in store.attributes and not len(state.faults) < state.taken:
        fault = next(iter(state.faults.values()), "none came")
        raise FeatvizError(f"`photos`: none of {state.taken} images can be read; {fault}")
    store.group.attrs["total"] = state.taken


def _first_norms(
    model: Model,
    source: Source,
    layer: str,
    size: tuple[int, int],
    sampling: Sampling,
    candidates: Int[np.ndarray, " positions"],
) -> Norms:
    """The median at the first of all photographs, as a shard without them needs it."""
    with closing(read_ahead(source, size, channels=model.input.channels, batch=BATCH)) as reader:
        for index, photos in enumerate(reader):
            if readable := [row for row, photo in enumerate(photos) if photo.pixels is not None]:
                drawn = np.stack([sampling.draw(index * BATCH + row, candidates) for row in range(BATCH)])
                values = sampled_activations(model, photos, layer, size, drawn)
                return Norms().measured(values[readable].reshape(-1, values.shape[-1]))
    return Norms()


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
