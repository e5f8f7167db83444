"""Pictures in their frames, with what stands beneath."""

from collections.abc import Callable
from pathlib import Path

from featviz.pages import addresses
from featviz.pages.markup import Child, Html, tag
from featviz.pages.records import PictureRecord

# Whether a file of the site is there, by its address.
There = Callable[[str], bool]


def there_in(folder: Path) -> There:
    """Asks the disk, once for each address."""
    known: dict[str, bool] = {}

    def there(address: str) -> bool:
        if address not in known:
            known[address] = (folder / address).is_file()
        return known[address]

    return there


def own(shown: PictureRecord, alt: str, *caption: Child, class_: str = "") -> Html:
    """A picture of the page's own unit, at most as large as its frame."""
    height, width = shown.pixels.shape[:2]
    first = class_ == "main"
    image = tag(
        "img",
        src=addresses.picture_name(shown.role, shown.index),
        alt=alt,
        width=width,
        height=height,
        loading=None if first else "lazy",
        decoding=None if first else "async",
    )
    return tag("figure", image, tag("figcaption", *caption) if caption else None, class_=class_ or None)


def linked(layer: str, unit: int, start: str, there: There, *caption: Child) -> Html:
    """Another unit's picture, which leads to its page; an empty frame as long as the atlas has none."""
    name = f"{layer} {unit}"
    picture = addresses.main_picture(layer, unit)
    if not there(picture):
        body = [tag("span", class_="frame empty"), tag("span", *caption, class_="caption")]
        return tag("span", *body, class_="unit", title=f"{name}: not drawn yet")
    image = tag(
        "img",
        src=addresses.link(picture, start),
        alt=f"unit {unit} of {layer}",
        width=96,
        height=96,
        loading="lazy",
        decoding="async",
    )
    body = [tag("span", image, class_="frame"), tag("span", *caption, class_="caption")]
    return tag("a", *body, class_="unit", href=addresses.link(addresses.unit_page(layer, unit), start), title=name)
