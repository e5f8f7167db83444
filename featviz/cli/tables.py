"""Tables of text whose long cells are broken into lines."""

import textwrap
from collections.abc import Collection, Sequence


def row_lines(texts: Sequence[str], widths: Sequence[int], *, numbers: Collection[int] = ()) -> list[str]:
    """A row: as many lines as its highest cell has, each two spaces in; the columns of `numbers` are flushed right.

    >>> row_lines(["a name", "7"], [4, 3], numbers=[1])
    ['  a       7', '  name']
    """
    cells = [textwrap.wrap(text, width, break_on_hyphens=False) for text, width in zip(texts, widths, strict=True)]
    lines = []
    for at in range(max(map(len, cells))):
        parts = [cell[at] if at < len(cell) else "" for cell in cells]
        row = [
            part.rjust(width) if column in numbers else part.ljust(width)
            for column, (part, width) in enumerate(zip(parts, widths, strict=True))
        ]
        lines.append(f"  {'  '.join(row)}".rstrip())
    return lines
