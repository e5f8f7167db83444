"""A unit's profile on its page: figures, photographs with where it fires, effects on the outputs, classes."""

import base64
import io
from typing import NamedTuple

import numpy as np
from jaxtyping import UInt8

from featviz.atlas.site.unit_survey import PhotoExample, copied_example, linked_example
from featviz.pages.formatting import format_count, format_number, format_percent
from featviz.pages.profile_records import HeldUnitRecord, ProfileRecord

# How dark a photograph is, of 255, where the unit does not fire.
DARKNESS = 190


class ProfileFigure(NamedTuple):
    """A figure, what to compare it with, and what it means."""

    name: str
    value: str
    comparison: str
    meaning: str


class FiringContent(NamedTuple):
    """A photograph, and the address of an image that darkens it where the unit does not fire."""

    example: PhotoExample
    shade: str


class ChangedOutput(NamedTuple):
    """A row of the table of changes."""

    name: str
    change: str
    held_out_change: str


class HeldContent(NamedTuple):
    """What happens if the unit is held at a value."""

    title: str
    rows: tuple[ChangedOutput, ...]
    summary: str


class ProfileContent(NamedTuple):
    """What a page shows of a profile."""

    figures: tuple[ProfileFigure, ...]
    fired_on: tuple[FiringContent, ...]
    held: tuple[HeldContent, ...]
    held_note: str
    classes: tuple[tuple[str, int, float], ...]
    classes_note: str


def profile_content(profile: ProfileRecord, *, copied: bool) -> ProfileContent:
    """The content of a profile; `copied` if photographs are files of the site."""
    stated = profile.held[0] if profile.held else None
    return ProfileContent(
        figures=_figures(profile),
        fired_on=tuple(
            FiringContent(
                copied_example(each.crop, where_name(index)) if copied else linked_example(each.crop), shade(each.heat)
            )
            for index, each in enumerate(profile.fired_on)
        ),
        held=tuple(_held(each) for each in profile.held),
        held_note=f"Mean change of the outputs that change most, on {stated.photos} of the photographs on which it "
        f"fires most, and on {stated.held_out} others that had no part in the choice."
        if stated
        else "",
        classes=tuple((name, count, 100 * count / profile.class_photos) for name, count in profile.classes),
        classes_note=_classes_note(profile),
    )


def where_name(index: int) -> str:
    """The file name of a whole photograph beside its unit's page."""
    return f"where-{index}.webp"


def shade(heat: UInt8[np.ndarray, "rows columns"]) -> str:
    """A `data:` address of an image, a pixel a position, that is clear where heat is 255 and dark where it is 0.

    >>> shade(np.zeros((2, 3), np.uint8))[:22]
    'data:image/png;base64,'
    """
    from PIL import Image

    alpha = ((255 - heat.astype(np.int32)) * DARKNESS // 255).astype(np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(np.stack([np.zeros_like(alpha), alpha], axis=-1), "LA").save(buffer, "PNG")
    return f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"


def _figures(profile: ProfileRecord) -> tuple[ProfileFigure, ...]:
    figures = []
    if profile.position_density is not None:
        figures.append(
            ProfileFigure(
                "Positions",
                format_percent(profile.position_density),
                "",
                f"The share of positions at which it is active, on {profile.position_photos} photographs.",
            )
        )
    if profile.active_mean is not None:
        figures.append(
            ProfileFigure(
                "Mean when active",
                format_number(profile.active_mean),
                "",
                "The mean of its maximum activation, over the photographs on which it is active.",
            )
        )
    if profile.monosemanticity is not None:
        compared = (
            "" if profile.mean_similarity is None else f"all photographs {format_number(profile.mean_similarity)}"
        )
        figures.append(
            ProfileFigure(
                "Monosemanticity",
                format_number(profile.monosemanticity),
                compared,
                "The mean cosine of another network's features between photographs, weighted by how much both activate "
                "the unit. A unit of one meaning is far above all photographs.",
            )
        )
    return tuple(figures)


def _held(record: HeldUnitRecord) -> HeldContent:
    title = "Suppressed" if record.value == 0 else f"Held at {format_number(record.value)}, its largest"
    summary = (
        f"The first output becomes another on {format_percent(record.flips)} of the photographs, "
        f"{format_percent(record.held_out_flips)} of those held out."
    )
    if record.agreement is not None:
        summary += f" The changes of all outputs correlate by {format_number(record.agreement)} between the two."
    rows = tuple(
        ChangedOutput(
            each.name.partition(",")[0] or f"class {each.index}", _signed(each.change), _signed(each.held_out_change)
        )
        for each in record.outputs
    )
    return HeldContent(title, rows, summary)


def _signed(value: float) -> str:
    return ("+" if value > 0 else "") + format_number(value)


def _classes_note(profile: ProfileRecord) -> str:
    if profile.class_entropy is None:
        return ""
    of = "by their folders" if profile.class_source == "folders" else "as the network sees them"
    photos = format_count(profile.class_photos, of="photograph")
    return f"Of its {photos} of largest activation, {of}: entropy {format_number(profile.class_entropy)} bits."
