"""The captions of a sheet: a title, and under each picture its unit or class and its score or outcome."""

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import TYPE_CHECKING

from featviz.ascent.outcome import Outcome
from featviz.pictures.picture import Picture

if TYPE_CHECKING:
    from PIL.ImageFont import FreeTypeFont

# Between a name and a score on one line.
SEPARATOR = "  "
# What a caption says in place of the score.
OUTCOME_TEXTS = {
    outcome: outcome.value for outcome in (Outcome.DEAD, Outcome.NOT_FINITE, Outcome.CONSTANT, Outcome.UNMOVED)
}


@dataclass(frozen=True)
class Captions:
    """A sheet's title, "" for none, and a name and a note for each picture, on one line or on two."""

    title: str
    lines: int
    texts: tuple[tuple[str, str], ...]


def make_captions(
    pictures: Sequence[Picture], width: int, font: "FreeTypeFont", *, notes: Sequence[str] | None = None
) -> Captions:
    """The captions of pictures in cells of `width` pixels; all are on two lines if one needs two.

    Units of one layer are named by their indices, others in full, classes by their names. A name that is too long for
    a line of its own loses the beginning that it shares with all others, then the middle, then all but the unit; the
    name of a class loses its end.

    Args:
      notes: a text for each picture, before its score; by default the note of its provenance, as a facet has.
    """
    notes = [str(picture.provenance.get("note", "")) for picture in pictures] if notes is None else notes
    title, full = sheet_title(pictures), not same_layer(pictures)
    names = [short_name(picture, full=full) for picture in pictures]
    scores = [
        SEPARATOR.join(filter(None, (note, score_text(picture)))) for note, picture in zip(notes, pictures, strict=True)
    ]
    one_line = [SEPARATOR.join(filter(None, texts)) for texts in zip(names, scores, strict=True)]
    if all(font.getlength(text) <= width for text in one_line):
        return Captions(title, 1, tuple(zip(names, scores, strict=True)))
    if full and any(font.getlength(name) > width for name in names):
        shared = shared_start([picture.name for picture in pictures if class_of(picture) is None])
        names = [name if class_of(p) else name[len(shared) :] for name, p in zip(names, pictures, strict=True)]
        title = f"{title} {shared}…".strip() if shared else title
    fitted = [
        (fit_start(name, width, font) if class_of(p) else fit_middle(name, width, font), fit_start(score, width, font))
        for name, score, p in zip(names, scores, pictures, strict=True)
    ]
    return Captions(title, 2, tuple(fitted))


def sheet_title(pictures: Sequence[Picture]) -> str:
    """The network and the layer of the pictures, as far as all have the same.

    >>> import numpy as np
    >>> provenance = {"name": "conv1:7", "network": {"name": "patterns"}}
    >>> sheet_title([Picture(np.zeros((2, 3, 1)), 0, Outcome.DEAD, [], provenance)])
    'patterns conv1'
    """
    networks = {str((picture.provenance.get("network") or {}).get("name", "")) for picture in pictures}
    layers = {split_name(picture.name)[0] for picture in pictures}
    return " ".join(names.pop() for names in (networks, layers) if len(names) == 1).strip()


def same_layer(pictures: Sequence[Picture]) -> bool:
    """Whether all pictures are of one layer."""
    return len({split_name(picture.name)[0] for picture in pictures}) == 1


def short_name(picture: Picture, *, full: bool = False) -> str:
    """A picture's class, else its unit, or with `full` its whole name."""
    return class_of(picture) or (picture.name if full else split_name(picture.name)[1])


def class_of(picture: Picture) -> str | None:
    """The first synonym of the picture's class, or None if it is not of a class with a name."""
    name = str(picture.provenance.get("class") or "").partition(",")[0].strip()
    return name or None


def score_text(picture: Picture) -> str:
    """The score, or in its place why the picture means little, such as `dead`; "" if there is no score."""
    score = format_score(picture.score) if math.isfinite(picture.score) else ""
    return OUTCOME_TEXTS.get(picture.outcome, score)


def format_score(score: float) -> str:
    """A score in about three digits.

    >>> [format_score(score) for score in (12.345, -0.5, 1234.5, 1.5e7, 0.0)]
    ['12.3', '-0.5', '1234', '1.5e+07', '0']
    """
    return f"{score:.0f}" if 1000 <= abs(score) < 1e6 else f"{score:.3g}"


def split_name(name: str) -> tuple[str, str]:
    """A picture's name as its layer and its unit.

    >>> split_name("inception_4c:103"), split_name("picture")
    (('inception_4c', '103'), ('', 'picture'))
    """
    layer, _, unit = name.rpartition(":")
    return layer, unit


def shared_start(names: Sequence[str]) -> str:
    """The blocks with which all layers' names begin; the last part of a name is not among them.

    >>> shared_start(["blocks/2/mlp/act:3", "blocks/6/mlp/act:7"]), shared_start(["conv1:3", "conv2:3"])
    ('blocks/', '')
    """
    parts = [re.split(r"(?<=[/.])", name.rpartition(":")[0]) for name in names]
    columns = zip(*(blocks[:-1] for blocks in parts), strict=False) if len(parts) > 1 else ()
    return "".join(column[0] for column in takewhile(lambda column: len(set(column)) == 1, columns))


def fit_start(text: str, room: float, font: "FreeTypeFont") -> str:
    """The longest beginning of the text that fits in `room` pixels, with an ellipsis after it if it is not all."""
    shortened = (text[:end].rstrip() + "…" for end in range(len(text) - 1, -1, -1))
    return _first_that_fits([text, *shortened], room, font)


def fit_end(text: str, room: float, font: "FreeTypeFont") -> str:
    """The longest end of the text that fits in `room` pixels, with an ellipsis before it if it is not all."""
    shortened = (f"…{text[start:]}" for start in range(1, len(text) + 1))
    return _first_that_fits([text, *shortened], room, font)


def fit_middle(text: str, room: float, font: "FreeTypeFont") -> str:
    """As `fit_end`, but with the first block of the name too, where there is room for it and for the unit."""
    first, unit_start = re.split(r"(?<=[/.])", text)[0], text.rfind(":")
    shortened = (f"{first}…{text[start:]}" for start in range(len(first) + 1, unit_start + 1))
    return _first_that_fits([text, *shortened], room, font) or fit_end(text, room, font)


def _first_that_fits(texts: Iterable[str], room: float, font: "FreeTypeFont") -> str:
    return next((text for text in texts if font.getlength(text) <= room), "")
