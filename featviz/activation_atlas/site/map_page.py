"""A map's page, which works from the disk: `index.html`, its data, and sheets with the pictures and the photographs."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float, UInt8

from featviz.activation_atlas.activation_map import ActivationAtlas, DrawnLevel
from featviz.activation_atlas.exemplar_crops import CROP, Crops
from featviz.activation_atlas.own_photos import OwnPhoto
from featviz.activation_atlas.site.aligned_maps import ensure_aligned
from featviz.pages.addresses import ASSETS, INDEX
from featviz.pages.formatting import format_count
from featviz.pages.page_images import encode_webp, resize_to, to_pil
from featviz.pages.site_files import remove_stale, write_if_changed
from featviz.pages.templating import render_page, static_files

PACKAGE = "featviz.activation_atlas.site"
DATA_FILE = "cells.js"
# Pixels of a cell's picture and of a whole sheet, which phones decode at once; cells along a side of a photos' sheet,
# and photographs along a side of its part of it.
CELL, SHEET = 96, 4096
BLOCKS, BLOCK = 8, 2
QUALITY, PHOTO_QUALITY = 85, 75


def write_map_page(
    atlas: ActivationAtlas,
    crops: Crops,
    photo_names: Mapping[int, str],
    *,
    class_names: Sequence[str],
    own: Sequence[OwnPhoto] = (),
) -> None:
    """Writes the page of a map into its folder; files that have their content already are left alone.

    Args:
      atlas: the map.
      crops: of photographs, by row of the activation.
      photo_names: likewise.
      class_names: the network's, or ().
      own: the user's own photographs.

    Raises:
      FeatvizError: if a file cannot be written.
    """
    folder = atlas.folder
    sheets = {f"levels/{level.cells.side}.webp": encode_webp(to_pil(level_sheet(level)), quality=QUALITY)
              for level in atlas.levels}  # fmt: skip
    for level in atlas.levels:
        for index, sheet in enumerate(_photo_sheets(level, crops)):
            sheets[f"photos/{level.cells.side}-{index}.webp"] = encode_webp(to_pil(sheet), quality=PHOTO_QUALITY)
    for index, photo in enumerate(own):
        sheets[own_address(index)] = encode_webp(to_pil(photo.pixels), quality=QUALITY)
    for address, data in {**sheets, **{f"{ASSETS}/{n}": d for n, d in static_files(PACKAGE).items()}}.items():
        write_if_changed(folder / address, data)
    ensure_aligned(folder)
    write_if_changed(folder / DATA_FILE, _data_script(map_data(atlas, photo_names, class_names, own=own)))
    write_if_changed(folder / INDEX, render_map(atlas, own=own))
    for name in ("levels", "photos"):
        current = {address.split("/")[1] for address in sheets if address.startswith(name)}
        remove_stale(folder / name, ".webp", current)


def own_address(index: int) -> str:
    """The file of one of the user's own photographs.

    >>> own_address(0)
    'photos/own-0.webp'
    """
    return f"photos/own-{index}.webp"


def render_map(atlas: ActivationAtlas, *, own: Sequence[OwnPhoto] = ()) -> bytes:
    """The HTML of the page; `own` are the user's own photographs."""
    right, _, left = atlas.subject.partition(" rather than ")
    content = {
        "ends": (left, right) if left else None,
        "network": atlas.network,
        "layer": atlas.layer,
        "subject": atlas.subject,
        "own": [
            {"name": photo.name, "src": own_address(index), "size": photo.pixels.shape[1::-1]}
            for index, photo in enumerate(own)
        ],
        "facts": atlas.facts,
        "levels": [
            {
                "side": level.cells.side,
                "cells": format_count(len(level), of="cell"),
                "sheet": f"levels/{level.cells.side}.webp",
            }
            for level in atlas.levels
        ],
        "has_classes": any(any(listed) for level in atlas.levels for listed in level.classes),
    }
    return render_page(PACKAGE, "map.html", address=INDEX, content=content)


def map_data(
    atlas: ActivationAtlas,
    photo_names: Mapping[int, str],
    class_names: Sequence[str],
    *,
    own: Sequence[OwnPhoto] = (),
) -> dict[str, Any]:
    """What the page shows, as plain values.

    Args:
      atlas: the map.
      photo_names: by row of the activation.
      class_names: the network's, or ().
      own: the user's own photographs.
    """
    indices = sorted({index for level in atlas.levels for listed in level.classes for index, _ in listed})
    numbers = {index: number for number, index in enumerate(indices)}
    named = [class_names[index] if index < len(class_names) else f"class {index}" for index in indices]
    photos = sorted({photo_names[row] for level in atlas.levels for rows in level.exemplars for row in rows
                     if row in photo_names})  # fmt: skip
    photo_numbers = {name: number for number, name in enumerate(photos)}
    return {
        "classes": named,
        "photos": photos,
        "block": [BLOCKS, BLOCK],
        "own": [_from_the_top(photo.places) for photo in own],
        "levels": [_level_data(level, numbers, photo_names, photo_numbers, len(atlas.photo)) for level in atlas.levels],
    }


def _from_the_top(places: Float[np.ndarray, "rows 2"]) -> list[list[float]]:
    """Places as the page has them, y downwards."""
    return [[float(f"{x:.4f}"), float(f"{1 - y:.4f}")] for x, y in places.tolist()]


def _level_data(
    level: DrawnLevel,
    numbers: Mapping[int, int],
    photo_names: Mapping[int, str],
    photo_numbers: Mapping[str, int],
    total: int,
) -> dict[str, Any]:
    cells = level.cells
    return {
        "side": cells.side,
        "cell": cell_pixels(level),
        "mean": total / cells.side**2,
        "cells": [
            {
                "at": [int(cells.column[index]), int(cells.row[index])],
                "count": int(cells.counts[index]),
                "photos": int(cells.photos[index]),
                "classes": [[numbers[each], float(f"{score:.3g}")] for each, score in level.classes[index]],
                "like": level.neighbors[index].tolist(),
                "shown": [photo_numbers[photo_names[row]] for row in level.exemplars[index] if row in photo_names],
            }
            for index in range(len(level))
        ],
    }


def cell_pixels(level: DrawnLevel) -> int:
    """The side of a cell's picture on its sheet."""
    return max(1, min(CELL, SHEET // level.cells.side, max(level.pictures.shape[1:3])))


def level_sheet(level: DrawnLevel) -> UInt8[np.ndarray, "h w 3"]:
    """A level as one picture, each cell at its square; empty squares are black.

    Args:
      level: the level.
    """
    side = cell_pixels(level)
    sheet = np.zeros((level.cells.side * side, level.cells.side * side, 3), np.uint8)
    for row, column, pixels in zip(level.cells.row, level.cells.column, level.pictures, strict=True):
        shown = resize_to(pixels, (side, side))
        sheet[row * side : (row + 1) * side, column * side : (column + 1) * side] = shown
    return sheet


def _photo_sheets(level: DrawnLevel, crops: Crops) -> list[UInt8[np.ndarray, "h w 3"]]:
    """The photographs of a level's cells, a block of 2 x 2 for each and 8 x 8 blocks a sheet."""
    per_sheet, side = BLOCKS * BLOCKS, BLOCK * CROP
    sheets = [np.zeros((BLOCKS * side, BLOCKS * side, 3), np.uint8) for _ in range(-(-len(level) // per_sheet))]
    for index, rows in enumerate(level.exemplars):
        sheet, place = divmod(index, per_sheet)
        shown = [row for row in rows if row in crops]
        for number, row in enumerate(shown[: BLOCK * BLOCK]):
            top = place // BLOCKS * side + number // BLOCK * CROP
            left = place % BLOCKS * side + number % BLOCK * CROP
            sheets[sheet][top : top + CROP, left : left + CROP] = crops[row]
    return sheets


def _data_script(data: Mapping[str, Any]) -> bytes:
    """Data as a script: a page on the disk may fetch nothing else. Lone surrogates of file names are escaped.

    >>> _data_script({"classes": ["</script>"]})
    b'window.activationMap = {"classes":["\\\\u003c/script>"]};\\n'
    """
    text = json.dumps(data, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")
    return f"window.activationMap = {text};\n".encode()
