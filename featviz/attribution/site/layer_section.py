"""A layer's section of an explanation's page: its units, its places and its groups, with their pictures."""

from collections.abc import Collection, Sequence
from typing import NamedTuple

import numpy as np

from featviz.attribution.activation_grid import grid_address
from featviz.attribution.explanation import AT_GROUP, Explanation, LayerView, UnitShare
from featviz.attribution.shown_pictures import ShownPictures
from featviz.attribution.site.photo_overlays import css_color, data_address, overlay
from featviz.objectives import Objective, channel, direction
from featviz.pages.addresses import link
from featviz.pages.formatting import format_percent
from featviz.pages.site_files import FileExists

# The longer side of an overlay on the page.
OVERLAY_SIDE = 224


class UnitItem(NamedTuple):
    """A unit with its picture, if there is one, its attribution and the score's change without it, if that is known."""

    unit: int
    src: str | None
    attribution: float
    effect: float | None
    percent: float


class PlaceItem(NamedTuple):
    """A place of the photo: its strongest units and their strengths as text, and its attribution's tint."""

    label: str
    units: str
    tint: str


class GroupItem(NamedTuple):
    """A group of units: its color, its picture, its attribution and its strongest units.

    `overlay` is where it is and `effect` the score's change without it; both are None where a group feeds another.
    """

    number: int
    color: str
    src: str | None
    attribution: float
    units: str
    overlay: str | None = None
    effect: float | None = None


class SourceItem(NamedTuple):
    """What feeds a group: how strong it is, and the shares of the units and groups of the layer before."""

    number: int
    color: str
    score: float
    units: tuple[UnitItem, ...]
    groups: tuple[GroupItem, ...]
    rest: float


class LayerSection(NamedTuple):
    """A layer's section of the page."""

    id: str
    name: str
    files: str
    grid: str | None
    rows: tuple[tuple[PlaceItem, ...], ...]
    first_place: str
    supporting: tuple[UnitItem, ...]
    opposing: tuple[UnitItem, ...]
    groups: tuple[GroupItem, ...]
    groups_fault: str
    sources: tuple[SourceItem, ...]
    source_layer: str
    explained: str
    method: str
    completeness: str | None


class PagePictures(NamedTuple):
    """The page at an address, and the pictures that its folder has."""

    address: str
    pictures: ShownPictures
    file_exists: FileExists

    def src(self, objective: Objective) -> str | None:
        """The picture of an objective, if there is one."""
        file = self.pictures.find(objective, self.file_exists)
        return None if file is None else link(file, self.address)

    def link(self, file: str) -> str | None:
        """A file, if there is one."""
        return link(file, self.address) if self.file_exists(file) else None


def layer_section(explanation: Explanation, index: int, shown: PagePictures) -> LayerSection:
    """The section of one of an explanation's layers.

    Args:
      explanation: of the photo.
      index: of the layer.
      shown: the page's pictures.
    """
    view = explanation.layers[index]
    why = view.attribution
    largest = max((abs(share.attribution) for share in (*view.supporting, *view.opposing)), default=1.0) or 1.0

    def items(shares: Sequence[UnitShare]) -> tuple[UnitItem, ...]:
        return tuple(
            UnitItem(
                share.unit,
                shown.src(channel(view.layer, share.unit)),
                share.attribution,
                share.effect,
                100 * abs(share.attribution) / largest,
            )
            for share in shares
        )

    error = float(why.completeness_error[0])
    listed = {int(unit): shown.src(channel(view.layer, int(unit))) for unit in np.unique(view.strongest)}
    files = {unit: src for unit, src in listed.items() if src is not None}
    row, column = _first_place(view, files)
    return LayerSection(
        id=f"layer-{index}",
        name=view.layer,
        files=" ".join(f"{unit}:{src}" for unit, src in files.items()),
        grid=shown.link(grid_address(shown.pictures.drawn, view.layer, why.activations[0])),
        rows=_places(view),
        first_place=f"{row}-{column}",
        supporting=items(view.supporting),
        opposing=items(view.opposing),
        groups=_groups(explanation, view, shown),
        groups_fault=view.groups_fault,
        sources=_sources(explanation, index, shown),
        source_layer="" if view.sources is None else view.sources.layer,
        explained="" if view.groups is None else format_percent(max(view.groups.explained, 0.0)),
        method=why.method.words + ("" if why.method.per_position else ", which does not tell places apart"),
        completeness=format_percent(error) if why.method.complete else None,
    )


def _first_place(view: LayerView, drawn: Collection[int]) -> tuple[int, int]:
    """The row and column of the place that is shown first: of those with most pictures, the one that fires most."""
    pictures = np.isin(view.strongest, list(drawn)).sum(-1)
    strengths = np.where(pictures == pictures.max(), view.strengths[..., 0], -np.inf)
    row, column = np.unravel_index(int(strengths.argmax()), strengths.shape)
    return int(row), int(column)


def _places(view: LayerView) -> tuple[tuple[PlaceItem, ...], ...]:
    largest = max(float(np.abs(view.places).max()), 1e-12)
    rows = []
    for row in range(view.places.shape[0]):
        items = []
        for column in range(view.places.shape[1]):
            share = float(view.places[row, column]) / largest
            pairs = zip(view.strongest[row, column], view.strengths[row, column], strict=True)
            units = " ".join(f"{unit}:{strength:.3g}" for unit, strength in pairs)
            color = "var(--good)" if share > 0 else "var(--alarm)"
            tint = f"color-mix(in srgb, {color} {65 * abs(share):.0f}%, transparent)"
            # What the tint says, for who does not see it.
            side = ", for it" if share > 0 else ", against it" if share < 0 else ""
            items.append(PlaceItem(f"row {row + 1}, column {column + 1}{side}", units, tint))
        rows.append(tuple(items))
    return tuple(rows)


def _groups(explanation: Explanation, view: LayerView, shown: PagePictures) -> tuple[GroupItem, ...]:
    found = view.groups
    if found is None:
        return ()
    items = []
    for index, weights in enumerate(found.spatial):
        flat = weights.reshape(-1)
        places = flat[len(flat) - view.places.size :].reshape(view.places.shape)
        item = _group(view, index, shown, float(found.attributions[index]))
        where = data_address(overlay(explanation.shown, places, index, OVERLAY_SIDE))
        items.append(item._replace(overlay=where, effect=float(found.effects[index])))
    return tuple(items)


def _group(view: LayerView, index: int, shown: PagePictures, attribution: float) -> GroupItem:
    """A group of a view, with what it contributes to the score or to another group."""
    assert view.groups is not None
    vector = view.groups.directions[index]
    units = ", ".join(str(unit) for unit in np.argsort(-np.abs(vector), kind="stable")[:4])
    return GroupItem(index + 1, css_color(index), shown.src(direction(view.layer, vector)), attribution, units)


def _sources(explanation: Explanation, index: int, shown: PagePictures) -> tuple[SourceItem, ...]:
    """What of the layer before feeds each group of a layer, as shares of how strong the group is."""
    view = explanation.layers[index]
    found = view.sources
    if found is None:
        return ()
    before = explanation.layers[index - 1]
    items = []
    for group, score in enumerate(found.scores):
        whole = float(score) or 1.0
        top = [(unit, value) for unit, value in found.top(group, AT_GROUP) if value > 0]
        units = tuple(
            UnitItem(unit, shown.src(channel(found.layer, unit)), value / whole, None, 100 * value / top[0][1])
            for unit, value in top
        )
        shares = found.groups[group] / whole
        groups = tuple(_group(before, each, shown, float(shares[each])) for each in range(len(shares) - 1))
        rest = float(shares[-1]) if len(shares) else 0.0
        items.append(SourceItem(group + 1, css_color(group), float(score), units, groups, rest))
    return tuple(items)
