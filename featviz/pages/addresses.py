"""Where everything on the site lies: stable addresses, relative to the site's folder, and the links between them."""

import hashlib
from urllib.parse import quote

from featviz.pages.records import Role

INDEX = "index.html"
ASSETS = "assets"
# Of a file's name, which may have 255 bytes on most disks, what a layer may take; the rest is for suffixes.
LONGEST = 200
KEPT = 120


def layer_name(layer: str) -> str:
    """A layer's name as that of a file or folder: percent-encoded; too long a name keeps its beginning and its hash.

    >>> layer_name("mixed4a/3x3"), layer_name("..")
    ('mixed4a%2F3x3', '%2E.')
    >>> len(layer_name("x" * 999))
    137
    """
    name = quote(layer, safe="", errors="replace")
    if name.startswith("."):
        name = "%2E" + name[1:]
    if name and len(name) <= LONGEST:
        return name
    # `=` is in no encoded name, so no other layer can be called like this one.
    return (
        name[:KEPT].rsplit("%", 1)[0][:KEPT] + "=" + hashlib.sha256(layer.encode("utf-8", "replace")).hexdigest()[:16]
    )


def layer_page(layer: str) -> str:
    """A layer's wall.

    >>> layer_page("conv1")
    'layers/conv1.html'
    """
    return f"layers/{layer_name(layer)}.html"


def wall_folder(layer: str) -> str:
    """What a layer's wall is made of: its data and its sheets of small pictures."""
    return f"walls/{layer_name(layer)}"


def unit_folder(layer: str, unit: int) -> str:
    """A unit's page, its pictures and its `unit.json`."""
    return f"units/{layer_name(layer)}/{unit}"


def unit_page(layer: str, unit: int) -> str:
    """A unit's page; by its file's name, since a folder opens no page from the disk.

    >>> unit_page("mixed4a", 103)
    'units/mixed4a/103/index.html'
    """
    return f"{unit_folder(layer, unit)}/{INDEX}"


def picture_name(role: Role, number: int) -> str:
    """A picture's file beside its unit's page.

    >>> picture_name(Role.MAIN, 0), picture_name(Role.SEED, 2)
    ('main.webp', 'seed-2.webp')
    """
    return "main.webp" if role is Role.MAIN else f"{role.value}-{number}.webp"


def main_picture(layer: str, unit: int) -> str:
    """A unit's main picture."""
    return f"{unit_folder(layer, unit)}/{picture_name(Role.MAIN, 0)}"


def crop_name(number: int) -> str:
    """The file of a photograph's crop beside its unit's page."""
    return f"photo-{number}.webp"


def link(target: str, start: str) -> str:
    """The relative address of a file of the site, as seen from the page `start`; a file's percent sign is encoded too.

    >>> link("layers/mixed4a%2F3x3.html", "units/conv1/7/index.html")
    '../../../layers/mixed4a%252F3x3.html'
    """
    return "../" * start.count("/") + quote(target, safe="/")
