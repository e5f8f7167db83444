"""Writes the site, piece by piece, as the atlas grows; writing again changes nothing that is the same."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from featviz.atlas.site.index_page import render_index
from featviz.atlas.site.unit_json import unit_json
from featviz.atlas.site.unit_page import render_unit
from featviz.atlas.site.wall_page import DATA, render_wall, wall_data
from featviz.pages import addresses
from featviz.pages.assets import assets
from featviz.pages.frames import there_in
from featviz.pages.page_files import put, sweep
from featviz.pages.page_images import encode
from featviz.pages.records import LayerRecord, NetworkRecord, UnitRecord, UnitSummary
from featviz.pages.sprites import COLUMNS, SIDE, SpriteSlot, Thumbnails, groups, make_sheet


def write_unit(
    folder: Path,
    network: NetworkRecord,
    unit: UnitRecord,
    *,
    neighbors: tuple[int | None, int | None],
    copy_photos: bool = False,
) -> None:
    """A unit's page, its pictures and its `unit.json`; `neighbors` are the units before and after it.

    Other units are shown and linked if their pictures are on the disk by now; else they have an empty frame until this
    page is written again. With `copy_photos` the crops of photographs become files of the site.

    Raises: FeatvizError if a file cannot be written.
    """
    place = folder / addresses.unit_folder(unit.layer, unit.unit)
    images = {addresses.picture_name(shown.role, shown.index): shown.pixels for shown in unit.pictures}
    if copy_photos and unit.survey:
        images |= {addresses.crop_name(at): crop.pixels for at, crop in enumerate(unit.survey.examples)}
    for name, pixels in images.items():
        put(place / name, encode(pixels))
    put(place / "unit.json", unit_json(network, unit, copied=copy_photos))
    # The page last: where it is, what it shows is.
    there = there_in(folder)
    put(place / addresses.INDEX, render_unit(network, unit, neighbors=neighbors, there=there, copied=copy_photos))
    sweep(place, ".webp", images)


def write_main(folder: Path, layer: str, unit: int, pixels: np.ndarray) -> None:
    """A unit's main picture alone, for others' pages to show. Raises: FeatvizError if it cannot be written."""
    put(folder / addresses.main_picture(layer, unit), encode(pixels))


def write_layer(
    folder: Path,
    network: NetworkRecord,
    layer: LayerRecord,
    briefs: Sequence[UnitSummary],
    thumbnails: Thumbnails,
    *,
    known: Mapping[tuple[int, ...], SpriteSlot] | None = None,
) -> dict[tuple[int, ...], SpriteSlot]:
    """A layer's wall: its page, its units as data, its small pictures; `briefs` are the units done, in their order.

    `thumbnails(unit)` gives the pixels of a unit's main picture, uint8 (height, width, 1 or 3), or None. Gives back
    the sheets by their units; handed in as `known` with the next call, those of the same units are not made again.

    Raises: FeatvizError if a file cannot be written.
    """
    place = folder / addresses.wall_folder(layer.name)
    hung = _hang(place, [brief.unit for brief in briefs], thumbnails, known or {})
    names = [sheet.name for sheet in hung.values()]
    missing = [unit for sheet in hung.values() for unit in sheet.missing]
    cell = list(hung.values())[-1].cell if hung else (SIDE, SIDE)
    there = there_in(folder)
    whole = all(there(addresses.main_picture(layer.name, brief.unit)) for brief in briefs)
    data = wall_data(layer, briefs, sheets=names, cell=cell, columns=COLUMNS, missing=missing, whole=whole)
    put(place / DATA, data)
    put(folder / addresses.layer_page(layer.name), render_wall(network, layer))
    sweep(place, ".webp", names)
    return {units: sheet for units, sheet in hung.items() if not sheet.missing}


def _hang(
    place: Path, units: Sequence[int], thumbnails: Thumbnails, known: Mapping[tuple[int, ...], SpriteSlot]
) -> dict[tuple[int, ...], SpriteSlot]:
    hung: dict[tuple[int, ...], SpriteSlot] = {}
    cell: tuple[int, int] | None = None
    for some in groups(units):
        if some not in known or not (place / known[some].name).is_file():
            sheet = make_sheet(some, thumbnails, cell=cell)
            # Named by its pixels: what is there need not be encoded again.
            if not (place / sheet.name).is_file():
                put(place / sheet.name, sheet.encode())
            hung[some] = SpriteSlot(sheet.name, sheet.cell, sheet.missing)
        else:
            hung[some] = known[some]
        # A sheet without any picture sets no size.
        cell = cell or (hung[some].cell if len(hung[some].missing) < len(some) else None)
    return hung


def write_index(folder: Path, network: NetworkRecord, strips: Mapping[str, Sequence[int]]) -> None:
    """The front page with the network's map; `strips` gives some units to show of each layer.

    Walls and pictures are linked if they are on the disk by now. Raises: FeatvizError if it cannot be written.
    """
    put(folder / addresses.INDEX, render_index(network, strips, there_in(folder)))


def write_assets(folder: Path) -> None:
    """The styles and scripts that all pages share. Raises: FeatvizError if one cannot be written."""
    for name, data in assets().items():
        put(folder / addresses.ASSETS / name, data)
