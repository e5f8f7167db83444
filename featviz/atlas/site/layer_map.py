"""The map on the page of a layer of latents: its data, and sprite sheets in the order of the map.

What lies together on the map is on one sheet, so that a view needs few of them. Sheets of the grid are in the order of
the units instead.
"""

import hashlib
import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Int

from featviz.dictionaries.latent_map import LatentMap
from featviz.pages.addresses import grid_folder, layer_page, link
from featviz.pages.page_images import SPRITE_QUALITY, Thumbnails, encode_webp, fit_cell, resize_to, to_pil
from featviz.pages.site_files import remove_stale, write_if_changed

MAP_FILE, MAP_FOLDER = "map.js", "map"
# The longer side of a picture, and the columns of a sheet.
SIDE, COLUMNS = 64, 8
NOTES = {
    "UMAP": "Each point is a latent. Latents whose decoder rows point in similar directions lie together (UMAP).",
    "PCA": "Each point is a latent, placed by the first two principal components of the decoder rows; "
    "featviz[maps] installs UMAP, which keeps similar ones together.",
}


class MapContent(NamedTuple):
    """What the template shows of a map: a note of how it was made."""

    note: str


class _Sprites(NamedTuple):
    """The sheets' names, a picture's (width, height), and the place on the sheets of each unit, -1 without one."""

    names: list[str]
    cell_size: tuple[int, int]
    slots: list[int]


def map_content(layout: LatentMap) -> MapContent:
    """The content of a map's section."""
    return MapContent(NOTES[layout.method])


def write_map(folder: Path, name: str, units: Sequence[int], layout: LatentMap, thumbnails: Thumbnails) -> None:
    """Writes a map's data and sheets.

    Args:
      folder: the site's folder.
      name: the layer's name in addresses.
      units: the layer's units that have a picture, in the order of the grid.
      layout: where all units of the layer lie.
      thumbnails: gives the pixels of a unit's picture, or None; fastest for ascending units.

    Raises:
      FeatvizError: if a file cannot be written.
    """
    points = layout.points[list(units)]
    address = layer_page(name)
    sheet_folder = f"{grid_folder(name)}/{MAP_FOLDER}"
    sprites = _write_sheets(folder / sheet_folder, units, morton_order(points), thumbnails)
    data = {
        "side": layout.side,
        "x": points[:, 0].tolist(),
        "y": points[:, 1].tolist(),
        "sheets": [link(f"{sheet_folder}/{sheet}", address) for sheet in sprites.names],
        "cell_size": sprites.cell_size,
        "columns": COLUMNS,
        "slots": sprites.slots,
    }
    script = json.dumps(data, separators=(",", ":")).replace("<", "\\u003c")
    write_if_changed(folder / grid_folder(name) / MAP_FILE, f"atlas.showMap({script});\n".encode())
    remove_stale(folder / sheet_folder, ".webp", sprites.names)


def morton_order(points: Int[np.ndarray, "n 2"]) -> Int[np.ndarray, " n"]:
    """The indices of points along a Z-order curve, on which neighbors on the map mostly are neighbors.

    >>> morton_order(np.array([[3, 3], [0, 0], [1, 1], [0, 2]])).tolist()
    [1, 2, 3, 0]
    """
    keys = np.zeros(len(points), np.uint64)
    for bit in range(16):
        for axis in (0, 1):
            value = (points[:, axis].astype(np.uint64) >> np.uint64(bit)) & np.uint64(1)
            keys |= value << np.uint64(2 * bit + axis)
    return np.argsort(keys, kind="stable")


def _write_sheets(folder: Path, units: Sequence[int], order: Int[np.ndarray, " n"], thumbnails: Thumbnails) -> _Sprites:
    first = next((pixels for unit in units if (pixels := thumbnails(unit)) is not None), None)
    if first is None:
        return _Sprites([], (SIDE, SIDE), [-1] * len(units))
    width, height = fit_cell(first.shape[1], first.shape[0], side=SIDE)
    shape = (len(units), height, width, 3)
    missing = np.zeros(len(units), bool)
    names: list[str] = []
    per_sheet = COLUMNS * COLUMNS
    # Pictures are read in the order of the units and needed in that of the map; 32,000 of them fill 400 MB.
    with tempfile.TemporaryFile() as file:
        small = np.memmap(file, np.uint8, "w+", shape=shape)
        for row, unit in enumerate(units):
            pixels = thumbnails(unit)
            missing[row] = pixels is None
            if pixels is not None:
                small[row] = resize_to(pixels, (width, height))
        for start in range(0, len(order), per_sheet):
            group = order[start : start + per_sheet]
            cells = np.zeros((per_sheet, height, width, 3), np.uint8)
            cells[: len(group)] = small[group]
            lines = -(-len(group) // COLUMNS)
            sheet = cells.reshape(COLUMNS, COLUMNS, height, width, 3).transpose(0, 2, 1, 3, 4)
            sheet = sheet.reshape(COLUMNS * height, COLUMNS * width, 3)[: lines * height]
            # A hash of the pixels: a file that exists need not be encoded again.
            name = hashlib.sha256(f"{SPRITE_QUALITY} {sheet.shape} ".encode() + sheet.tobytes()).hexdigest()[:16]
            names.append(f"{name}.webp")
            if not (folder / names[-1]).is_file():
                write_if_changed(folder / names[-1], encode_webp(to_pil(sheet), quality=SPRITE_QUALITY))
        del small
    slots = np.empty(len(units), np.int64)
    slots[order] = np.arange(len(order))
    return _Sprites(names, (width, height), np.where(missing, -1, slots).tolist())
