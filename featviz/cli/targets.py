"""TARGET: `LAYER:UNITS`, split at the last colon."""

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from featviz.errors import FeatvizError, likely

if TYPE_CHECKING:
    import numpy as np

    from featviz.model import Model
    from featviz.objectives import Objective

UNIT = re.compile(r"(?P<sign>-?)(?P<unit>\d+)(@(?P<at>center|class|patches\d*|\d+(x\d+)*))?")
HEAD = re.compile(r"head(?P<number>\d+)of(?P<heads>\d+)")
RANGE = re.compile(r"(?P<first>\d+)-(?P<last>\d+)")
LOGIT = "logit"


def parse_target(text: str, model: "Model", *, directions: "np.ndarray | None" = None) -> list["Objective"]:
    """The objectives that a TARGET names.

    UNITS is a list, split at commas, of `103`, `0-15`, `103@3x4` for the neuron at row 3 and column 4,
    `103@center`, `-103` for the negative (before the layer's ReLU), `all`, and `whole` for the layer as a
    whole. `logit:5` is the network's output 5, `logit:tabby` the class of that name where the network's
    classes have names (a synonym will do, but no comma). `103@patches` leaves out the class token of a layer
    of tokens, the first; `103@patches2` two of them; `103@class` is that token alone, `103@7` the token 7. `head2of12`
    is the third of twelve attention heads, of a layer `heads`.

    With `directions`, (count, units), UNITS are numbers of rows there, each a direction among the layer's units.

    Raises: FeatvizError for a text that is none of these, an unknown layer, or a unit out of range.
    """
    from featviz.objectives import deepdream, head

    layer, colon, units = text.rpartition(":")
    if not colon or not layer or not units:
        known = [each.name for each in model.layers]
        meant = model.layer((likely(text.strip(":"), known) or known[-1:])[0])
        example = f"{meant.name}:0-{min(meant.units, 16) - 1}"
        raise FeatvizError(f"TARGET is `{text}`; expected LAYER:UNITS, such as `{example}`")
    if directions is not None:
        units_there = model.layer(layer).units
        if directions.shape[1] != units_there:
            raise FeatvizError(f"--directions: each has {directions.shape[1]} numbers; {layer} has {units_there} units")
        return [each for item in units.split(",") for each in _parse_item(item, _Directions(layer, directions))]
    names = {each.name for each in model.layers}
    source = _Units(layer, model, is_layer=layer != LOGIT or LOGIT in names)
    if source.is_layer:
        model.layer(layer)
    objectives: list[Objective] = []
    for item in units.split(","):
        if item == "whole" and source.is_layer:
            objectives.append(deepdream(layer))
        elif (one := HEAD.fullmatch(item)) and source.is_layer:
            objectives.append(head(layer, int(one["number"]), heads=int(one["heads"])))
        elif not source.is_layer and item != "all" and not re.fullmatch(r"-?[\d@x-]+", item):
            objectives.append(source.one(model.class_index(item)))
        else:
            objectives += _parse_item(item, source)
    return objectives


@dataclass(frozen=True)
class _Units:
    """A layer's units, or the network's outputs."""

    layer: str
    model: "Model"
    is_layer: bool

    @property
    def count(self) -> int:
        return self.model.layer(self.layer).units if self.is_layer else self.model.layers[-1].units

    @property
    def what(self) -> str:
        return "units"

    def one(self, unit: int, *, position: tuple[int, ...] | None = None) -> "Objective":
        from featviz.objectives import channel, logit, neuron

        if position is not None:
            return neuron(self.layer, unit, position=position or None)
        return channel(self.layer, unit) if self.is_layer else logit(unit)

    def patches(self, unit: int, class_tokens: int) -> "Objective":
        from featviz.objectives import patches

        return patches(self.layer, unit, class_tokens=class_tokens)


@dataclass(frozen=True)
class _Directions:
    """Directions among a layer's units, by their numbers."""

    layer: str
    rows: "np.ndarray"

    @property
    def count(self) -> int:
        return len(self.rows)

    @property
    def what(self) -> str:
        return "directions"

    def one(self, unit: int, *, position: tuple[int, ...] | None = None) -> "Objective":
        from featviz.objectives import direction

        if position == ():
            raise FeatvizError(f"`{unit}@center` is no direction; expected its place, such as {unit}@3x4 or {unit}@0")
        return direction(self.layer, self.rows[unit], position=position, number=unit)

    def patches(self, unit: int, class_tokens: int) -> "Objective":
        from featviz.objectives import direction

        return direction(self.layer, self.rows[unit], class_tokens=class_tokens, number=unit)


def _parse_item(item: str, source: _Units | _Directions) -> list["Objective"]:
    if item == "all":
        return [source.one(unit) for unit in range(source.count)]
    bounds, one = RANGE.fullmatch(item), UNIT.fullmatch(item)
    if bounds is not None:
        first, last = int(bounds["first"]), int(bounds["last"])
        if first > last:
            raise FeatvizError(f"the range `{item}` of {source.layer} runs backwards; expected `{last}-{first}`")
        _check(last, source)
        return [source.one(unit) for unit in range(first, last + 1)]
    if one is None:
        raise FeatvizError(
            f"`{item}` names no unit of {source.layer}; expected 103, 0-15, 103@3x4, 103@center, 103@patches, "
            f"103@class, head0of12, -103, all, whole"
        )
    unit, at = int(one["unit"]), one["at"]
    _check(unit, source)
    if at is not None and at.startswith("patches"):
        objective = source.patches(unit, int(at.removeprefix("patches") or 1))
    else:
        objective = source.one(unit, position=None if at is None else _position(at))
    return [-objective if one["sign"] else objective]


def _position(at: str) -> tuple[int, ...]:
    """The place that follows the @; () for the center."""
    if at == "center":
        return ()
    return (0,) if at == "class" else tuple(int(part) for part in at.split("x"))


def _check(unit: int, source: _Units | _Directions) -> None:
    if unit >= source.count:
        raise FeatvizError(
            f"unit {unit} is out of range; {source.layer} has {source.count} {source.what}, 0 to {source.count - 1}"
        )
