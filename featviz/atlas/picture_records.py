"""Pictures of an atlas as pages show them, read from its entries with errors that name a damaged one."""

from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import TypeVar

import numpy as np
from jaxtyping import UInt8

from featviz.atlas.entries import Entries
from featviz.atlas.entry_records import described_objective, entry_command, entry_key, shares_of_photos
from featviz.errors import FeatvizError, in_one_line
from featviz.pages.records import PictureRecord, Role

T = TypeVar("T")
# Pictures of neighboring units that are read at once.
READ_AHEAD = 64


def picture_records(entries: Entries, unit: int) -> list[PictureRecord]:
    """The pictures of an entry; none if it is not written.

    Raises:
      FeatvizError: if the entry is damaged.
    """
    outcome = read_entry(entries, unit, lambda: entries.outcome(unit))
    if outcome is None:
        return []
    history, clean, scores, pixels, described, begun_at = read_entry(
        entries,
        unit,
        lambda: (
            entries.history(unit),
            entries.clean_history(unit),
            entries.score(unit),
            entries.pixels(unit),
            described_objective(entries, unit),
            entries.begun_at(unit),
        ),
    )
    shared = entries.attributes
    role, seed = Role(shared["role"]), int(shared["seed"])
    key, command, shares = entry_key(entries, unit), entry_command(entries, unit), shares_of_photos(described)
    return [
        PictureRecord(
            role,
            index,
            picture,
            float(score),
            outcome,
            history,
            seed,
            key,
            command,
            clean[:, [0, 1 + index]],
            share=None if shares is None else shares[index],
            of_photos=shares is not None,
            begun_at=begun_at[index] if begun_at else None,
        )
        for index, (picture, score) in enumerate(zip(pixels[..., : shared["channels"]], scores, strict=True))
    ]


def unit_pictures(series: Sequence[Entries], unit: int) -> list[PictureRecord]:
    """All pictures of a unit, numbered within each role: two seeds are two entries, each with a first picture."""
    seen: Counter[Role] = Counter()
    records = []
    for picture in (picture for entries in series for picture in picture_records(entries, unit)):
        records.append(replace(picture, index=seen[picture.role]))
        seen[picture.role] += 1
    return records


def main_pixels(open_entries: Callable[[], Entries]) -> Callable[[int], UInt8[np.ndarray, "h w c"]]:
    """A function that reads the main picture of a unit; fastest for ascending units.

    `open_entries` opens the series when a picture is read: it may not exist before.
    """
    ahead: dict[int, UInt8[np.ndarray, "h w c"]] = {}

    def pixels(unit: int) -> UInt8[np.ndarray, "h w c"]:
        if unit not in ahead:
            entries = open_entries()
            channels = entries.attributes["channels"]
            ahead.clear()
            # Reading several costs about as much as reading one.
            with suppress(Exception):  # one of them is damaged, perhaps another than this one
                block = np.asarray(entries.arrays["pixels"][unit : unit + READ_AHEAD])
                ahead.update(enumerate(block[..., :channels], unit))
            if unit not in ahead:
                return read_entry(entries, unit, lambda: entries.pixels(unit)[0][..., :channels])
        return ahead[unit]

    return pixels


def read_entry(entries: Entries, unit: int, read: Callable[[], T]) -> T:
    """The result of `read`. Raises FeatvizError that names the entry if it cannot be read."""
    try:
        return read()
    # A decoder may raise anything on damaged bytes.
    except Exception as error:
        name = f"{entries.attributes['layer']}:{unit} ({entries.attributes['role']})"
        raise FeatvizError(
            f"{name} is damaged; run the atlas command again to repair it: {in_one_line(error)}"
        ) from error
