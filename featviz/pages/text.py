"""Numbers and words as they are read on the site."""

import math

from featviz.pages.records import LayerRecord, UnitRecord
from featviz.pictures.captions import format_score

MINUS = "\N{MINUS SIGN}"
TIMES = " \N{MULTIPLICATION SIGN} "


def number(value: float) -> str:
    """A measure in three digits or so, with a true minus.

    >>> number(0.5), number(float("nan"))
    ('0.5', 'not finite')
    """
    return format_score(value).replace("-", MINUS) if math.isfinite(value) else "not finite"


def signed(value: float) -> str:
    """A strength in two decimals, always with its sign.

    >>> signed(0.256)
    '+0.26'
    """
    return f"{value:+.2f}".replace("-", MINUS) if math.isfinite(value) else "not finite"


def count(value: int, *, of: str = "") -> str:
    """A whole number in groups of three, with what is counted.

    >>> count(20000), count(1, of="unit"), count(2, of="unit")
    ('20,000', '1 unit', '2 units')
    """
    return f"{value:,}" + (f" {of}" + ("" if value == 1 else "s") if of else "")


def percent(fraction: float) -> str:
    """A share in per cent, with a decimal where it is small.

    >>> percent(0.431), percent(0.004), percent(float("nan"))
    ('43 %', '0.4 %', 'not finite')
    """
    if not math.isfinite(fraction):
        return "not finite"
    return f"{100 * fraction:.0f} %" if fraction == 0 or fraction >= 0.095 else f"{100 * fraction:.1f} %"


def shape(layer: LayerRecord) -> str:
    """A layer's shape."""
    return TIMES.join(str(side) for side in layer.shape)


def progress(layer: LayerRecord) -> str:
    """How far a layer is.

    >>> progress(LayerRecord("conv1", (16,), 16, 16, 3)), progress(LayerRecord("conv1", (16,), 16, 8, 8))
    ('3 of 16 units', '8 of 16 units')
    """
    whole = max(layer.units, layer.planned)
    return count(whole, of="unit") if layer.done >= whole else f"{count(layer.done)} of {count(whole, of='unit')}"


def name_of(unit: UnitRecord) -> str:
    """A unit in words, for alternative texts."""
    return f"unit {unit.unit} of {unit.layer}" + (f" ({unit.label})" if unit.label else "")
