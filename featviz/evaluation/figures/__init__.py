"""The evidence figures: each one file, and one line in `FIGURES`, which tables, drawings, pages and JSON enumerate.

A new figure is a file that makes an `EvidenceFigure` (see `base`), and its line below. Its quantities are then columns
of `fv.Evidence`, and tests hold it to the contract: a name of its own, a formula, a meaning, values within its range.
"""

from featviz.evaluation.figures.activation import ACTIVATION
from featviz.evaluation.figures.base import EvidenceFigure, PathArrays, Quantity, UnitArrays
from featviz.evaluation.figures.path_similarity import PATH_SIMILARITY
from featviz.evaluation.figures.prediction import PREDICTION
from featviz.evaluation.figures.robustness import ROBUSTNESS
from featviz.evaluation.figures.selectivity import SELECTIVITY
from featviz.evaluation.figures.transfer import TRANSFER

__all__ = ["FIGURES", "EvidenceFigure", "PathArrays", "Quantity", "UnitArrays", "compute", "markdown", "quantities"]

FIGURES: tuple[EvidenceFigure, ...] = (
    ACTIVATION,
    PREDICTION,
    SELECTIVITY,
    ROBUSTNESS,
    PATH_SIMILARITY,
    TRANSFER,
)


def quantities() -> tuple[Quantity, ...]:
    """The quantities of all figures, in the order of the table.

    >>> [quantity.name for quantity in quantities()][:3]
    ['activation_z', 'activation_percentile', 'prediction']
    """
    return tuple(quantity for figure in FIGURES for quantity in figure.quantities)


def compute(arrays: UnitArrays) -> dict[str, float]:
    """All figures of one unit: quantity name -> number, nan where it has no meaning."""
    values: dict[str, float] = {}
    for figure in FIGURES:
        names = [quantity.name for quantity in figure.quantities]
        values |= dict(zip(names, figure.compute(arrays), strict=True))
    return values


def markdown() -> str:
    """The figures as a table in Markdown: formula, range and meaning of each.

    >>> markdown().splitlines()[0]
    '| figure | formula | range | meaning |'
    """
    lines = ["| figure | formula | range | meaning |", "|---|---|---|---|"]
    for figure in FIGURES:
        ranges = "; ".join(f"`{quantity.name}` {quantity.range}" for quantity in figure.quantities)
        # A bar would end the cell.
        cells = (figure.heading, figure.formula, ranges, figure.meaning)
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines)
