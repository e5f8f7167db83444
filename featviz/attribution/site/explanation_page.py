"""The page of an explanation: what is decided, by which units, and what each place shows the network."""

import base64
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from featviz.attribution.explained_pictures import group_address, unit_address
from featviz.attribution.explanation import Explanation, LayerView, UnitShare
from featviz.common.photograph import to_bytes
from featviz.common.safe_names import safe_name
from featviz.pages.addresses import INDEX, PageLink, link
from featviz.pages.formatting import format_percent
from featviz.pages.page_images import encode_pixels, fit_cell, to_pil
from featviz.pages.site_files import FileExists
from featviz.pages.templating import render_page

PACKAGE = "featviz.attribution.site"
# Overlays of groups, by their order: hues of equal lightness.
HUES = ((230, 90, 60), (70, 140, 230), (90, 175, 80), (200, 110, 200), (220, 165, 40), (60, 180, 180))
# The longer side of a photo and of an overlay on the page.
PHOTO_SIDE, OVERLAY_SIDE = 448, 224


class UnitItem(NamedTuple):
    """A unit with its picture, if there is one, its attribution and the score's change without it."""

    unit: int
    src: str | None
    attribution: float
    effect: float
    percent: float


class PlaceItem(NamedTuple):
    """A place of the photo: its strongest units and their strengths as text, and its attribution's tint."""

    label: str
    units: str
    tint: str


class GroupItem(NamedTuple):
    """A group of units: where it is, its picture, its attribution and the score's change without it."""

    number: int
    overlay: str
    src: str | None
    attribution: float
    effect: float
    units: str


class LayerSection(NamedTuple):
    """A layer's section of the page."""

    id: str
    name: str
    pictures: str
    columns: int
    rows: tuple[tuple[PlaceItem, ...], ...]
    strongest_place: str
    supporting: tuple[UnitItem, ...]
    opposing: tuple[UnitItem, ...]
    groups: tuple[GroupItem, ...]
    groups_fault: str
    explained: str
    method: str
    completeness: str | None


def page_address(name: str) -> str:
    """The address of a photo's page.

    >>> page_address("cat.jpg")
    'cat.jpg.html'
    """
    return f"{safe_name(name)}.html"


def render_explanation(
    explanation: Explanation,
    *,
    network: str,
    neighbors: tuple[PageLink | None, PageLink | None],
    faithfulness: Sequence[tuple[str, str]],
    file_exists: FileExists,
) -> bytes:
    """The page's HTML.

    Args:
      explanation: what it shows.
      network: the network's name.
      neighbors: the pages of the photos before and after this one.
      faithfulness: lines of the table that says how far the explanation is to be trusted.
      file_exists: whether the folder has a picture.
    """
    address = page_address(explanation.name)
    content = {
        "network": network,
        "name": explanation.name,
        "heading": explanation.title,
        "score": explanation.score,
        "photo": data_address(_photo_pixels(explanation.shown, PHOTO_SIDE)),
        "index_href": link(INDEX, address),
        "before": neighbors[0],
        "after": neighbors[1],
        "classes": [
            {"name": each.name or f"class {each.index}", "probability": format_percent(each.probability),
             "percent": 100 * each.probability, "logit": each.logit}
            for each in explanation.classes
        ],
        "layers": [_section(explanation, index, address, file_exists) for index in range(len(explanation.layers))],
        "faithfulness": faithfulness,
    }  # fmt: skip
    return render_page(PACKAGE, "explanation.html", address=address, content=content)


def render_index(explanations: Sequence[Explanation], *, network: str) -> bytes:
    """The page that lists the photos."""
    photos = [
        {
            "name": each.name,
            "href": link(page_address(each.name), INDEX),
            "title": each.title,
            "src": data_address(_photo_pixels(each.shown, 128)),
        }
        for each in explanations
    ]
    return render_page(PACKAGE, "photos.html", address=INDEX, content={"network": network, "photos": photos})


def data_address(pixels: np.ndarray) -> str:
    """Pixels as an address that holds them, so that a page stands alone."""
    return "data:image/webp;base64," + base64.b64encode(encode_pixels(pixels)).decode()


def _section(explanation: Explanation, index: int, address: str, file_exists: FileExists) -> LayerSection:
    view = explanation.layers[index]
    why = view.attribution
    largest = max((abs(share.attribution) for share in (*view.supporting, *view.opposing)), default=1.0) or 1.0

    def items(shares: Sequence[UnitShare]) -> tuple[UnitItem, ...]:
        return tuple(
            UnitItem(
                share.unit,
                _shown(unit_address(view.layer, share.unit), address, file_exists),
                share.attribution,
                share.effect,
                100 * abs(share.attribution) / largest,
            )
            for share in shares
        )

    row, column = np.unravel_index(int(view.strengths[..., 0].argmax()), view.places.shape)
    error = float(why.completeness_error[0])
    return LayerSection(
        id=f"layer-{index}",
        name=view.layer,
        pictures=link(f"pictures/{safe_name(view.layer)}/", address),
        columns=view.places.shape[1],
        rows=_places(view, file_exists),
        strongest_place=f"{row}-{column}",
        supporting=items(view.supporting),
        opposing=items(view.opposing),
        groups=_groups(explanation, view, address, file_exists),
        groups_fault=view.groups_fault,
        explained="" if view.groups is None else format_percent(max(view.groups.explained, 0.0)),
        method=why.method.words + ("" if why.method.per_position else ", which does not tell places apart"),
        completeness=format_percent(error) if why.method.complete else None,
    )


def _places(view: LayerView, file_exists: FileExists) -> tuple[tuple[PlaceItem, ...], ...]:
    largest = max(float(np.abs(view.places).max()), 1e-12)
    rows = []
    for row in range(view.places.shape[0]):
        items = []
        for column in range(view.places.shape[1]):
            share = float(view.places[row, column]) / largest
            pairs = zip(view.strongest[row, column], view.strengths[row, column], strict=True)
            units = " ".join(
                f"{unit}:{strength:.3g}" + ("" if file_exists(unit_address(view.layer, int(unit))) else ":none")
                for unit, strength in pairs
            )
            color = "var(--good)" if share > 0 else "var(--alarm)"
            tint = f"color-mix(in srgb, {color} {65 * abs(share):.0f}%, transparent)"
            items.append(PlaceItem(f"row {row + 1}, column {column + 1}", units, tint))
        rows.append(tuple(items))
    return tuple(rows)


def _groups(explanation: Explanation, view: LayerView, address: str, file_exists: FileExists) -> tuple[GroupItem, ...]:
    found = view.groups
    if found is None:
        return ()
    items = []
    for index, weights in enumerate(found.spatial):
        flat = weights.reshape(-1)
        places = flat[len(flat) - view.places.size :].reshape(view.places.shape)
        top = np.argsort(-np.abs(found.directions[index]), kind="stable")[:4]
        items.append(
            GroupItem(
                index + 1,
                data_address(_overlay(explanation.shown, places, HUES[index % len(HUES)])),
                _shown(group_address(explanation.name, view.layer, index), address, file_exists),
                float(found.attributions[index]),
                float(found.effects[index]),
                ", ".join(str(unit) for unit in top),
            )
        )
    return tuple(items)


def _overlay(
    photo: Float[np.ndarray, "h w c"], places: Float[np.ndarray, "rows columns"], color: tuple[int, int, int]
) -> np.ndarray:
    """The photo in gray, with a color as strong as a group is at each place."""
    from PIL import Image

    shown = _photo_pixels(photo, OVERLAY_SIDE).astype(np.float32)
    gray = np.repeat(shown.mean(-1, keepdims=True), 3, axis=-1) * 0.75 + 40
    top = max(float(np.percentile(places, 99)), 1e-12)
    mask = Image.fromarray((np.clip(places / top, 0, 1) * 255).astype(np.uint8))
    alpha = np.asarray(mask.resize(shown.shape[1::-1], Image.Resampling.BICUBIC), np.float32)[..., None] / 255 * 0.75
    return ((1 - alpha) * gray + alpha * np.asarray(color, np.float32)).clip(0, 255).round().astype(np.uint8)


def _photo_pixels(photo: Float[np.ndarray, "h w c"], side: int) -> np.ndarray:
    """A photo as a browser shows it, at most `side` pixels on its longer side."""
    from PIL import Image

    image = to_pil(to_bytes(photo))
    return np.asarray(image.resize(fit_cell(*image.size, side=side), Image.Resampling.LANCZOS))


def _shown(file: str, address: str, file_exists: FileExists) -> str | None:
    return link(file, address) if file_exists(file) else None
