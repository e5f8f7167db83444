"""`fv.survey`: one pass of a network over natural images, resumable, that stores every unit's largest activations."""

import os
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
from jaxtyping import Float, Int

from featviz.common.progress import progress_bar
from featviz.errors import ArgumentError, FeatvizError
from featviz.model import Model, require_model
from featviz.model.layer_patterns import block_layers
from featviz.model.network_record import record_network, same_network
from featviz.model.shapes import shapes_at
from featviz.rendering.checks import check_count, check_size
from featviz.surveys.photos import MAX_WINDOWS, Folder, Photo, PhotoInput, Source, find_photos, read_ahead
from featviz.surveys.reduction import BATCH, Maxima, maxima_of
from featviz.surveys.survey import Survey
from featviz.surveys.survey_store import (
    BLOCK,
    SurveyStore,
    create_store,
    describe_attribute,
    is_survey,
    open_store,
)
from featviz.surveys.token_grids import warn_of_guessed_places
from featviz.version import __version__


def survey(
    model: Model,
    photos: PhotoInput,
    *,
    out: str | os.PathLike[str],
    layers: Sequence[str] | None = None,
    size: int | tuple[int, int] | None = None,
    windows: int = 1,
    progress: bool = True,
) -> Survey:
    """Every unit's largest activation on natural images, and its position; one pass over the images.

    Unreadable images are skipped and named in `faults`. Memory does not grow with the number of images. Ctrl-C keeps
    what is done, and the same call resumes it.

    Args:
      model: the network.
      photos: a folder, searched recursively, or an iterable of paths, PIL images or arrays, uint8 or floats in [0,1].
        A network of more than three channels takes `.npy` and TIFF files of as many bands, and arrays.
        Those of an iterable are stored in the survey, and to resume it they must come in the same order.
      out: a new folder, or that of a survey of the same network, layers and photographs, which is resumed.
      layers: names of layers; by default the network's blocks.
      size: pixels, or (height, width); by default that of the network's training. Images are scaled to cover it, and
        cropped at the center.
      windows: k, for few large photographs: k x k overlapping windows of each in place of its center.
      progress: whether to show a progress bar.

    Returns: the finished survey.

    Raises: FeatvizError for an unknown layer, a folder without images, or an `out` that holds something else.

    >>> import featviz as fv, tempfile
    >>> photos = np.random.default_rng(0).random((4, 64, 64, 3))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     survey = fv.survey(fv.load("patterns"), photos, out=f"{folder}/survey", layers=["conv1"], progress=False)
    ...     survey.maxima("conv1").shape
    (4, 20)
    """
    chosen = choose_layers(require_model(model), layers)
    height, width = check_size(model.input.size if size is None else size, None)
    source = find_photos(photos, windows=check_count("windows", windows, 1, MAX_WINDOWS))
    attributes = {
        "featviz": __version__,
        "network": record_network(model),
        "layers": list(chosen),
        "size": [height, width],
        "input": model.input.encoding,
        "photos": str(source.path.resolve()) if isinstance(source, Folder) else None,
        "windows": source.windows,
    }
    units = _check_network(model, chosen, (height, width))
    channels = model.input.channels
    if channels not in (1, 3) and isinstance(photos, np.ndarray) and photos.shape[-1] != channels:
        raise FeatvizError(f"`photos` has {photos.shape[-1]} bands; expected {channels}, as {model.name} takes")
    path = Path(out)
    if is_survey(path):
        store = open_store(path, writable=True)
        _check_same(store, attributes, source)
    else:
        image = None if isinstance(source, Folder) else (height, width, model.input.channels)
        store = create_store(path, attributes, units, image)
    if isinstance(source, Folder) and not store.done:
        store.write_json("photos", list(source.files))
    if store.attributes["total"] is None:
        _run(model, store, source, chosen, (height, width), progress=progress)
    return Survey(store, model)


def choose_layers(model: Model, layers: Sequence[str] | None) -> tuple[str, ...]:
    """The layers to survey: those named, else the network's blocks.

    Raises: FeatvizError for an unknown one.
    """
    if layers is None:
        layers = [layer.name for layer in block_layers(model)]
    if isinstance(layers, str) or not layers:
        raise FeatvizError(f"`layers` is {layers!r}; expected a list of names, such as ['{model.layers[0].name}']")
    return tuple(dict.fromkeys(model.layer(name).name for name in layers))


class _Batch(NamedTuple):
    """Photographs from index `start` on, and the maxima that the device computes of them."""

    start: int
    photos: list[Photo]
    maxima: Maxima


def _run(
    model: Model, store: SurveyStore, source: Source, layers: tuple[str, ...], size: tuple[int, int], *, progress: bool
) -> None:
    first, total = store.done, None if source.names is None else len(source.names)
    names: list[str] = store.read_json("photos", [])
    # Without those of a block that was not finished.
    faults = {index: fault for index, fault in store.read_json("faults", {}).items() if int(index) < first}
    reader = read_ahead(source, size, channels=model.input.channels, batch=BATCH, start=first)
    block: list[_Batch] = []
    taken = first

    def flush() -> None:
        if not block:
            return
        start = block[0].start
        photos = [photo for batch in block for photo in batch.photos]
        faults.update({str(start + i): photo.fault for i, photo in enumerate(photos) if photo.pixels is None})
        if source.names is None:
            del names[start:]
            names.extend(photo.name for photo in photos)
            store.write_json("photos", names)
        store.write_json("faults", faults)
        rows = {layer: _rows(block, layer) for layer in layers}
        blank = np.zeros((*size, model.input.channels), np.uint8)
        images = [photo.pixels if photo.pixels is not None else blank for photo in photos]
        store.append(start, rows, np.stack(images) if source.names is None else None)
        block.clear()

    with closing(reader), progress_bar(None, total=total, initial=first, unit="photo", shown=progress) as bar:
        try:
            for photos in reader:
                images = np.zeros((BATCH, *size, model.input.channels), np.uint8)
                for row, photo in enumerate(photos):
                    if photo.pixels is not None:
                        images[row] = photo.pixels
                # The result is not awaited: the next batch is collected while the device works.
                block.append(_Batch(taken, photos, maxima_of(model, images, layers)))
                taken += len(photos)
                bar.update(len(photos))
                # A survey resumed in the middle of a chunk stops at the chunk's end too.
                if taken % BLOCK == 0 or len(block) * BATCH >= BLOCK:
                    flush()
        finally:
            # On Ctrl-C too, perhaps a second time for this block: what is computed is kept.
            flush()
    if not len(faults) < store.done:
        raise FeatvizError(
            f"`photos`: none of {store.done} images can be read; {next(iter(faults.values()), 'none came')}"
        )
    store.group.attrs["total"] = store.done


def _rows(
    block: Sequence[_Batch], layer: str
) -> tuple[Float[np.ndarray, "photos units"], Int[np.ndarray, "photos units"]]:
    """A layer's maxima and positions on the photographs of a block; nan and -1 for unreadable ones."""
    maxima, positions = [], []
    for batch in block:
        largest, position = (np.array(values)[: len(batch.photos)] for values in jax.device_get(batch.maxima[layer]))
        unreadable = [photo.pixels is None for photo in batch.photos]
        largest[unreadable], position[unreadable] = np.nan, -1
        maxima.append(largest)
        positions.append(position)
    return np.concatenate(maxima), np.concatenate(positions)


def _check_network(model: Model, layers: tuple[str, ...], size: tuple[int, int]) -> dict[str, int]:
    """Layer -> its number of units, of a network that runs on photographs of this size."""
    try:
        shapes = shapes_at(model, layers, size)
    except Exception as error:
        line = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise FeatvizError(f"{model.name} cannot run on images of `size` {size[0]}x{size[1]}: {line}") from error
    for layer, shape in shapes.items():
        if len(shape) not in (1, 2, 3) or 0 in shape:
            raise FeatvizError(f"{layer} is {shape} for images of {size[0]}x{size[1]}; expected (h, w, c) or (c,)")
    warn_of_guessed_places({layer: shapes[layer] for layer in layers}, size, stacklevel=4)
    return {layer: shapes[layer][-1] for layer in layers}


def _check_same(store: SurveyStore, attributes: dict[str, Any], source: Source) -> None:
    """Refuses to resume a survey of something else."""
    stored = store.attributes
    for name in ("network", "layers", "size", "input", "photos", "windows"):
        # A survey of an earlier version does not say what its network's input was.
        found, given = stored.get(name, attributes[name]), attributes[name]
        if not (same_network(found, given) if name == "network" else found == given):
            raise ArgumentError(
                f"`out`: `{store.path}` is a survey of other {name}, {describe_attribute(name, found)} in place of "
                f"{describe_attribute(name, given)}; expected a new folder"
            )
    if isinstance(source, Folder) and store.done and store.read_json("photos", []) != list(source.files):
        raise ArgumentError(
            f"`out`: `{store.path}` is a survey of other photos in the same folder; expected a new folder"
        )
