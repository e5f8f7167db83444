"""Addresses of a site's files, relative to the site's folder and stable, and the links between them.

A layer is given by its name in addresses (`NetworkRecord.address_name`).
"""

from typing import NamedTuple
from urllib.parse import quote

from featviz.common.safe_names import safe_name
from featviz.pages.records import Role

INDEX = "index.html"
ASSETS = "assets"


class PageLink(NamedTuple):
    """A page's name and its relative URL."""

    name: str
    href: str


def layer_page(layer: str) -> str:
    """A layer's page.

    >>> layer_page("conv1")
    'layers/conv1.html'
    """
    return f"layers/{safe_name(layer)}.html"


def grid_folder(layer: str) -> str:
    """The folder of the data and the sprite sheets that a layer's page shows."""
    return f"grids/{safe_name(layer)}"


def unit_folder(layer: str, unit: int) -> str:
    """The folder of a unit's page, its pictures and its `unit.json`."""
    return f"units/{safe_name(layer)}/{unit}"


def unit_page(layer: str, unit: int) -> str:
    """A unit's page. The address includes the file name, as a browser lists a folder that it opens from the disk.

    >>> unit_page("mixed4a", 103)
    'units/mixed4a/103/index.html'
    """
    return f"{unit_folder(layer, unit)}/{INDEX}"


def picture_name(role: Role, index: int) -> str:
    """A picture's file name beside its unit's page.

    >>> picture_name(Role.MAIN, 0), picture_name(Role.SEED, 2)
    ('main.webp', 'seed-2.webp')
    """
    return "main.webp" if role is Role.MAIN else f"{role.value}-{index}.webp"


def main_picture(layer: str, unit: int) -> str:
    """The file of a unit's main picture."""
    return f"{unit_folder(layer, unit)}/{picture_name(Role.MAIN, 0)}"


def crop_name(index: int) -> str:
    """The file name of a photograph's crop beside its unit's page."""
    return f"photo-{index}.webp"


def link(target: str, start: str) -> str:
    """The relative URL of a file of the site as seen from the page `start`; percent signs in file names are encoded.

    >>> link("layers/mixed4a%2F3x3.html", "units/conv1/7/index.html")
    '../../../layers/mixed4a%252F3x3.html'
    """
    return "../" * start.count("/") + quote(target, safe="/")
