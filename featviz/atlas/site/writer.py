"""Writes the site, piece by piece, as the atlas grows; writing again changes nothing that is the same."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from featviz.atlas.records import Brief, LayerShown, NetworkShown, Unit
from featviz.atlas.site import addresses
from featviz.atlas.site.assets import assets
from featviz.atlas.site.frames import there_in
from featviz.atlas.site.images import encode
from featviz.atlas.site.index_page import render_index
from featviz.atlas.site.sprites import COLUMNS, SIDE, Thumbnails, sheets
from featviz.atlas.site.unit_json import unit_json
from featviz.atlas.site.unit_page import render_unit
from featviz.atlas.site.wall_page import DATA, render_wall, wall_data
from featviz.atlas.site.writing import put, sweep


def write_unit(
    folder: Path,
    network: NetworkShown,
    unit: Unit,
    *,
    neighbours: tuple[int | None, int | None],
    copy_photos: bool = False,
) -> None:
    """A unit's page, its pictures and its `unit.json`; `neighbours` are the units before and after it.

    Other units are shown and linked if their pictures are on the disk by now; else they have an empty frame until this
    page is written again. With `copy_photos` the crops of photographs become files of the site.

    Raises: FeatvizError if a file cannot be written.
    """
    place = folder / addresses.unit_folder(unit.layer, unit.unit)
    images = {addresses.picture_name(shown.role, shown.number): shown.pixels for shown in unit.pictures}
    if copy_photos and unit.photographs:
        images |= {addresses.crop_name(at): crop.pixels for at, crop in enumerate(unit.photographs.examples)}
    for name, pixels in images.items():
        put(place / name, encode(pixels))
    put(place / "unit.json", unit_json(network, unit, copied=copy_photos))
    # The page last: where it is, what it shows is.
    there = there_in(folder)
    put(place / addresses.INDEX, render_unit(network, unit, neighbours=neighbours, there=there, copied=copy_photos))
    sweep(place, ".webp", images)


def write_layer(
    folder: Path, network: NetworkShown, layer: LayerShown, briefs: Sequence[Brief], thumbnails: Thumbnails
) -> None:
    """A layer's wall: its page, its units as data, its small pictures; `briefs` are the units done, in their order.

    `thumbnails(unit)` gives the pixels of a unit's main picture, uint8 (height, width, 1 or 3), or None.

    Raises: FeatvizError if a file cannot be written.
    """
    place = folder / addresses.wall_folder(layer.name)
    names: list[str] = []
    missing: list[int] = []
    cell = (SIDE, SIDE)
    for sheet, size in sheets([brief.unit for brief in briefs], thumbnails):
        # Named by its pixels: what is there need not be encoded again.
        if not (place / sheet.name).is_file():
            put(place / sheet.name, sheet.encode())
        cell = size
        names.append(sheet.name)
        missing.extend(sheet.missing)
    there = there_in(folder)
    whole = all(there(addresses.main_picture(layer.name, brief.unit)) for brief in briefs)
    data = wall_data(layer, briefs, sheets=names, cell=cell, columns=COLUMNS, missing=missing, whole=whole)
    put(place / DATA, data)
    put(folder / addresses.layer_page(layer.name), render_wall(network, layer))
    sweep(place, ".webp", names)


def write_index(folder: Path, network: NetworkShown, strips: Mapping[str, Sequence[int]]) -> None:
    """The front page with the network's map; `strips` gives some units to show of each layer.

    Walls and pictures are linked if they are on the disk by now. Raises: FeatvizError if it cannot be written.
    """
    put(folder / addresses.INDEX, render_index(network, strips, there_in(folder)))


def write_assets(folder: Path) -> None:
    """The styles and scripts that all pages share. Raises: FeatvizError if one cannot be written."""
    for name, data in assets().items():
        put(folder / addresses.ASSETS / name, data)
