"""The survey: what every unit of chosen layers does on natural images, in one pass."""

import os
from collections.abc import Iterable, Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import jax
import numpy as np
from tqdm import tqdm

from featviz.errors import FeatvizError, nearest
from featviz.model import Layer, Model, hash_weights, require_model
from featviz.model.layer_patterns import block_layers
from featviz.model.shapes import shapes_at
from featviz.rendering.checks import check_count, check_size
from featviz.surveys.photos import MOST_WINDOWS, Folder, Photo, Source, find_photos, prepare, quiet, read_ahead
from featviz.surveys.receptive_fields import Grid, receptive_fields
from featviz.surveys.reduction import BATCH, Maxima, grid_at, maxima_of
from featviz.surveys.survey_store import BLOCK, Store, create, is_survey, open_store, told
from featviz.version import __version__

# Images on which receptive fields are seen.
SEEN = 4


class Survey:
    """What natural images do to the units of a network: opened by `open_survey`, made by `survey`.

    `maxima(layer)` are the units' largest activations over interior positions, (photos, units); `positions(layer)`
    where they are. Photos that could not be read are nan, -1 and False in `readable`.
    """

    def __init__(self, store: Store, model: Model, photos: str | os.PathLike[str] | None = None) -> None:
        attributes = store.attributes
        sha256 = hash_weights(model.weights)
        if attributes["network"]["weights_sha256"] != sha256:
            raise FeatvizError(
                f"`{store.path}` surveys {attributes['network']['name']} with other weights "
                f"({attributes['network']['weights_sha256'][:8]}) than {model.name}'s ({sha256[:8]})"
            )
        self.store, self.model = store, model
        self.size: tuple[int, int] = tuple(attributes["size"])
        self.folder = Path(photos) if photos is not None else Path(attributes["photos"] or ".")
        self.windows = int(attributes["windows"])
        self.files: list[str] = store.noted("photos", [])
        self.names = Folder(self.folder, tuple(self.files), self.windows).names[: store.done]
        self.faults: dict[str, str] = store.noted("faults", {})
        self.readable = np.array([str(number) not in self.faults for number in range(store.done)], bool)

    def __repr__(self) -> str:
        layers = ", ".join(self.layers[:3]) + (", ..." if len(self.layers) > 3 else "")
        whole = "" if self.complete else ", unfinished"
        return f"<Survey of {self.model.name}, {len(self)} photos, {layers}{whole}>"

    def __len__(self) -> int:
        return self.store.done

    @property
    def complete(self) -> bool:
        return self.store.attributes["total"] == self.store.done

    @property
    def layers(self) -> tuple[str, ...]:
        return tuple(self.store.attributes["layers"])

    def layer(self, name: str) -> Layer:
        """A surveyed layer. Raises FeatvizError with the nearest name for any other."""
        if name not in self.layers:
            raise FeatvizError(f"the survey has no layer `{name}`; {nearest(name, self.layers)}")
        return self.model.layer(name)

    def maxima(self, layer: str, *, units: Any = slice(None)) -> np.ndarray:
        """Largest activations over interior positions, float32, (photos, units), nan where a photo is unreadable."""
        return self.store.column(self.layer(layer).name, "maxima", units=units)

    def positions(self, layer: str, *, units: Any = slice(None)) -> np.ndarray:
        """Where they are: row * columns + column, int32, (photos, units)."""
        return self.store.column(self.layer(layer).name, "positions", units=units)

    def grid(self, layer: str) -> Grid:
        """The layer's positions at the size of the survey."""
        return grid_at(self.model, layer, self.size)

    def receptive_field(self, layer: str) -> int:
        """The side in pixels of the layer's effective receptive field, measured once and kept in the store."""
        known = self.store.noted("receptive_fields", {})
        if layer not in known:
            numbers = np.flatnonzero(self.readable)[:: max(1, int(self.readable.sum()) // SEEN)][:SEEN]
            if not len(numbers):
                raise FeatvizError(f"`{self.store.path}` has no photos yet; expected a survey that has run")
            images = np.stack([self.photo(number) for number in numbers]).astype(np.float32) / np.float32(255)
            known |= receptive_fields(self.model, images, (self.layer(layer).name,))
            with suppress(FeatvizError):  # of a survey on a read-only disk: found again the next time
                self.store.note("receptive_fields", known)
        return int(known[layer])

    def photo(self, number: int) -> np.ndarray:
        """A photo as the network saw it, uint8, (height, width, channels).

        Raises: FeatvizError if there is none of that number, or it could not be read, or is not where it was.
        """
        if not 0 <= number < len(self):
            raise FeatvizError(f"`number` {number} is out of range; the survey has {len(self)} photos")
        if not self.readable[number]:
            raise FeatvizError(f"the photo `{self.names[number]}` cannot be read: {self.faults[str(number)]}")
        if "images" in self.store.group:
            return np.asarray(self.store.group["images"][int(number)])
        file, window = divmod(int(number), self.windows**2)
        name = self.files[file]
        where = (self.windows, window)
        with quiet():
            made = prepare(name, self.folder / name, self.size, self.model.input.channels, window=where)
        if made.pixels is None:
            raise FeatvizError(
                f"the photo `{name}` cannot be read any more: {made.fault}; `photos` says where they are"
            )
        return made.pixels


def survey(
    model: Model,
    photos: str | os.PathLike[str] | Iterable[Any],
    *,
    out: str | os.PathLike[str],
    layers: Sequence[str] | None = None,
    size: int | tuple[int, int] | None = None,
    windows: int = 1,
    progress: bool = True,
) -> Survey:
    """One pass over natural images: every unit's largest activation on each of them, and where it is.

    Args:
      photos: a folder of images, searched through and through, or an iterable of paths, PIL images or arrays (uint8
        or floats in [0,1]). What comes from no folder is kept in the survey; to continue, it must come in the
        same order.
      out: a new folder, or that of a survey of the same network, layers and photos, which is continued.
      layers: by default the network's blocks.
      size: pixels a side, by default those of the network's training; images are scaled to cover it, and their
        middles taken.

      windows: of few large photographs, k x k overlapping windows each, in place of their middles.

    Images that cannot be read are skipped and named in `faults`. Memory does not grow with the number of images.

    >>> import featviz as fv, tempfile
    >>> photos = np.random.default_rng(0).random((4, 64, 64, 3))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     found = fv.survey(fv.load("patterns"), photos, out=f"{folder}/survey", layers=["conv1"], progress=False)
    ...     found.maxima("conv1").shape
    (4, 20)

    Raises: FeatvizError for an unknown layer, a folder without images, or an `out` that holds something else.
    """
    chosen = choose_layers(require_model(model), layers)
    height, width = check_size(model.input.size if size is None else size, None)
    source = find_photos(photos, windows=check_count("windows", windows, 1, MOST_WINDOWS))
    attributes = {
        "featviz": __version__,
        "network": {"name": model.name, **dict(model.source), "weights_sha256": hash_weights(model.weights)},
        "layers": list(chosen),
        "size": [height, width],
        "photos": str(source.path.resolve()) if isinstance(source, Folder) else None,
        "windows": source.windows,
    }
    units = _check_network(model, chosen, (height, width))
    path = Path(out)
    if is_survey(path):
        store = open_store(path, writable=True)
        _check_same(store, attributes, source)
    else:
        image = None if isinstance(source, Folder) else (height, width, model.input.channels)
        store = create(path, attributes, units, image)
    if isinstance(source, Folder) and not store.done:
        store.note("photos", list(source.files))
    if store.attributes["total"] is None:
        _run(model, store, source, chosen, (height, width), progress=progress)
    return Survey(store, model)


def open_survey(path: str | os.PathLike[str], model: Model, *, photos: str | os.PathLike[str] | None = None) -> Survey:
    """A survey from the disk; `photos` says where its folder of images is now, if it has moved.

    Raises: FeatvizError if there is none, or if it is of another network or other weights.
    """
    return Survey(open_store(path, writable=os.access(path, os.W_OK)), model, photos)


def _run(
    model: Model,
    store: Store,
    source: Source,
    layers: tuple[str, ...],
    size: tuple[int, int],
    *,
    progress: bool,
) -> None:
    done, total = store.done, None if source.names is None else len(source.names)
    names: list[str] = store.noted("photos", [])
    # Not those of a block that was not finished.
    faults = {number: fault for number, fault in store.noted("faults", {}).items() if int(number) < done}
    reader = read_ahead(source, size, channels=model.input.channels, batch=BATCH, start=done)
    block: list[tuple[int, list[Photo], Maxima]] = []
    taken = done

    def flush() -> None:
        if not block:
            return
        number = block[0][0]
        photos = [photo for _, batch, _ in block for photo in batch]
        faults.update({str(number + i): photo.fault for i, photo in enumerate(photos) if photo.pixels is None})
        if source.names is None:
            del names[number:]
            names.extend(photo.name for photo in photos)
            store.note("photos", names)
        store.note("faults", faults)
        rows = {layer: _rows(block, layer) for layer in layers}
        blank = np.zeros((*size, model.input.channels), np.uint8)
        images = [photo.pixels if photo.pixels is not None else blank for photo in photos]
        store.append(number, rows, np.stack(images) if source.names is None else None)
        block.clear()

    disabled = None if progress else True
    with closing(reader), tqdm(total=total, initial=done, unit="photo", disable=disabled) as bar:
        try:
            for batch in reader:
                images = np.zeros((BATCH, *size, model.input.channels), np.uint8)
                for row, photo in enumerate(batch):
                    if photo.pixels is not None:
                        images[row] = photo.pixels
                # Asked for, not waited for: the next batch is collected while the device works.
                block.append((taken, batch, maxima_of(model, images, layers)))
                taken += len(batch)
                bar.update(len(batch))
                # Also what is continued in the middle of a chunk stops at its border.
                if taken % BLOCK == 0 or len(block) * BATCH >= BLOCK:
                    flush()
        finally:
            # Also on Ctrl-C, where it may be the second time for this block: what is computed is kept.
            flush()
    if not len(faults) < store.done:
        raise FeatvizError(
            f"`photos`: none of {store.done} images can be read; {next(iter(faults.values()), 'none came')}"
        )
    store.group.attrs["total"] = store.done


def _rows(block: list[tuple[int, list[Photo], Maxima]], layer: str) -> tuple[np.ndarray, np.ndarray]:
    tops, places = [], []
    for _, photos, maxima in block:
        top, at = (np.array(values)[: len(photos)] for values in jax.device_get(maxima[layer]))
        broken = [photo.pixels is None for photo in photos]
        top[broken], at[broken] = np.nan, -1
        tops.append(top)
        places.append(at)
    return np.concatenate(tops), np.concatenate(places)


def choose_layers(model: Model, layers: Sequence[str] | None) -> tuple[str, ...]:
    """The layers to survey: those named, else the network's blocks.

    Raises: FeatvizError for an unknown one.
    """
    if layers is None:
        layers = [layer.name for layer in block_layers(model)]
    if isinstance(layers, str) or not layers:
        raise FeatvizError(f"`layers` is {layers!r}; expected a list of names, such as ['{model.layers[0].name}']")
    return tuple(dict.fromkeys(model.layer(name).name for name in layers))


def _check_network(model: Model, layers: tuple[str, ...], size: tuple[int, int]) -> dict[str, int]:
    """How many units each layer has, of a network that can look at photographs of this size."""
    if model.input.channels not in (1, 3):
        raise FeatvizError(f"{model.name} wants {model.input.channels} channels; expected 1 or 3 for photographs")
    try:
        shapes = shapes_at(model, layers, size)
    except Exception as error:
        line = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise FeatvizError(f"{model.name} cannot run on images of `size` {size[0]}x{size[1]}: {line}") from error
    for layer, shape in shapes.items():
        if len(shape) not in (1, 2, 3) or 0 in shape:
            raise FeatvizError(f"{layer} is {shape} for images of {size[0]}x{size[1]}; expected (h, w, c) or (c,)")
    return {layer: shapes[layer][-1] for layer in layers}


def _check_same(store: Store, attributes: dict[str, Any], source: Source) -> None:
    known = store.attributes
    for name in ("network", "layers", "size", "photos", "windows"):
        if known[name] != attributes[name]:
            found, asked = told(name, known[name]), told(name, attributes[name])
            raise FeatvizError(
                f"`out`: `{store.path}` is a survey of other {name}, {found} in place of {asked}; expected a new folder"
            )
    if isinstance(source, Folder) and store.done and store.noted("photos", []) != list(source.files):
        raise FeatvizError(
            f"`out`: `{store.path}` is a survey of other photos in the same folder; expected a new folder"
        )
