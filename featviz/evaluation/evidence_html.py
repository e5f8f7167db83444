"""Evidence in a notebook: a row for each unit, its picture beside its figures and the verdict."""

import math

from featviz.common.notebook_html import Html, heading_html, image_html, joined_html, table_html, text_html
from featviz.evaluation import figures
from featviz.evaluation.evidence import Evidence
from featviz.evaluation.evidence_text import verdict

SIDE = 96
# More rows make a notebook's file large.
MOST_ROWS = 50


def evidence_html(evidence: Evidence) -> Html:
    """The table; the means of all units with their 95 % intervals are its last row."""
    shown = [quantity for quantity in figures.quantities() if quantity.header]
    pictures = dict(zip((row.name for row in evidence.rows), evidence.pictures, strict=False))
    rows = []
    for row in evidence.rows[:MOST_ROWS]:
        picture = pictures.get(row.name)
        image = Html("") if picture is None else image_html(picture.preview(), f"Picture of {row.name}", side=SIDE)
        numbers = [text_html(_number(row.figures[quantity.name])) for quantity in shown]
        rows.append([text_html(row.name), image, *numbers, text_html(verdict(row)[1])])
    means = evidence.means()
    intervals = [
        joined_html(
            [text_html(_number(mean)), Html("<br>"), text_html(f"{_number(low)} to {_number(high)}", quiet=True)]
        )
        for mean, low, high in (means[quantity.name] for quantity in shown)
    ]
    rows.append([text_html("mean"), Html(""), *intervals, text_html("with 95 % intervals", quiet=True)])
    header = ("unit", "picture", *(quantity.header for quantity in shown), "verdict")
    trusted = sum(row.trusted is True for row in evidence.rows)
    title = heading_html("Evidence", f"{trusted} of {len(evidence.rows)} trusted, compared by {evidence.other}")
    left = len(evidence.rows) - MOST_ROWS
    more = [text_html(f"and {left} more units", quiet=True)] if left > 0 else []
    return joined_html([title, table_html(header, rows), *more])


def _number(value: float) -> str:
    return f"{value:.3g}" if math.isfinite(value) else "none"
