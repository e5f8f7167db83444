"""Addresses of a site's files, relative to the site's folder and stable, and the links between them."""

import hashlib
from typing import NamedTuple
from urllib.parse import quote

from featviz.pages.records import Role

INDEX = "index.html"
ASSETS = "assets"
# Bytes of a file's name, which may have 255 on most disks, that a layer's name may take; the rest is for suffixes.
MAX_NAME = 200
# Bytes that are kept of a longer name, before its hash.
KEPT_PREFIX = 120


class PageLink(NamedTuple):
    """A page's name and its relative URL."""

    name: str
    href: str


def layer_name(layer: str) -> str:
    """A layer's name as a file name: percent-encoded; a name that is too long is cut, and its hash appended.

    >>> layer_name("mixed4a/3x3"), layer_name("..")
    ('mixed4a%2F3x3', '%2E.')
    >>> len(layer_name("x" * 999))
    137
    """
    name = quote(layer, safe="", errors="replace")
    if name.startswith("."):
        name = "%2E" + name[1:]
    if name and len(name) <= MAX_NAME:
        return name
    prefix = name[:KEPT_PREFIX].rsplit("%", 1)[0]
    # No encoded name contains `=`, so this name belongs to no other layer.
    return f"{prefix}={hashlib.sha256(layer.encode('utf-8', 'replace')).hexdigest()[:16]}"


def layer_page(layer: str) -> str:
    """A layer's page.

    >>> layer_page("conv1")
    'layers/conv1.html'
    """
    return f"layers/{layer_name(layer)}.html"


def grid_folder(layer: str) -> str:
    """The folder of the data and the sprite sheets that a layer's page shows."""
    return f"grids/{layer_name(layer)}"


def unit_folder(layer: str, unit: int) -> str:
    """The folder of a unit's page, its pictures and its `unit.json`."""
    return f"units/{layer_name(layer)}/{unit}"


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
