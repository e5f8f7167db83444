"""TARGET: `LAYER:UNITS`, split at the last colon. The kinds of objectives read their own forms of UNITS."""

import re
from typing import TYPE_CHECKING

from featviz.errors import FeatvizError, nearest_choices

if TYPE_CHECKING:
    import numpy as np
    from jaxtyping import Float

    from featviz.model import Model
    from featviz.objectives import Objective
    from featviz.objectives.target_forms import UnitSource

RANGE = re.compile(r"(?P<first>\d+)-(?P<last>\d+)")
# What stands before the colon for the network's outputs.
LOGIT = "logit"


def parse_target(
    text: str, model: "Model", *, directions: "Float[np.ndarray, 'count units'] | None" = None
) -> list["Objective"]:
    """The objectives that a TARGET names.

    UNITS is a list, split at commas, of `103`, `0-15`, `all`, or any other form of `objectives.TARGET_FORMS`: `103@3x4`
    for the neuron at row 3 and column 4, `103@center`, `whole` for the whole layer. A `-` before a form is its negative
    (before the layer's ReLU). `logit:5` is the network's output 5, `logit:tabby` the class of that name if the
    network's classes have names (a synonym will do, but no comma). Of a layer of tokens, `103@patches` leaves out the
    class token, the first; `103@patches2` two of them; `103@class` is that token alone, `103@7` the token 7.
    `103@top16` is the mean over the 16 positions where the unit is largest, `103@top16patches` that over the 16 tokens
    of patches. `head2of12` is the third of twelve attention heads of a layer `heads`.

    Args:
      text: LAYER:UNITS.
      model: the network that has the layer.
      directions: (count, units); if given, UNITS are indices of its rows, each a direction among the layer's units.

    Raises:
      FeatvizError: for a text of none of these forms, an unknown layer, or a unit out of range.
    """
    layer, colon, units = text.rpartition(":")
    if not colon or not layer or not units:
        known = [layer.name for layer in model.layers]
        suggestion = model.layer((nearest_choices(text.strip(":"), known) or known[-1:])[0])
        example = f"{suggestion.name}:0-{min(suggestion.units, 16) - 1}"
        raise FeatvizError(f"TARGET is `{text}`; expected LAYER:UNITS, such as `{example}`")
    source = _find_source(layer, model, directions)
    return [objective for item in units.split(",") for objective in _parse_item(item, source)]


def _find_source(layer: str, model: "Model", directions: "np.ndarray | None") -> "UnitSource":
    """What the units of a target count."""
    from featviz.objectives.target_forms import UnitsOf, UnitSource

    if directions is not None:
        units = model.layer(layer).units
        if directions.shape[1] != units:
            raise FeatvizError(f"--directions: each has {directions.shape[1]} numbers; {layer} has {units} units")
        return UnitSource(model, layer, UnitsOf.DIRECTIONS, len(directions), directions)
    if layer == LOGIT and LOGIT not in {known.name for known in model.layers}:
        from featviz.model import output_units

        return UnitSource(model, layer, UnitsOf.OUTPUT, output_units(model))
    return UnitSource(model, layer, UnitsOf.LAYER, model.layer(layer).units)


def _parse_item(item: str, source: "UnitSource") -> list["Objective"]:
    """The objectives of one item of UNITS."""
    if item == "all":
        return [_read_form(str(unit), source) for unit in range(source.count)]
    bounds = RANGE.fullmatch(item)
    if bounds is not None:
        first, last = int(bounds["first"]), int(bounds["last"])
        if first > last:
            raise FeatvizError(f"the range `{item}` of {source.layer} runs backwards; expected `{last}-{first}`")
        # The last first: a range that is far out of bounds is refused at once.
        _read_form(str(last), source)
        return [_read_form(str(unit), source) for unit in range(first, last + 1)]
    objective = _read_form(item.removeprefix("-"), source)
    return [-objective if item.startswith("-") else objective]


def _read_form(item: str, source: "UnitSource") -> "Objective":
    """The objective of one item that is neither a range nor a negative."""
    from featviz.objectives import TARGET_FORMS

    for form in TARGET_FORMS:
        objective = form.read(item, source)
        if objective is not None:
            return objective
    examples = ", ".join(form.example for form in TARGET_FORMS if form.units_of is source.units_of)
    raise FeatvizError(f"`{item}` names no unit of {source.layer}; expected {examples}, 0-15, -103, all")
