"""A layer's wall: a page of controls, and its units as data that a page from the disk may load too."""

import json
import math
from collections.abc import Sequence
from typing import Any

from featviz.pages import text
from featviz.pages.addresses import INDEX, layer_name, layer_page, link, wall_folder
from featviz.pages.markup import Child, Html, tag
from featviz.pages.page import foot, keys, page, top
from featviz.pages.records import LayerRecord, NetworkRecord, UnitSummary

DATA = "units.js"
SCRIPTS = ("wall-order", "wall-view", "wall-keys", "wall")
SORTS = (
    ("unit", "by number"),
    ("high", "by score, highest first"),
    ("low", "by score, lowest first"),
    ("label", "by label"),
)
SIZES = (("small", "small pictures"), ("medium", "medium pictures"), ("large", "large pictures"))


def render_wall(network: NetworkRecord, layer: LayerRecord) -> bytes:
    """The wall's page; its units stand in the file of `wall_data`."""
    address = layer_page(layer.name)
    trail = [(network.name, link(INDEX, address)), (layer.name, None)]
    facts = tag("p", text.progress(layer), tag("span", text.shape(layer), class_="quiet"), class_="facts")
    head = tag("header", tag("h1", layer.name), facts, class_="title")
    main = tag("main", head, _controls(), _places(), tag("noscript", tag("p", _without_scripts(), class_="prose")))
    below = foot(keys(("← ↑ → ↓", "move"), ("Enter", "open"), ("/", "search"), ("u", "all layers")))
    data = [f"{wall_folder(layer.name)}/{DATA}"]
    header = top(trail, _around(network, layer, address))
    title = f"{layer.name} - {network.name}"
    return page(address, title, header, main, below, styles=("wall",), scripts=SCRIPTS, data=data)


def wall_data(
    layer: LayerRecord,
    briefs: Sequence[UnitSummary],
    *,
    sheets: Sequence[str],
    cell: tuple[int, int],
    columns: int,
    missing: Sequence[int],
    whole: bool,
) -> bytes:
    """A script that hands the wall its units, column by column; `whole` if every unit's own picture is on the disk."""
    start = layer_page(layer.name)
    kinds = sorted({fault for brief in briefs for fault in brief.faults})
    columns_of: dict[str, Any] = {
        "units": [brief.unit for brief in briefs],
        "labels": [brief.label for brief in briefs] if any(brief.label for brief in briefs) else None,
        "scores": [float(f"{brief.score:.6g}") if math.isfinite(brief.score) else None for brief in briefs],
        "outcomes": [brief.outcome.value for brief in briefs],
        "kinds": kinds,
        # Most units have no fault: only those that have one are named, by their place.
        "faults": {
            at: [kinds.index(fault) for fault in brief.faults] for at, brief in enumerate(briefs) if brief.faults
        },
        "trusted": [brief.trusted for brief in briefs] if any(brief.trusted is not None for brief in briefs) else None,
        "sheets": [link(f"{wall_folder(layer.name)}/{name}", start) for name in sheets],
        "cell": cell,
        "columns": columns,
        "missing": list(missing),
        "folder": link(f"units/{layer_name(layer.name)}/", start),
        "whole": whole,
    }
    # ASCII, and no `<`: the same text is safe wherever it may be pasted.
    said = json.dumps(columns_of, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")
    return f"atlas.hang({said});\n".encode()


def _controls() -> Html:
    return tag(
        "form",
        tag("input", type="search", id="search", placeholder="Number or label", aria_label="Search by number or label"),
        _choice("sort", "Order", SORTS),
        _choice("show", "Units shown", (("all", "all"),)),
        _choice("size", "Size of the pictures", SIZES),
        tag("output", id="count", aria_live="polite"),
        class_="controls",
        id="controls",
        role="search",
    )


def _choice(name: str, title: str, options: Sequence[tuple[str, str]]) -> Html:
    choices = [tag("option", said, value=value) for value, said in options]
    return tag("select", choices, id=name, name_=name, aria_label=title)


def _places() -> Html:
    return tag("div", id="wall", class_="wall", role="list", aria_label="Units")


def _without_scripts() -> str:
    return (
        "The wall is hung by a script; without one, each unit still has its page: start from the front page's pictures."
    )


def _around(network: NetworkRecord, layer: LayerRecord, address: str) -> Html:
    drawn = [other.name for other in network.layers if other.done or other.name == layer.name]
    at = drawn.index(layer.name) if layer.name in drawn else -1

    def to(place: int, rel: str, arrow: str) -> Child:
        if at < 0 or not 0 <= place < len(drawn):
            return tag("span", arrow, class_="off", aria_hidden="true")
        said = f"{'Previous' if rel == 'prev' else 'Next'} layer, {drawn[place]}"
        body = [arrow, " ", drawn[place]] if rel == "prev" else [drawn[place], " ", arrow]
        return tag("a", *body, rel=rel, href=link(layer_page(drawn[place]), address), aria_label=said)

    up = tag("a", "all layers", rel="up", href=link(INDEX, address), class_="up")
    return tag("nav", to(at - 1, "prev", "←"), up, to(at + 1, "next", "→"), class_="around", aria_label="Neighbors")
