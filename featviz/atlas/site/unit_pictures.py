"""A unit's own pictures: the main one with its label, and all the others."""

from collections.abc import Sequence

from featviz.ascent.outcome import Outcome
from featviz.pages import text
from featviz.pages.charts import curve
from featviz.pages.frames import own
from featviz.pages.markup import Child, Html, tag
from featviz.pages.records import NetworkRecord, PictureRecord, Role, UnitRecord

FAULTS = {
    "dead": "Nothing in the image excites this unit: the picture is what the search began with.",
    "never rises": "The score never rose above where it began.",
    "gray": "The picture has hardly any contrast.",
    "not finite": "The search left the range of numbers; what is shown is what it left behind.",
}
ENDINGS = {
    Outcome.CONVERGED: "converged",
    Outcome.OUT_OF_STEPS: "not converged",
    Outcome.DEAD: "dead",
    Outcome.NOT_FINITE: "not finite",
}


def hero(network: NetworkRecord, unit: UnitRecord, layer_href: str) -> Html:
    """The main picture, large, with its object label."""
    main = unit.pictures[0]
    picture = own(main, f"What excites {text.name_of(unit)} most: {_fate(main)}.", class_="main")
    seeds = [shown.history for shown in unit.pictures if shown.role is Role.SEED]
    title = tag("h1", tag("span", "Unit ", class_="quiet"), str(unit.unit))
    label = tag(
        "div",
        tag("p", tag("a", unit.layer, href=layer_href), class_="layer"),
        title,
        tag("p", unit.label, class_="called") if unit.label else None,
        [tag("p", tag("strong", fault), ". ", FAULTS.get(fault, ""), class_="fault") for fault in unit.faults],
        _trust(unit),
        tag("dl", _facts(network, unit, main), class_="facts"),
        curve([main.history, *seeds]),
        class_="label",
    )
    return tag("section", picture, label, class_="hero")


def others(unit: UnitRecord) -> list[tuple[str, Child, Child]]:
    """What else was drawn of the unit, as sections: (title, note, body)."""
    name = text.name_of(unit)
    found: list[tuple[str, Child, Child]] = []
    main = unit.pictures[0]

    def of(role: Role) -> list[PictureRecord]:
        return [shown for shown in unit.pictures if shown.role is role]

    if center := of(Role.CENTER):
        pair: list[Child] = [
            own(main, f"The whole channel of {name}: {_fate(main)}.", "the whole channel", _score(main))
        ]
        pair += [
            own(
                shown, f"The neuron at the center of {name}: {_fate(shown)}.", "the neuron at the center", _score(shown)
            )
            for shown in center
        ]
        found.append(
            ("Channel and neuron", "The channel everywhere, and only at the middle of the image.", _row(pair, "large"))
        )
    if facets := of(Role.FACET):
        body = [
            own(shown, f"Picture {at} of a diverse group of {name}: {_fate(shown)}.", _score(shown))
            for at, shown in enumerate(facets, 1)
        ]
        found.append(("A diverse group", "All excite the unit, and are as unlike as they can be.", _row(body)))
    if seeds := of(Role.SEED):
        body = [
            own(
                shown,
                f"{name} from seed {shown.seed}: {_fate(shown)}.".capitalize(),
                f"seed {shown.seed}",
                _score(shown),
            )
            for shown in seeds
        ]
        found.append(("Other seeds", "The same search from other noise.", _row(body)))
    if negatives := of(Role.NEGATIVE):
        body = [own(shown, f"What {name} is least active for: {_fate(shown)}.", _score(shown)) for shown in negatives]
        found.append(("Negative direction", "What the unit is least active for, before it is rectified.", _row(body)))
    return found


def _row(figures: Sequence[Child], kind: str = "") -> Html:
    return tag("div", *figures, class_=f"row {kind}".strip())


def _score(shown: PictureRecord) -> Html:
    return tag("span", text.number(shown.score), class_="score", title=f"score, {ENDINGS[shown.outcome]}")


def _fate(shown: PictureRecord) -> str:
    return f"score {text.number(shown.score)}, {ENDINGS[shown.outcome]}"


def _facts(network: NetworkRecord, unit: UnitRecord, main: PictureRecord) -> list[Html]:
    layer = next((layer for layer in network.layers if layer.name == unit.layer), None)
    facts: list[tuple[str, str]] = [("Score", text.number(main.score))]
    steps = text.count(len(main.history), of="step")
    facts.append(("Search", f"{steps}, {ENDINGS[main.outcome]}" if len(main.history) else ENDINGS[main.outcome]))
    facts.append(("Seed", str(main.seed)))
    if layer:
        facts.append(("Layer", f"{text.shape(layer)}, {text.count(layer.units, of='unit')}"))
    return [tag("div", tag("dt", name), tag("dd", value)) for name, value in facts]


def _trust(unit: UnitRecord) -> Html | None:
    seen = unit.survey
    if seen is None or seen.trusted is None:
        return None
    flag = "Borne out by photographs" if seen.trusted else "In doubt"
    flagged = tag("a", tag("strong", flag), href="#in-photographs")
    return tag("p", flagged, class_="trust" if seen.trusted else "doubt")
