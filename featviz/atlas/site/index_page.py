"""The front page: what network this is, and the map of its layers with some pictures of each."""

from collections.abc import Mapping, Sequence

from featviz.pages import text
from featviz.pages.addresses import INDEX, layer_page, link, main_picture
from featviz.pages.frames import There, linked
from featviz.pages.layer_graph import Row, rows
from featviz.pages.markup import Html, tag
from featviz.pages.page import foot, page
from featviz.pages.records import LayerRecord, NetworkRecord

# The map's gutter, in pixels: lanes come closer where there are many.
STEP, WIDEST = 16, 160


def render_index(network: NetworkRecord, strips: Mapping[str, Sequence[int]], there: There) -> bytes:
    """The page's bytes; `there` says which walls and pictures are on the disk."""
    places = rows({layer.name: layer.parents for layer in network.layers})
    lanes = 1 + max((max(row.lane, *row.passing, *row.parents, 0) for row in places), default=0)
    layers = [
        _layer(layer, row, lanes, strips.get(layer.name, ()), there)
        for layer, row in zip(network.layers, places, strict=True)
    ]
    step = min(STEP, WIDEST / lanes)
    chart = tag("ol", layers, class_="map", style=f"--gutter:{step * lanes:.0f}px")
    main = tag(
        "main",
        tag("div", _title(network), _cover(network, strips, there), class_="opening"),
        tag("h2", "Layers", class_="unseen"),
        chart,
    )
    return page(INDEX, f"{network.name} - neuron atlas", main, foot("featviz"), styles=("index",))


def _title(network: NetworkRecord) -> Html:
    planned, done = (sum(getattr(layer, name) for layer in network.layers) for name in ("planned", "done"))
    counted = (
        text.count(done, of="unit") if network.complete else f"{text.count(done)} of {text.count(planned, of='unit')}"
    )
    facts = {"Drawn": counted, **network.facts}
    lines = [tag("div", tag("dt", name), tag("dd", value)) for name, value in facts.items()]
    again = tag("details", tag("summary", "Make it again"), tag("pre", tag("code", network.command)))
    return tag(
        "header",
        tag("p", "Neuron atlas", class_="kind"),
        tag("h1", network.name),
        tag("dl", lines, class_="facts"),
        again if network.command else None,
        class_="title",
    )


def _cover(network: NetworkRecord, strips: Mapping[str, Sequence[int]], there: There) -> Html | None:
    """One picture of the atlas, large: of a layer two thirds through the network, where units are at their richest."""
    drawn = [
        (layer.name, unit)
        for layer in network.layers
        for unit in strips.get(layer.name, ())[:1]
        if there(main_picture(layer.name, unit))
    ]
    if not drawn:
        return None
    layer, unit = drawn[2 * (len(drawn) - 1) // 3]
    caption = [tag("span", layer), tag("span", str(unit))]
    return tag("div", linked(layer, unit, INDEX, there, *caption), class_="cover")


def _layer(layer: LayerRecord, row: Row, lanes: int, units: Sequence[int], there: There) -> Html:
    wall = layer_page(layer.name)
    name = tag("a", layer.name, href=link(wall, INDEX)) if there(wall) else tag("span", layer.name)
    whole = max(layer.units, layer.planned)
    bar = None
    if 0 < layer.done < layer.planned:
        bar = tag(
            "span",
            tag("span", style=f"width:{100 * layer.done / layer.planned:.1f}%"),
            class_="bar",
            aria_hidden="true",
        )
    said = tag("p", tag("span", text.shape(layer)), tag("span", text.progress(layer)), bar)
    strip = [linked(layer.name, unit, INDEX, there) for unit in units]
    named = tag("div", tag("h3", name), said, class_="named")
    gutter = tag("div", _gutter(row, lanes), _dot(row, lanes), class_="gutter", aria_hidden="true")
    return tag(
        "li", gutter, named, tag("div", strip, class_="strip"), class_="undone" if not layer.done and whole else None
    )


def _gutter(row: Row, lanes: int) -> Html:
    width, middle = 10 * lanes, 10 * row.lane + 5
    lines = [f"M{10 * lane + 5} 0V100" for lane in row.passing]
    for lane in row.parents:
        start = 10 * lane + 5
        lines.append(f"M{start} 0V50" if start == middle else f"M{start} 0C{start} 30 {middle} 20 {middle} 50")
    if row.goes_on:
        lines.append(f"M{middle} 50V100")
    path = tag("path", d="".join(lines)) if lines else None
    return tag("svg", path, viewBox=f"0 0 {width} 100", preserveAspectRatio="none")


def _dot(row: Row, lanes: int) -> Html:
    return tag("span", style=f"left:{100 * (row.lane + 0.5) / lanes:.2f}%")
