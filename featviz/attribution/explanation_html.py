"""An explanation in a notebook: the photo and its classes, and each layer's units for the decision and against it."""

from collections.abc import Sequence

from featviz.attribution.explanation import Explanation, LayerView, UnitShare
from featviz.common.notebook_html import (
    Html,
    encoded_image_html,
    facts_html,
    figure_html,
    heading_html,
    image_html,
    joined_html,
    row_html,
    text_html,
)
from featviz.common.photograph import to_bytes
from featviz.objectives import channel
from featviz.pages.formatting import format_number, format_percent, format_signed
from featviz.pages.page_images import to_pil

PHOTO_SIDE, UNIT_WIDTH = 224, 96


def explanation_html(explanation: Explanation) -> Html:
    """The photo beside the classes, then the layers; pictures of units are those that its page has."""
    photo = image_html(to_pil(to_bytes(explanation.shown)), f"The photo {explanation.name}", side=PHOTO_SIDE)
    classes = facts_html(
        (each.name or f"class {each.index}", format_percent(each.probability)) for each in explanation.classes
    )
    top = row_html([figure_html(photo, [explanation.name]), classes])
    title = heading_html(explanation.title, f"score {format_number(explanation.score)}")
    return joined_html([title, top, *(_layer_html(explanation, view) for view in explanation.layers)])


def _layer_html(explanation: Explanation, view: LayerView) -> Html:
    parts = [heading_html(view.layer, view.attribution.method.words)]
    for words, shares in (("For it", view.supporting), ("Against it", view.opposing)):
        if shares:
            parts += [text_html(words, quiet=True), _units_html(explanation, view.layer, shares)]
    return joined_html(parts)


def _units_html(explanation: Explanation, layer: str, shares: Sequence[UnitShare]) -> Html:
    return row_html(
        figure_html(
            _picture(explanation, layer, share.unit),
            [
                f"unit {share.unit}",
                f"attribution {format_signed(share.attribution)}",
                f"without it {format_signed(share.effect)}",
            ],
        )
        for share in shares
    )


def _picture(explanation: Explanation, layer: str, unit: int) -> Html:
    """The unit's picture from the folder of the pages; nothing where it has none."""
    from PIL import Image

    folder, pictures = explanation.folder, explanation.pictures
    if folder is None or pictures is None:
        return Html("")
    address = pictures.find(channel(layer, unit), lambda address: (folder / address).is_file())
    if address is None:
        return Html("")
    file = folder / address
    try:
        with Image.open(file) as image:
            width = image.width
        return encoded_image_html(file.read_bytes(), f"Picture of {layer}:{unit}", width=min(width, UNIT_WIDTH))
    except OSError:
        return Html("")
