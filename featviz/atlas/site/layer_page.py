"""A layer's page: controls and a grid of all its units, whose data a page opened from the disk can load too."""

import json
import math
from collections.abc import Sequence
from typing import NamedTuple

from featviz.atlas.site.layer_map import MAP_FILE, MapContent
from featviz.common.safe_names import safe_name
from featviz.pages.addresses import INDEX, PageLink, grid_folder, layer_page, link
from featviz.pages.formatting import format_progress, format_shape
from featviz.pages.records import LayerRecord, NetworkRecord, UnitSummary
from featviz.pages.templating import render_page

PACKAGE = "featviz.atlas.site"
DATA_FILE = "units.js"


class GridSheets(NamedTuple):
    """A layer's sprite sheets: file names, (width, height) of a cell, columns of a sheet, units without a picture."""

    names: tuple[str, ...]
    cell_size: tuple[int, int]
    columns: int
    missing: tuple[int, ...]


def render_layer(network: NetworkRecord, layer: LayerRecord, *, layer_map: MapContent | None = None) -> bytes:
    """The page's HTML; its units are in the file of `grid_data`, their map in that of `layer_map.write_map`."""
    name = network.address_name(layer.name)
    address = layer_page(name)
    before, after = _neighbors(network, layer, address)
    content = {
        "network": network,
        "layer": layer,
        "shape": format_shape(layer),
        "progress": format_progress(layer),
        "index_href": link(INDEX, address),
        "before": before,
        "after": after,
        "map": layer_map,
        "data_scripts": [f"{grid_folder(name)}/{file}" for file in (DATA_FILE, *([MAP_FILE] if layer_map else []))],
    }
    return render_page(PACKAGE, "layer.html", address=address, content=content)


def grid_data(name: str, summaries: Sequence[UnitSummary], *, sheets: GridSheets, full_size: bool) -> bytes:
    """A script that passes the page its units, column by column.

    Args:
      name: the layer's name in addresses.
      summaries: its units that are rendered, in their order.
      sheets: the sprite sheets, filled in the same order.
      full_size: whether the site has the full-size picture of every unit.
    """
    address = layer_page(name)
    fault_names = sorted({fault for summary in summaries for fault in summary.faults})
    has_labels = any(summary.label for summary in summaries)
    has_flags = any(summary.trusted is not None for summary in summaries)
    columns: dict[str, object] = {
        "units": [summary.unit for summary in summaries],
        "labels": [summary.label for summary in summaries] if has_labels else None,
        "scores": [float(f"{summary.score:.6g}") if math.isfinite(summary.score) else None for summary in summaries],
        "outcomes": [summary.outcome.value for summary in summaries],
        "fault_names": fault_names,
        # Few units have a fault: only those are listed, by their row.
        "faults": {
            row: [fault_names.index(fault) for fault in summary.faults]
            for row, summary in enumerate(summaries)
            if summary.faults
        },
        "trusted": [summary.trusted for summary in summaries] if has_flags else None,
        "sheets": [link(f"{grid_folder(name)}/{sheet}", address) for sheet in sheets.names],
        "cell_size": sheets.cell_size,
        "columns": sheets.columns,
        "missing": sheets.missing,
        "folder": link(f"units/{safe_name(name)}/", address),
        "full_size": full_size,
    }
    # ASCII without `<`: safe to embed in any page.
    script = json.dumps(columns, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")
    return f"atlas.showGrid({script});\n".encode()


def _neighbors(network: NetworkRecord, layer: LayerRecord, address: str) -> tuple[PageLink | None, PageLink | None]:
    """The layers before and after this one, of those that have pictures."""
    names = [other.name for other in network.layers if other.done or other.name == layer.name]
    index = names.index(layer.name)
    links = [PageLink(name, link(layer_page(network.address_name(name)), address)) for name in names]
    return links[index - 1] if index else None, links[index + 1] if index + 1 < len(links) else None
