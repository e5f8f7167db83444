"""Which pictures explanations show, those that matter most first."""

from collections import Counter
from collections.abc import Iterable, Sequence

from featviz.attribution.explanation import Explanation, LayerView, listed_sources
from featviz.objectives import Objective, channel, direction

# The first pictures are of so many units for a decision and against it in each layer; then the others come.
FIRST_FOR, FIRST_AGAINST = 3, 2
# Of the units that are strongest at some place, how many of a layer are drawn where no atlas has them.
DRAWN_PLACES = 12


def picture_rounds(explanations: Sequence[Explanation], layers: Sequence[str]) -> list[list[Objective]]:
    """The pictures that pages need, in rounds: a page is of more use after each.

    First, layer by layer, the foremost units for each decision and against it, then the groups, the other units, those
    that are strongest at most places, and those that feed groups. The last layers come first, which are nearest the
    decision.
    """
    first: list[list[Objective]] = []
    others, places, sources, found = [], [], [], []
    for layer in reversed(layers):
        views = _views(explanations, layer)
        foremost = [unit for view in views for unit in _foremost(view)]
        decisive = [share.unit for view in views for share in (*view.supporting, *view.opposing)]
        first.append(_channels(layer, foremost))
        found += [direction(layer, row) for view in views if view.groups is not None for row in view.groups.directions]
        others += _channels(layer, decisive)
        places += _channels(layer, seen_units(explanations, layer)[:DRAWN_PLACES])
        sources += _channels(layer, source_units(explanations, layer))
    known: set[str] = set()
    rounds = []
    for objectives in (*first, found, others, places, sources):
        new = {each.hash: each for each in objectives if each.hash not in known}
        known.update(new)
        rounds.append(list(new.values()))
    return [objectives for objectives in rounds if objectives]


def listed_units(explanations: Sequence[Explanation], layer: str) -> list[int]:
    """All units of a layer that pages list, each once."""
    decisive = [share.unit for view in _views(explanations, layer) for share in (*view.supporting, *view.opposing)]
    return list(dict.fromkeys([*decisive, *source_units(explanations, layer), *seen_units(explanations, layer)]))


def source_units(explanations: Sequence[Explanation], layer: str) -> list[int]:
    """The units of a layer that feed groups of the next one on the page."""
    views = [view for each in explanations for view in each.layers]
    units = [unit for view in views if view.sources and view.sources.layer == layer for unit in listed_sources(view)]
    return list(dict.fromkeys(units))


def seen_units(explanations: Sequence[Explanation], layer: str) -> list[int]:
    """The units of a layer that places list, those that are strongest at most places first."""
    strongest, listed = Counter[int](), Counter[int]()
    for view in _views(explanations, layer):
        strongest.update(view.strongest[..., 0].reshape(-1).tolist())
        listed.update(view.strongest.reshape(-1).tolist())
    others = [unit for unit, _ in listed.most_common() if unit not in strongest]
    return [unit for unit, _ in strongest.most_common()] + others


def _views(explanations: Sequence[Explanation], layer: str) -> list[LayerView]:
    return [view for each in explanations for view in each.layers if view.layer == layer]


def _foremost(view: LayerView) -> list[int]:
    return [share.unit for share in (*view.supporting[:FIRST_FOR], *view.opposing[:FIRST_AGAINST])]


def _channels(layer: str, units: Iterable[int]) -> list[Objective]:
    return [channel(layer, unit) for unit in dict.fromkeys(units)]
