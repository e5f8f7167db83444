"""HTML that notebooks show: images with captions, tables, rows of both. Every text is escaped here.

Styles stand in the elements, since a notebook keeps no style sheet, and colors are the notebook's own, light or dark.
"""

import base64
import html
import io
import math
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, NewType

if TYPE_CHECKING:
    from PIL.Image import Image

# Text whose special characters are escaped.
Html = NewType("Html", str)

# Images narrower than this are enlarged by an integer factor, so that they can be seen.
SMALLEST = 96
QUALITY = 92
QUIET = "opacity:.7;font-size:.85em"
CELL = "text-align:left;vertical-align:middle;padding:.15em .9em .15em 0"


def text_html(text: object, *, quiet: bool = False) -> Html:
    """A text, which may come from a file.

    >>> text_html("a < b")
    'a &lt; b'
    """
    escaped = html.escape(str(text))
    return Html(f'<span style="{QUIET}">{escaped}</span>' if quiet else escaped)


def heading_html(title: str, note: str) -> Html:
    """A line in bold type, and a quiet one after it."""
    return Html(f"<div><strong>{text_html(title)}</strong> {text_html(note, quiet=True)}</div>")


def image_html(image: "Image", alt: str, *, side: int | None = None) -> Html:
    """An image within the page.

    Args:
      image: gray or in color, with transparency or without.
      alt: what it shows, for screen readers.
      side: the longer side to which a larger image is reduced; by default it keeps its size.
    """
    shown = image if image.mode in ("L", "RGB", "RGBA") else image.convert("RGBA")
    if side is not None and max(shown.size) > side:
        shown = shown.copy()
        shown.thumbnail((side, side))
    buffer = io.BytesIO()
    shown.save(buffer, "WEBP", quality=QUALITY)
    return encoded_image_html(buffer.getvalue(), alt, width=shown.width)


def encoded_image_html(data: bytes, alt: str, *, width: int) -> Html:
    """An image within the page, of the bytes of a WebP file.

    Args:
      data: the file's bytes.
      alt: what it shows, for screen readers.
      width: its width in pixels.
    """
    factor = max(1, math.ceil(SMALLEST / width))
    sharp = "image-rendering:pixelated;" if factor > 1 else ""
    address = "data:image/webp;base64," + base64.b64encode(data).decode()
    style = f"{sharp}width:{width * factor}px;max-width:100%;height:auto;display:block;margin:0"
    return Html(f'<img src="{address}" alt="{text_html(alt)}" style="{style}">')


def figure_html(image: Html, lines: Sequence[str]) -> Html:
    """An image with its caption: the first line, then quiet ones."""
    caption = [text_html(line, quiet=index > 0) for index, line in enumerate(lines) if line]
    # A caption of a table is as wide as the image.
    style = "display:table-caption;caption-side:bottom;font-size:.9em"
    below = f'<figcaption style="{style}">{"<br>".join(caption)}</figcaption>'
    return Html(f'<figure style="display:table;margin:0 .8em .8em 0">{image}{below}</figure>')


def row_html(items: Iterable[Html]) -> Html:
    """Items side by side, in as many lines as they need."""
    return Html(f'<div style="display:flex;flex-wrap:wrap;align-items:flex-start">{"".join(items)}</div>')


def table_html(header: Sequence[str], rows: Iterable[Sequence[Html]]) -> Html:
    """A table; without a header, the first cell of each row is its heading."""
    head = "".join(f'<th scope="col" style="{CELL}">{text_html(name)}</th>' for name in header)
    lines = [f"<thead><tr>{head}</tr></thead>" if header else "", "<tbody>"]
    for cells in rows:
        first, *others = cells
        lines.append(f'<tr><th scope="row" style="{CELL};font-weight:inherit">{first}</th>')
        lines += [f'<td style="{CELL}">{cell}</td>' for cell in others]
        lines.append("</tr>")
    return Html(f'<table style="border-collapse:collapse">{"".join(lines)}</tbody></table>')


def facts_html(facts: Iterable[tuple[str, object]]) -> Html:
    """Names with their values; those without a value are left out."""
    return table_html((), [(text_html(name, quiet=True), text_html(value)) for name, value in facts if value != ""])


def joined_html(parts: Iterable[Html]) -> Html:
    """Parts one below the other."""
    return Html(f"<div>{''.join(parts)}</div>")
