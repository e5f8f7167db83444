"""Sheets of `natural_pictures.py`: the same units or classes under each arm, a row an arm."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

GAP, HEAD, LABEL, COLUMNS = 4, 18, 76, 8


def draw_sheet(
    rows: Mapping[str, Sequence[np.ndarray | None]], captions: Sequence[str], path: Path, *, cell: int = 128
) -> None:
    """A row an arm and a column a unit, eight columns side by side, the others below; None leaves a place empty."""
    count = len(captions)
    blocks = [range(first, min(first + COLUMNS, count)) for first in range(0, count, COLUMNS)]
    line = cell + GAP
    height = len(rows) * line + HEAD
    sheet = Image.new("RGB", (LABEL + min(count, COLUMNS) * line, len(blocks) * height), "white")
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(12)
    for block, columns in enumerate(blocks):
        top = block * height + HEAD
        for place, index in enumerate(columns):
            draw.text((LABEL + place * line, top - 16), captions[index][: cell // 7], font=font, fill="#404040")
        for row, (arm, images) in enumerate(rows.items()):
            draw.text((4, top + row * line + cell // 2), arm.replace("_", "_\n"), font=font, fill="black")
            for place, index in enumerate(columns):
                image = images[index]
                if image is not None:
                    small = Image.fromarray(image).resize((cell, cell), Image.Resampling.LANCZOS)
                    sheet.paste(small, (LABEL + place * line, top + row * line))
    path.parent.mkdir(parents=True, exist_ok=True)
    sheet.save(path, quality=88)
