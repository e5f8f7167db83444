"""The front page: which network this is, and the graph of its layers with some pictures of each."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from featviz.atlas.site.layer_graph import GraphCell, layer_graph
from featviz.pages.addresses import INDEX, layer_page, link, main_picture
from featviz.pages.formatting import format_count, format_progress, format_shape
from featviz.pages.page_images import UnitThumbnail, unit_thumbnail
from featviz.pages.records import LayerRecord, NetworkRecord
from featviz.pages.site_files import FileExists
from featviz.pages.templating import render_page

PACKAGE = "featviz.atlas.site"


class LayerItem(NamedTuple):
    """A layer in the list: `href` is None without a page, `percent_done` None if it is not partly rendered."""

    name: str
    href: str | None
    shape: str
    progress: str
    percent_done: float | None
    started: bool
    graph: GraphCell
    thumbnails: tuple[UnitThumbnail, ...]


def render_index(network: NetworkRecord, strips: Mapping[str, Sequence[int]], *, file_exists: FileExists) -> bytes:
    """The page's HTML.

    Args:
      network: what the page is about.
      strips: layer -> the units whose pictures stand beside its name.
      file_exists: whether the site has a file; only pages and pictures that exist are linked.
    """
    graph = layer_graph({layer.name: layer.parents for layer in network.layers})
    layers = [
        _layer_item(network, layer, cell, strips.get(layer.name, ()), file_exists)
        for layer, cell in zip(network.layers, graph.cells, strict=True)
    ]
    content = {
        "network": network,
        "facts": {"Units": _progress(network), **network.facts},
        "cover": _cover(network, strips, file_exists),
        "graph_width": graph.width,
        "layers": layers,
    }
    return render_page(PACKAGE, "index.html", address=INDEX, content=content)


def _progress(network: NetworkRecord) -> str:
    done = sum(layer.done for layer in network.layers)
    if network.complete:
        return format_count(done)
    return f"{format_count(done)} of {format_count(sum(layer.planned for layer in network.layers))} rendered"


def _cover(
    network: NetworkRecord, strips: Mapping[str, Sequence[int]], file_exists: FileExists
) -> UnitThumbnail | None:
    """The large picture: of a layer three quarters through the network, where pictures are richest."""
    candidates = [
        (layer.name, unit)
        for layer in network.layers
        for unit in strips.get(layer.name, ())[:1]
        if file_exists(main_picture(network.address_name(layer.name), unit))
    ]
    if not candidates:
        return None
    layer, unit = candidates[-(-3 * (len(candidates) - 1) // 4)]
    return unit_thumbnail(network, layer, unit, address=INDEX, file_exists=file_exists)


def _layer_item(
    network: NetworkRecord, layer: LayerRecord, cell: GraphCell, units: Sequence[int], file_exists: FileExists
) -> LayerItem:
    page = layer_page(network.address_name(layer.name))
    return LayerItem(
        name=layer.name,
        href=link(page, INDEX) if file_exists(page) else None,
        shape=format_shape(layer),
        progress=format_progress(layer),
        percent_done=100 * layer.done / layer.planned if 0 < layer.done < layer.planned else None,
        started=bool(layer.done) or not max(layer.units, layer.planned),
        graph=cell,
        thumbnails=tuple(
            unit_thumbnail(network, layer.name, unit, address=INDEX, file_exists=file_exists) for unit in units
        ),
    )
