"""Evidence in words: a line for each figure, the verdict, and the table of several units."""

from typing import NamedTuple

from featviz.evaluation import figures
from featviz.evaluation.evaluate import UnitEvidence
from featviz.evaluation.evidence import Evidence

MIN_WIDTH = 8


class FigureLine(NamedTuple):
    """One figure of a unit as text: "E1 prediction", its value, what to compare it with, and what it means."""

    heading: str
    value: str
    beside: str
    meaning: str


def figure_lines(row: UnitEvidence) -> list[FigureLine]:
    """All figures of a unit as text, in the order of their list."""
    return [FigureLine(figure.heading, *figure.printed(row.figures), figure.meaning) for figure in figures.FIGURES]


def verdict(row: UnitEvidence) -> tuple[bool | None, str]:
    """Whether the unit's picture is trusted, None if the evidence is inconclusive, and the same in words."""
    if row.trusted:
        return True, "no evidence against it"
    if row.trusted is None:
        return None, "inconclusive: " + ", ".join(row.inconclusive)
    return False, "do not trust: " + ", ".join(row.flag_reasons)


def table(evidence: Evidence) -> str:
    """The evidence as lines of text, a unit a line, then the means with their 95 % intervals."""
    shown = [quantity for quantity in figures.quantities() if quantity.header]
    widths = [max(MIN_WIDTH, len(quantity.header)) for quantity in shown]
    names_width = max(len(row.name) for row in evidence.rows)

    def line(name: str, cells: list[str]) -> str:
        padded = [cell.rjust(width) for cell, width in zip(cells, widths, strict=True)]
        return " ".join([name.ljust(names_width), *padded])

    lines = [line("unit", [quantity.header for quantity in shown])]
    for row in evidence.rows:
        cells = line(row.name, [f"{row.figures[quantity.name]:.3g}" for quantity in shown])
        lines.append(cells if row.trusted else f"{cells}  {verdict(row)[1]}")
    means = evidence.means()
    for index, label in enumerate(("mean", "95 % from", "to")):
        lines.append(line(label, [f"{means[quantity.name][index]:.3g}" for quantity in shown]))
    return "\n".join(lines)
