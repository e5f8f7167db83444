"""TARGET: `LAYER:UNITS`, split at the last colon."""

import re
from typing import TYPE_CHECKING

from featviz.errors import FeatvizError

if TYPE_CHECKING:
    from featviz.model import Model
    from featviz.objectives import Objective

UNIT = re.compile(r"(?P<sign>-?)(?P<unit>\d+)(@(?P<at>centre|patches\d*|\d+(x\d+)*))?")
RANGE = re.compile(r"(?P<first>\d+)-(?P<last>\d+)")
LOGIT = "logit"


def parse_target(text: str, model: "Model") -> list["Objective"]:
    """The objectives that a TARGET names.

    UNITS is a list, split at commas, of `103`, `0-15`, `103@3x4` for the neuron at row 3 and column 4,
    `103@centre`, `-103` for the negative (before the layer's ReLU), `all`, and `whole` for the layer as a
    whole. `logit:5` is the network's output 5, `logit:tabby` the class of that name where the network's
    classes have names (a synonym will do, but no comma). `103@patches` leaves out the class token of a layer
    of tokens, the first; `103@patches2` two of them.

    Raises: FeatvizError for a text that is none of these, an unknown layer, or a unit out of range.
    """
    from featviz.objectives import deepdream

    layer, colon, units = text.rpartition(":")
    if not colon or not layer or not units:
        raise FeatvizError(f"TARGET is `{text}`; expected LAYER:UNITS, such as `{model.layers[-1].name}:0-15`")
    names = {each.name for each in model.layers}
    count = model.layers[-1].units if layer == LOGIT and layer not in names else model.layer(layer).units
    objectives: list[Objective] = []
    for item in units.split(","):
        if item == "whole" and layer != LOGIT:
            objectives.append(deepdream(layer))
        else:
            objectives += _parse_item(item, layer, count, model)
    return objectives


def _parse_item(item: str, layer: str, count: int, model: "Model") -> list["Objective"]:
    if item == "all":
        return [_unit(layer, unit, model) for unit in range(count)]
    if layer == LOGIT and layer not in {each.name for each in model.layers} and not re.fullmatch(r"-?[\d@x-]+", item):
        return [_unit(layer, model.class_number(item), model)]
    bounds, one = RANGE.fullmatch(item), UNIT.fullmatch(item)
    if bounds is not None:
        first, last = int(bounds["first"]), int(bounds["last"])
        if first > last:
            raise FeatvizError(f"the range `{item}` of {layer} runs backwards; expected `{last}-{first}`")
        _check(last, layer, count)
        return [_unit(layer, unit, model) for unit in range(first, last + 1)]
    if one is None:
        raise FeatvizError(
            f"`{item}` names no unit of {layer}; expected 103, 0-15, 103@3x4, 103@centre, 103@patches, -103, all, whole"
        )
    _check(int(one["unit"]), layer, count)
    objective = _unit(layer, int(one["unit"]), model, at=one["at"])
    return [-objective if one["sign"] else objective]


def _check(unit: int, layer: str, count: int) -> None:
    if unit >= count:
        raise FeatvizError(f"unit {unit} is out of range; {layer} has {count} units, 0 to {count - 1}")


def _unit(layer: str, unit: int, model: "Model", *, at: str | None = None) -> "Objective":
    from featviz.objectives import channel, logit, neuron, patches

    if at is not None and at.startswith("patches"):
        return patches(layer, unit, class_tokens=int(at.removeprefix("patches") or 1))
    if at is not None:
        position = None if at == "centre" else tuple(int(part) for part in at.split("x"))
        return neuron(layer, unit, position=position)
    if layer == LOGIT and LOGIT not in {each.name for each in model.layers}:
        return logit(unit)
    return channel(layer, unit)
