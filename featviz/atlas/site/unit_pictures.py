"""A unit's own pictures: the main one with its label, and the others in groups."""

from collections.abc import Sequence
from typing import NamedTuple

from featviz.ascent.outcome import Outcome
from featviz.pages.formatting import format_count, format_number, format_shape, name_unit
from featviz.pages.page_images import PageImage, page_image
from featviz.pages.records import NetworkRecord, PictureRecord, Role, UnitRecord
from featviz.pictures.endings import ending_sentence
from featviz.surveys.unit_facets import share_text

# What each fault of `faults_of` means.
FAULT_MEANINGS = {
    "dead": "No gradient reaches the image: the picture is the starting noise.",
    "never rises": "The score did not rise above its first value.",
    "gray": "The picture has hardly any contrast.",
    "constant": "The score hardly depends on the image.",
    "unmoved": "The steps hardly moved the picture off its starting noise.",
    "not finite": "The optimization diverged to infinite or undefined values; the picture is its last state.",
}
OUTCOMES = {
    Outcome.CONVERGED: "converged",
    Outcome.OUT_OF_STEPS: "not converged",
    Outcome.DEAD: "dead",
    Outcome.NOT_FINITE: "not finite",
    Outcome.CONSTANT: "constant",
    Outcome.UNMOVED: "unmoved",
}

# Facets without and with photographs in them, and what a share is of those without.
DIFFERENT = "Optimized together to activate the unit and to differ from one another; no photograph has a part in them."
SHARES = " Each stands for the share of the unit's best photographs that are most like it to the network."
BEGUN = (
    "Each begins at a photograph, a typical one of a cluster of the unit's best, and is of that photograph as "
    "much as of the unit. "
)
CLUSTERS = (
    "Each combines the unit with what one cluster of its best photographs has in common in its layer, so photographs "
    "have a part in it. Together they stand for all of these photographs, each for the share of its cluster. The "
    "photographs are of one half of those surveyed; the evidence asks about the other half."
)


class CaptionedImage(NamedTuple):
    """A picture with its caption or None, its score, and how its optimization ended."""

    image: PageImage
    caption: str | None
    score: str
    outcome: str


class PictureGroup(NamedTuple):
    """A section of pictures."""

    id: str
    title: str
    note: str
    large: bool
    pictures: tuple[CaptionedImage, ...]


def main_picture(unit: UnitRecord) -> PageImage:
    """The unit's main picture."""
    main = unit.pictures[0]
    return page_image(main, f"Feature visualization of {name_unit(unit)}: {_result(main)}.")


def fault_lines(unit: UnitRecord) -> list[tuple[str, str]]:
    """What is wrong with the main picture, as (name, meaning)."""
    main = unit.pictures[0]
    figures = ending_sentence(main.outcome, main.clean_history)
    # The figures of a picture whose outcome is among its faults say more.
    meanings = FAULT_MEANINGS | ({main.outcome.value: f"{figures[0].upper()}{figures[1:]}."} if figures else {})
    return [(fault, meanings.get(fault, "")) for fault in unit.faults]


def main_facts(network: NetworkRecord, unit: UnitRecord) -> dict[str, str]:
    """Label -> value, beside the main picture."""
    main = unit.pictures[0]
    steps = f"{format_count(len(main.history))}, " if len(main.history) else ""
    facts = {
        "Score": format_number(main.score),
        "Steps": f"{steps}{OUTCOMES[main.outcome]}",
        "Seed": str(main.seed),
    }
    for layer in network.layers:
        if layer.name == unit.layer:
            facts["Layer"] = f"{format_shape(layer)}, {format_count(layer.units, of='unit')}"
    return facts


def picture_groups(unit: UnitRecord) -> list[PictureGroup]:
    """The other pictures of the unit, one group for each role that occurs."""
    name = name_unit(unit)
    center, facets, seeds, negatives = (
        [picture for picture in unit.pictures if picture.role is role]
        for role in (Role.CENTER, Role.FACET, Role.SEED, Role.NEGATIVE)
    )
    main = unit.pictures[:1] if center else ()
    groups = [
        PictureGroup(
            "center",
            "Channel and neuron",
            "The whole channel, and only the neuron at the center of its map.",
            True,
            (
                *_captioned(main, f"The whole channel of {name}", caption="the whole channel"),
                *_captioned(center, f"The center neuron of {name}", caption="the center neuron"),
            ),
        ),
        PictureGroup(
            "facets",
            "Facets",
            _facets_note(facets),
            False,
            tuple(
                captioned
                for picture in facets
                for captioned in _captioned([picture], f"A facet of {name}", caption=_facet_caption(picture))
            ),
        ),
        PictureGroup(
            "seeds",
            "Other seeds",
            "The same optimization from other starting noise.",
            False,
            tuple(
                captioned
                for picture in seeds
                for captioned in _captioned(
                    [picture], f"{name} from seed {picture.seed}".capitalize(), caption=f"seed {picture.seed}"
                )
            ),
        ),
        PictureGroup(
            "negative",
            "Negative direction",
            "Optimized to minimize the unit's activation before its ReLU.",
            False,
            _captioned(negatives, f"A picture that minimizes {name}"),
        ),
    ]
    return [group for group in groups if group.pictures]


def _captioned(
    pictures: Sequence[PictureRecord], alt: str, *, caption: str | None = None
) -> tuple[CaptionedImage, ...]:
    return tuple(
        CaptionedImage(
            page_image(picture, f"{alt}: {_result(picture)}."),
            caption,
            format_number(picture.score),
            OUTCOMES[picture.outcome],
        )
        for picture in pictures
    )


def _facets_note(facets: Sequence[PictureRecord]) -> str:
    """How facets were made, and what part photographs have in them."""
    if any(picture.of_photos for picture in facets):
        return (BEGUN if any(picture.begun_at for picture in facets) else "") + CLUSTERS
    return DIFFERENT + (SHARES if any(picture.share is not None for picture in facets) else "")


def _facet_caption(picture: PictureRecord) -> str | None:
    parts = [] if picture.share is None else [share_text(picture.share)]
    parts += [] if picture.begun_at is None else [f"begun at {picture.begun_at}"]
    return ", ".join(parts) or None


def _result(picture: PictureRecord) -> str:
    return f"score {format_number(picture.score)}, {OUTCOMES[picture.outcome]}"
