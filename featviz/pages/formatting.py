"""Numbers, shapes and names as pages print them."""

import math
import re
from typing import TYPE_CHECKING

from featviz.pages.records import LayerRecord, UnitRecord
from featviz.pictures.captions import format_score

if TYPE_CHECKING:
    from markupsafe import Markup

MINUS = "\N{MINUS SIGN}"
TIMES = " \N{MULTIPLICATION SIGN} "
NOT_FINITE = "not finite"


def format_number(value: float) -> str:
    """A measurement in about three digits, with a typographic minus.

    >>> format_number(0.5), format_number(float("nan"))
    ('0.5', 'not finite')
    """
    return format_score(value).replace("-", MINUS) if math.isfinite(value) else NOT_FINITE


def format_signed(value: float) -> str:
    """A strength in two decimals, always with its sign.

    >>> format_signed(0.256)
    '+0.26'
    """
    return f"{value:+.2f}".replace("-", MINUS) if math.isfinite(value) else NOT_FINITE


def format_count(value: int, *, of: str = "") -> str:
    """A count with thousands separators, followed by what is counted.

    >>> format_count(20000), format_count(1, of="unit"), format_count(2, of="unit")
    ('20,000', '1 unit', '2 units')
    """
    return f"{value:,}" + (f" {of}" + ("" if value == 1 else "s") if of else "")


def format_percent(fraction: float) -> str:
    """A fraction as a percentage, with a decimal if it is small.

    >>> format_percent(0.431), format_percent(0.004), format_percent(float("nan"))
    ('43 %', '0.4 %', 'not finite')
    """
    if not math.isfinite(fraction):
        return NOT_FINITE
    return f"{100 * fraction:.0f} %" if fraction == 0 or fraction >= 0.095 else f"{100 * fraction:.1f} %"


def format_shape(layer: LayerRecord) -> str:
    """A layer's shape.

    >>> format_shape(LayerRecord("conv1", (8, 8, 16), 16, 16, 16)).split(TIMES)
    ['8', '8', '16']
    """
    return TIMES.join(str(side) for side in layer.shape)


def format_progress(layer: LayerRecord) -> str:
    """How many of a layer's units are rendered.

    >>> format_progress(LayerRecord("conv1", (16,), 16, 16, 3)), format_progress(LayerRecord("conv1", (16,), 16, 8, 8))
    ('3 of 16 units', '8 of 16 units')
    """
    total = max(layer.units, layer.planned)
    units = format_count(total, of="unit")
    return units if layer.done >= total else f"{format_count(layer.done)} of {units}"


def name_unit(unit: UnitRecord) -> str:
    """A unit in words, for alternative texts."""
    return f"unit {unit.unit} of {unit.layer}" + (f" ({unit.label})" if unit.label else "")


def format_name(name: str) -> "Markup":
    """A layer's name as HTML that a narrow page breaks behind its slashes and dots.

    >>> str(format_name("a<b/latents"))
    'a&lt;b/<wbr>latents'
    """
    from markupsafe import Markup

    return Markup("<wbr>").join(re.split(r"(?<=[/.])(?=.)", name))
