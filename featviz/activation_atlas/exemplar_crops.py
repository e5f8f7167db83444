"""Photographs beside a map's cells: crops of what the network sees at an activation's position."""

from collections.abc import Iterable, Mapping
from contextlib import closing

import numpy as np
from jaxtyping import UInt8

from featviz.activation_atlas.map_positions import MapPositions
from featviz.common.bands import shown_bands
from featviz.common.progress import progress_bar
from featviz.model import Model
from featviz.model.shapes import shapes_at
from featviz.pages.page_images import resize_to
from featviz.surveys.photos import Source, read_ahead
from featviz.surveys.receptive_fields import box_around, grid_of, receptive_fields

# Photographs over which the receptive field is measured, and pixels of a crop's side.
MEASURED, CROP = 8, 64
BATCH = 16

Crops = Mapping[int, UInt8[np.ndarray, "side side 3"]]


def crop_exemplars(
    model: Model, layer: str, source: Source, positions: MapPositions, rows: Iterable[int], *, progress: bool
) -> tuple[Crops, dict[int, str]]:
    """What lies around activations in their photographs, as large as the layer's receptive field.

    Args:
      model: the network.
      layer: the map's.
      source: the photographs.
      positions: the activations.
      rows: which of them.
      progress: whether to show a bar.

    Returns:
      Row -> crop, and row -> the photograph's name.
    """
    wanted: dict[int, list[int]] = {}
    for row in sorted(set(rows)):
        wanted.setdefault(int(positions.photo[row]), []).append(row)
    size = model.input.size
    grid = grid_of(shapes_at(model, (layer,), size)[layer], size)
    crops: dict[int, np.ndarray] = {}
    names: dict[int, str] = {}
    side = 0
    reader = read_ahead(source, size, channels=model.input.channels, batch=BATCH)
    with closing(reader), progress_bar(None, total=len(wanted), unit="photo", desc="crops", shown=progress) as bar:
        first = 0
        for batch in reader:
            readable = [photo.pixels for photo in batch if photo.pixels is not None]
            if not side and readable:
                measured = np.stack(readable[:MEASURED]).astype(np.float32) / np.float32(255)
                side = receptive_fields(model, measured, (layer,))[layer]
            for index, photo in enumerate(batch, first):
                if index not in wanted or photo.pixels is None:
                    continue
                for row in wanted[index]:
                    place = int(positions.position[row]) - grid.skipped
                    left, top, right, bottom = box_around(place, grid, side, size)
                    shown = shown_bands(photo.pixels[top:bottom, left:right], model.input.rgb)
                    crops[row] = resize_to(shown, (CROP, CROP))
                    names[row] = photo.name
                bar.update(1)
            first += len(batch)
    return crops, names
