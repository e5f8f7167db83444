"""What stands on a sheet beside its pictures: a title, and beneath each its unit or class, its score or its fate."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import TYPE_CHECKING

from featviz.ascent.outcome import Outcome
from featviz.pictures.picture import Picture

if TYPE_CHECKING:
    from PIL.ImageFont import FreeTypeFont

SPACE = "  "
# What is said of a picture in place of its score.
MARKS = {Outcome.DEAD: "dead", Outcome.NOT_FINITE: "not finite"}


@dataclass(frozen=True)
class Captions:
    """A sheet's title, "" for none, and of each picture name and note: on one line, or on `lines` two."""

    title: str
    lines: int
    of: tuple[tuple[str, str], ...]


def captions_of(
    pictures: Sequence[Picture], width: int, font: "FreeTypeFont", *, notes: Sequence[str] | None = None
) -> Captions:
    """The captions of pictures in cells of `width` pixels, `notes` before the scores; all on two lines if one needs it.

    Units of one layer are named by their numbers, others in full, classes by their names. Names that are too long even
    for a line of their own lose what all of them begin with, then what is behind their first part, then all but the
    unit; a class loses its end.
    """
    layer, full = title_of(pictures), not same_layer(pictures)
    names = [label_of(picture, full=full) for picture in pictures]
    said = [f"{note}{SPACE if note else ''}{fate_of(picture)}".strip()
            for note, picture in zip(notes or [""] * len(names), pictures, strict=True)]  # fmt: skip
    whole = [name + (SPACE + note if note else "") for name, note in zip(names, said, strict=True)]
    if all(font.getlength(text) <= width for text in whole):
        return Captions(layer, 1, tuple(zip(names, said, strict=True)))
    if full and any(font.getlength(name) > width for name in names):
        shared = shared_start([picture.name for picture in pictures if class_of(picture) is None])
        names = [name if class_of(p) else name[len(shared) :] for name, p in zip(names, pictures, strict=True)]
        layer = f"{layer} {shared}…".strip() if shared else layer
    fitted = [
        (fit_start(name, width, font) if class_of(p) else fit_middle(name, width, font), fit_start(note, width, font))
        for name, note, p in zip(names, said, pictures, strict=True)
    ]
    return Captions(layer, 2, tuple(fitted))


def title_of(pictures: Sequence[Picture]) -> str:
    """The network of the pictures and their layer, as far as each is of all of them.

    >>> import numpy as np
    >>> of = {"name": "conv1:7", "network": {"name": "patterns"}}
    >>> title_of([Picture(np.zeros((2, 3, 1)), 0, Outcome.DEAD, [], of)])
    'patterns conv1'
    """
    networks = {str((picture.provenance.get("network") or {}).get("name", "")) for picture in pictures}
    layers = {split_name(picture.name)[0] for picture in pictures}
    return " ".join(each.pop() for each in (networks, layers) if len(each) == 1).strip()


def same_layer(pictures: Sequence[Picture]) -> bool:
    """Whether all pictures are of one layer."""
    return len({split_name(picture.name)[0] for picture in pictures}) == 1


def label_of(picture: Picture, *, full: bool = False) -> str:
    """What a picture is called among others: by its class, else by its full name or its unit."""
    return class_of(picture) or (picture.name if full else split_name(picture.name)[1])


def class_of(picture: Picture) -> str | None:
    """The name of the picture's class, the first of its synonyms, where it is of a class that has a name."""
    name = str(picture.provenance.get("class") or "").partition(",")[0].strip()
    return name or None


def fate_of(picture: Picture) -> str:
    """The score, or in its place that the picture is dead or not finite; "" where there is no score."""
    score = format_score(picture.score) if math.isfinite(picture.score) else ""
    return MARKS.get(picture.outcome, score)


def format_score(score: float) -> str:
    """A score in three digits or so, as short as it reads.

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
    """The parts with which all names begin, before the last part of any.

    >>> shared_start(["blocks/2/mlp/act:3", "blocks/6/mlp/act:7"]), shared_start(["conv1:3", "conv2:3"])
    ('blocks/', '')
    """
    parts = [re.split(r"(?<=[/.])", name.rpartition(":")[0]) for name in names]
    beside = zip(*(some[:-1] for some in parts), strict=False) if len(parts) > 1 else ()
    return "".join(same[0] for same in takewhile(lambda same: len(set(same)) == 1, beside))


def fit_end(text: str, room: float, font: "FreeTypeFont") -> str:
    """The longest end of the text that fits in `room` pixels, behind an ellipsis if it is not all."""
    if font.getlength(text) <= room:
        return text
    return next((f"…{text[at:]}" for at in range(1, len(text) + 1) if font.getlength(f"…{text[at:]}") <= room), "")


def fit_middle(text: str, room: float, font: "FreeTypeFont") -> str:
    """As `fit_end`, but with the first part of the name too, where there is room for it and for the unit."""
    first, end = re.split(r"(?<=[/.])", text)[0], text.rfind(":")
    if font.getlength(text) <= room or not len(first) < end:
        return fit_end(text, room, font)
    kept = (f"{first}…{text[at:]}" for at in range(len(first) + 1, end + 1))
    return next((each for each in kept if font.getlength(each) <= room), fit_end(text, room, font))


def fit_start(text: str, room: float, font: "FreeTypeFont") -> str:
    """The longest beginning of the text that fits in `room` pixels, before an ellipsis if it is not all."""
    if font.getlength(text) <= room:
        return text
    kept = (text[:end].rstrip() + "…" for end in range(len(text) - 1, -1, -1))
    return next((each for each in kept if font.getlength(each) <= room), "")
