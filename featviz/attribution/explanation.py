"""An explanation of one photo: what each place shows the network, and which units made the decision."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from featviz.attribution.attribute import Attribution, attribute
from featviz.attribution.effects import unit_effects
from featviz.attribution.group_sources import GroupSources, feeds, group_sources
from featviz.attribution.groups import Groups, groups_of, tells_groups
from featviz.attribution.methods import Method
from featviz.attribution.shown_pictures import ShownPictures
from featviz.common.bands import shown_bands
from featviz.errors import FeatvizError
from featviz.evaluation.class_scores import ClassScore, class_scores
from featviz.model import Model
from featviz.objectives import Objective, logit
from featviz.surveys.receptive_fields import grid_of

# Units listed at each place, and of those that feed a group.
AT_PLACE = 4
AT_GROUP = 3


class UnitShare(NamedTuple):
    """A unit's part in a decision: its attribution, the score's change without it, and its largest activation."""

    unit: int
    attribution: float
    effect: float
    activation: float


@dataclass(frozen=True)
class LayerView:
    """A layer's part in a decision.

    Attributes:
        attribution: Of the score to the layer, for the one photo.
        supporting: The units that speak most for it.
        opposing: Those that speak most against it.
        strongest: The strongest units at each place of the photo, (rows, columns, k).
        strengths: Their activations.
        places: The attribution of each place, (rows, columns); zeros if the method does not tell places apart.
        groups: Units that fire together; None if there are none to be found.
        groups_fault: Why there are none, where the method does not tell groups apart; else empty.
        sources: What of the layer before it on the page feeds the groups; None where there is no such layer.
    """

    attribution: Attribution
    supporting: tuple[UnitShare, ...]
    opposing: tuple[UnitShare, ...]
    strongest: Int[np.ndarray, "rows columns k"]
    strengths: Float[np.ndarray, "rows columns k"]
    places: Float[np.ndarray, "rows columns"]
    groups: Groups | None
    groups_fault: str = ""
    sources: GroupSources | None = None

    @property
    def layer(self) -> str:
        """The layer's name."""
        return self.attribution.layer


@dataclass(frozen=True)
class Explanation:
    """Why a network decides as it does on a photo: `fv.explain` makes it, and its page.

    Attributes:
        name: The photo's name.
        photo: As the network gets it.
        shown: The same in gray or RGB.
        objective: What is explained.
        title: The objective in words.
        score: Its value.
        classes: The network's largest outputs, or () where it has no classes.
        layers: The layers' parts, in the order of the page: as they were named, else forward.
        folder: Where its page is; None if there is none.
        pictures: The pictures there, which a notebook shows.
    """

    name: str
    photo: Float[np.ndarray, "h w c"]
    shown: Float[np.ndarray, "h w c"]
    objective: Objective
    title: str
    score: float
    classes: tuple[ClassScore, ...]
    layers: tuple[LayerView, ...]
    folder: Path | None = None
    pictures: ShownPictures | None = None

    def __repr__(self) -> str:
        return f"<Explanation of {self.title} on {self.name}, {len(self.layers)} layers>"

    def _repr_html_(self) -> str:
        from featviz.attribution.explanation_html import explanation_html

        return explanation_html(self)


def explain_photo(
    model: Model,
    name: str,
    photo: Float[np.ndarray, "h w c"],
    *,
    layers: Sequence[str],
    objective: Objective | None,
    method: Method | None,
    units: int,
    group_count: int,
    quick: bool = False,
) -> Explanation:
    """The explanation of a photo of the network's size.

    Args:
      model: the network.
      name: the photo's.
      photo: in [0,1].
      layers: names of layers.
      objective: what is explained; by default the class with the largest output.
      method: how the score is divided.
      units: how many for it and how many against it.
      group_count: how many groups of units; 0 for none.
      quick: whether programs are compiled sooner and run slower, which pays for a few photos.

    Raises:
      FeatvizError: if the network has no classes and there is no objective, or it does not fit.
    """
    (classes,) = class_scores(model, (photo[None] * 255).round().astype(np.uint8), count=5)
    if objective is None:
        if not classes:
            expected = "a target, such as logit:0 or a channel of its last layers"
            raise FeatvizError(f"{model.name} has no classes; expected {expected}")
        objective = logit(classes[0].index)
    views: list[LayerView] = []
    for layer in layers:
        view = _layer_view(model, photo, objective, layer, method, units=units, group_count=group_count, quick=quick)
        views.append(_with_sources(model, photo, view, views[-1], method, quick=quick) if views else view)
    score = float(views[0].attribution.scores[0])
    shown = shown_bands(photo, model.input.rgb)
    return Explanation(name, photo, shown, objective, title_of(objective, model), score, classes, tuple(views))


def listed_sources(view: LayerView) -> list[int]:
    """The units that a page lists as feeding the view's groups."""
    if view.sources is None:
        return []
    tops = (view.sources.top(group, AT_GROUP) for group in range(len(view.sources.scores)))
    return [unit for top in tops for unit, value in top if value > 0]


def _with_sources(
    model: Model,
    photo: Float[np.ndarray, "h w c"],
    view: LayerView,
    before: LayerView,
    method: Method | None,
    *,
    quick: bool,
) -> LayerView:
    """The view with what of the layer before it feeds its groups, if it is computed from that layer."""
    if view.groups is None or not feeds(model, before.layer, view.groups, photo.shape[:2]):
        return view
    source = before.layer if before.groups is None else before.groups
    return replace(view, sources=group_sources(model, photo, view.groups, layer=source, method=method, quick=quick))


def title_of(objective: Objective, model: Model) -> str:
    """An objective in words: classes by their first names.

    >>> import featviz as fv
    >>> title_of(fv.logit(0) - fv.logit(3), fv.load("patterns"))
    'horizontal grating rather than vertical grating'
    """
    names = []
    for term in objective.terms:
        index = term.class_index
        known = index is not None and index < len(model.classes)
        names.append(model.classes[index].split(",")[0] if known and index is not None else term.label)
    if len(set(names)) < len(names):
        return objective.label
    signs = [float(weight) for weight in objective.weights]
    if signs == [1.0]:
        return names[0]
    return f"{names[0]} rather than {names[1]}" if signs == [1.0, -1.0] else objective.label


def _layer_view(
    model: Model,
    photo: Float[np.ndarray, "h w c"],
    objective: Objective,
    layer: str,
    method: Method | None,
    *,
    units: int,
    group_count: int,
    quick: bool,
) -> LayerView:
    why = attribute(model, photo, objective, layer=layer, method=method, quick=quick)
    activation = why.activations[0]
    listed = [unit for unit, value in why.top(units) if value > 0]
    against = [unit for unit, value in why.top(-units) if value < 0]
    effects = unit_effects(model, photo, objective, layer, [*listed, *against], quick=quick)
    peaks = activation.reshape(-1, activation.shape[-1]).max(0)
    shares = [
        UnitShare(unit, float(why.units[0, unit]), float(effect), float(peaks[unit]))
        for unit, effect in zip([*listed, *against], effects, strict=True)
    ]
    grid = grid_of(activation.shape, model.input.size)
    rows = activation.reshape(-1, activation.shape[-1])[grid.skipped :]
    count = min(AT_PLACE, rows.shape[-1])
    strongest = np.argsort(-rows, axis=1, kind="stable")[:, :count]
    each = why.positions[0] if why.method.per_position else np.zeros(1, np.float32)
    places = np.broadcast_to(each.reshape(-1), (len(rows) + grid.skipped,))[grid.skipped :]
    side = (grid.rows, grid.columns)
    possible = min(group_count, *activation.reshape(-1, activation.shape[-1]).shape)
    found, fault = None, ""
    if possible > 1:
        if tells_groups(why.method):
            found = groups_of(
                model, photo, layer, activation, count=possible, objective=objective, method=method, quick=quick
            )
        else:
            fault = f"No groups of units: {why.method.name} does not tell them apart."
    return LayerView(
        attribution=why,
        supporting=tuple(shares[: len(listed)]),
        opposing=tuple(shares[len(listed) :]),
        strongest=strongest.reshape(*side, count),
        strengths=np.take_along_axis(rows, strongest, 1).reshape(*side, count),
        places=places.reshape(side),
        groups=found,
        groups_fault=fault,
    )
