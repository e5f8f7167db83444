"""The units tied to a unit, as their own pictures, and the classes that its picture excites."""

from collections.abc import Sequence

from featviz.circuits.strongest_links import UnitLink
from featviz.pages import text
from featviz.pages.frames import There, linked
from featviz.pages.markup import Child, Html, tag
from featviz.pages.records import ClassScore, UnitRecord


def ties(unit: UnitRecord, start: str, there: There) -> list[tuple[str, Child, Child]]:
    """The sections of inputs, outputs and similar units: (title, note, body)."""
    said = (
        (
            "Strongest inputs",
            "The units below with the largest weights; the number is the weight, relative to the strongest.",
            unit.inputs,
        ),
        ("Strongest outputs", "The units above that it weighs on most.", unit.outputs),
        (
            "Similar units",
            "The most similar units of its layer; the number is the cosine of their weights.",
            unit.similar,
        ),
    )
    return [(title, note, _row(links, unit, start, there)) for title, note, links in said if links]


def classes(scores: Sequence[ClassScore]) -> Html:
    """Classes with their logits, and a bar of the probability."""
    rows = []
    for score in scores:
        wide = min(max(score.probability, 0.0), 1.0) if score.probability == score.probability else 0.0
        bar = tag("span", tag("span", style=f"width:{100 * wide:.2f}%"), class_="bar", aria_hidden="true")
        name = tag("span", score.name or f"class {score.index}", class_="name")
        cells = [tag("td", name), tag("td", bar, text.percent(score.probability)), tag("td", text.number(score.logit))]
        rows.append(tag("tr", cells, title=f"class {score.index}"))
    head = tag("tr", [tag("th", title, scope="col") for title in ("Class", "Probability", "Logit")])
    return tag("table", tag("thead", head), tag("tbody", rows), class_="classes")


def _row(links: Sequence[UnitLink], unit: UnitRecord, start: str, there: There) -> Html:
    units = []
    for tie in links:
        strength = tag("span", text.signed(tie.strength), class_="minus" if tie.strength < 0 else "plus")
        place = None if tie.layer == unit.layer else tag("span", tie.layer, class_="place")
        units.append(linked(tie.layer, tie.unit, start, there, tag("span", str(tie.unit)), strength, place))
    return tag("div", units, class_="units")
