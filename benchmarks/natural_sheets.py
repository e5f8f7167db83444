"""Sheets of `natural_pictures.py`: the same units or classes under each arm, a row an arm."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

CELL, GAP, LABEL, COLUMNS = 128, 4, 110, 12


def draw_sheet(rows: Mapping[str, Sequence[np.ndarray | None]], captions: Sequence[str], path: Path) -> None:
    """A row an arm and a column a unit, twelve columns side by side, the others below; None leaves a place empty."""
    count = len(captions)
    blocks = [range(first, min(first + COLUMNS, count)) for first in range(0, count, COLUMNS)]
    line = CELL + GAP
    height = len(rows) * line + 18
    sheet = Image.new("RGB", (LABEL + min(count, COLUMNS) * line, len(blocks) * height), "white")
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(12)
    for block, columns in enumerate(blocks):
        top = block * height + 18
        for place, index in enumerate(columns):
            draw.text((LABEL + place * line, top - 16), captions[index][:18], font=font, fill="#404040")
        for row, (arm, images) in enumerate(rows.items()):
            draw.text((4, top + row * line + CELL // 2), arm[:16], font=font, fill="black")
            for place, index in enumerate(columns):
                image = images[index]
                if image is not None:
                    cell = Image.fromarray(image).resize((CELL, CELL), Image.Resampling.LANCZOS)
                    sheet.paste(cell, (LABEL + place * line, top + row * line))
    path.parent.mkdir(parents=True, exist_ok=True)
    sheet.save(path, quality=88)
