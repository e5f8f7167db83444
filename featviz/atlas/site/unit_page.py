"""A unit's page: readable without scripts, and linked to its neighbors."""

import json

from featviz.atlas.site.unit_links import classes, ties
from featviz.atlas.site.unit_photos import photographs
from featviz.atlas.site.unit_pictures import hero, others
from featviz.pages.addresses import INDEX, layer_page, link, unit_page
from featviz.pages.frames import There
from featviz.pages.markup import Child, Html, tag
from featviz.pages.page import foot, keys, page, top
from featviz.pages.records import NetworkRecord, UnitRecord
from featviz.pictures.picture import plain_json


def render_unit(
    network: NetworkRecord,
    unit: UnitRecord,
    *,
    neighbors: tuple[int | None, int | None],
    there: There,
    copied: bool,
) -> bytes:
    """The page's bytes; `there` says which other units' pictures are on the disk."""
    address = unit_page(unit.layer, unit.unit)
    wall = f"{link(layer_page(unit.layer), address)}#unit={unit.unit}"
    trail = [(network.name, link(INDEX, address)), (unit.layer, wall), (str(unit.unit), None)]
    seen = photographs(network, unit, copied=copied)
    sections = [*others(unit), *([seen] if unit.survey else []), *ties(unit, address, there)]
    if unit.classes:
        sections.append(("Classes", "What the network sees in the main picture.", classes(unit.classes)))
    # Without a survey the same place only says how to come by one, so it does not stand before the units.
    sections += [] if unit.survey else [seen]
    shown = [_section(*section) for section in sections]
    main = tag("main", hero(network, unit, wall), shown, _again(unit))
    around = _around(unit, neighbors, address, wall)
    below = foot(keys(("← →", "neighbors"), ("u", "layer")), tag("a", "unit.json", href="unit.json"))
    title = f"{unit.layer} {unit.unit}" + (f", {unit.label}" if unit.label else "") + f" - {network.name}"
    return page(address, title, top(trail, around), main, below, styles=("unit",), scripts=("unit",))


def _section(title: str, note: Child, body: Child) -> Html:
    head = tag("header", tag("h2", title), tag("p", note) if note else None)
    return tag("section", head, tag("div", body, class_="body"), class_="part", id=title.lower().replace(" ", "-"))


def _around(unit: UnitRecord, neighbors: tuple[int | None, int | None], address: str, wall: str) -> Html:
    before, after = neighbors

    def to(other: int | None, rel: str, arrow: str) -> Html:
        if other is None:
            return tag("span", arrow, class_="off", aria_hidden="true")
        body = [tag("span", arrow, aria_hidden="true"), " ", str(other)] if rel == "prev" else None
        body = body or [str(other), " ", tag("span", arrow, aria_hidden="true")]
        said = f"{'Previous' if rel == 'prev' else 'Next'} unit, {other}"
        return tag("a", *body, rel=rel, href=link(unit_page(unit.layer, other), address), aria_label=said)

    up = tag("a", "all of ", unit.layer, rel="up", href=wall, class_="up")
    return tag("nav", to(before, "prev", "←"), up, to(after, "next", "→"), class_="around", aria_label="Neighbors")


def _again(unit: UnitRecord) -> Html:
    command = unit.pictures[0].command
    if command:
        again: Child = tag("pre", tag("code", command, id="command"))
    else:
        again = tag("p", "No command makes this picture again: something in its making has no name.", class_="prose")
    record = json.dumps(plain_json(unit.provenance), indent=1, ensure_ascii=False)
    whole = tag("details", tag("summary", "Provenance"), tag("pre", record)) if unit.provenance else None
    return _section("Make it again", None, [again, whole])
