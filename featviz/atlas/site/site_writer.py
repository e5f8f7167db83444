"""Writes the site piece by piece as the atlas grows; writing the same content again changes no file."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from featviz.atlas.site.index_page import PACKAGE, render_index
from featviz.atlas.site.layer_map import map_content, write_map
from featviz.atlas.site.layer_page import DATA_FILE, GridSheets, grid_data, render_layer
from featviz.atlas.site.unit_json import RECORD_FILE, unit_json
from featviz.atlas.site.unit_page import render_unit
from featviz.atlas.site.unit_profile_content import where_name
from featviz.dictionaries.latent_map import LatentMap
from featviz.pages import addresses
from featviz.pages.page_images import COLUMNS, SIDE, SpriteSlot, Thumbnails, encode_pixels, make_sheet, sheet_groups
from featviz.pages.records import LayerRecord, NetworkRecord, UnitRecord, UnitSummary
from featviz.pages.site_files import cached_file_exists, remove_stale, write_if_changed
from featviz.pages.templating import static_files

# The sheets of a layer by their units.
Sheets = dict[tuple[int, ...], SpriteSlot]


def write_unit(
    folder: Path,
    network: NetworkRecord,
    unit: UnitRecord,
    *,
    neighbors: tuple[int | None, int | None],
    copy_photos: bool = False,
) -> None:
    """Writes a unit's page, its pictures and its `unit.json`.

    Connected units are shown and linked if the site has their pictures by now; otherwise they have an empty frame
    until this page is written again.

    Args:
      folder: the site's folder.
      network: the unit's network.
      unit: what the page shows.
      neighbors: the units before and after this one, or None.
      copy_photos: whether the crops of photographs become files of the site; by default photographs are linked.

    Raises:
      FeatvizError: if a file cannot be written.
    """
    unit_folder = folder / addresses.unit_folder(network.address_name(unit.layer), unit.unit)
    images = {addresses.picture_name(picture.role, picture.index): picture.pixels for picture in unit.pictures}
    if copy_photos and unit.survey:
        images |= {addresses.crop_name(index): crop.pixels for index, crop in enumerate(unit.survey.examples)}
        fired_on = unit.survey.profile.fired_on if unit.survey.profile else ()
        images |= {where_name(index): fired.crop.pixels for index, fired in enumerate(fired_on)}
    for name, pixels in images.items():
        write_if_changed(unit_folder / name, encode_pixels(pixels))
    write_if_changed(unit_folder / RECORD_FILE, unit_json(network, unit, copied=copy_photos))
    # The page comes last: once it exists, so does all that it shows.
    file_exists = cached_file_exists(folder)
    page = render_unit(network, unit, neighbors=neighbors, file_exists=file_exists, copied=copy_photos)
    write_if_changed(unit_folder / addresses.INDEX, page)
    remove_stale(unit_folder, ".webp", images)


def write_main(folder: Path, name: str, unit: int, pixels: UInt8[np.ndarray, "h w c"]) -> None:
    """Writes a unit's main picture alone, for other pages to show; `name` is its layer's in addresses.

    Raises FeatvizError if it cannot be written.
    """
    write_if_changed(folder / addresses.main_picture(name, unit), encode_pixels(pixels))


def write_layer(
    folder: Path,
    network: NetworkRecord,
    layer: LayerRecord,
    summaries: Sequence[UnitSummary],
    thumbnails: Thumbnails,
    *,
    known: Mapping[tuple[int, ...], SpriteSlot] | None = None,
    layout: LatentMap | None = None,
) -> Sheets:
    """Writes a layer's page, the data of its units and their sprite sheets, and their map if there is one.

    Args:
      folder: the site's folder.
      network: the layer's network.
      layer: the layer.
      summaries: the units that are rendered, in their order.
      thumbnails: gives the pixels of a unit's main picture, or None if there is none.
      known: what an earlier call returned; its sheets are not made again.
      layout: where the layer's units lie on a map, if they have one.

    Returns:
      The sheets by their units, without those that lack a picture.

    Raises:
      FeatvizError: if a file cannot be written.
    """
    name = network.address_name(layer.name)
    grid_folder = folder / addresses.grid_folder(name)
    sheets = _write_sheets(grid_folder, [summary.unit for summary in summaries], thumbnails, known or {})
    names = tuple(sheet.name for sheet in sheets.values())
    missing = tuple(unit for sheet in sheets.values() for unit in sheet.missing)
    cell_size = list(sheets.values())[-1].cell_size if sheets else (SIDE, SIDE)
    file_exists = cached_file_exists(folder)
    full_size = all(file_exists(addresses.main_picture(name, summary.unit)) for summary in summaries)
    grid = GridSheets(names, cell_size, COLUMNS, missing)
    write_if_changed(grid_folder / DATA_FILE, grid_data(name, summaries, sheets=grid, full_size=full_size))
    if layout is not None:
        write_map(folder, name, [summary.unit for summary in summaries], layout, thumbnails)
    shown_map = None if layout is None else map_content(layout)
    write_if_changed(folder / addresses.layer_page(name), render_layer(network, layer, layer_map=shown_map))
    remove_stale(grid_folder, ".webp", names)
    return {units: sheet for units, sheet in sheets.items() if not sheet.missing}


def write_index(folder: Path, network: NetworkRecord, strips: Mapping[str, Sequence[int]]) -> None:
    """Writes the front page; `strips` are the units of each layer whose pictures it shows.

    Pages and pictures are linked if the site has them by now. Raises FeatvizError if it cannot be written.
    """
    page = render_index(network, strips, file_exists=cached_file_exists(folder))
    write_if_changed(folder / addresses.INDEX, page)


def write_assets(folder: Path) -> None:
    """Writes the styles and scripts. Raises FeatvizError if one cannot be written."""
    for name, data in static_files(PACKAGE).items():
        write_if_changed(folder / addresses.ASSETS / name, data)


def _write_sheets(
    grid_folder: Path, units: Sequence[int], thumbnails: Thumbnails, known: Mapping[tuple[int, ...], SpriteSlot]
) -> Sheets:
    sheets: Sheets = {}
    cell_size: tuple[int, int] | None = None
    for group in sheet_groups(units):
        if group not in known or not (grid_folder / known[group].name).is_file():
            sheet = make_sheet(group, thumbnails, cell_size=cell_size)
            # The name is a hash of the pixels: a file that exists need not be encoded again.
            if not (grid_folder / sheet.name).is_file():
                write_if_changed(grid_folder / sheet.name, sheet.encode())
            sheets[group] = SpriteSlot(sheet.name, sheet.cell_size, sheet.missing)
        else:
            sheets[group] = known[group]
        # A sheet without any picture sets no size.
        cell_size = cell_size or (sheets[group].cell_size if len(sheets[group].missing) < len(group) else None)
    return sheets
