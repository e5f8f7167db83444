"""Maps on one layout, which their pages lead from one to another: a script beside each page names them all."""

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from featviz.errors import FeatvizError, in_one_line
from featviz.pages.site_files import write_if_changed

ALIGNED_FILE = "aligned.js"
START, END = "window.alignedMaps = ", ";\n"


class AlignedMap(NamedTuple):
    """A map of a group: what it is of, and its folder."""

    name: str
    folder: Path


def read_aligned(folder: Path) -> list[AlignedMap]:
    """The maps on the layout of a folder's map, itself included; none where it is alone or its file is damaged."""
    try:
        text = (folder / ALIGNED_FILE).read_text("utf-8")
        listed = json.loads(text.removeprefix(START).removesuffix(END))
        return [AlignedMap(str(each["name"]), _absolute(folder / each["folder"])) for each in listed]
    except (OSError, ValueError, KeyError, TypeError):
        return []


def join_aligned(folder: Path, name: str, other: Path, other_name: str) -> None:
    """Puts a map on the list of another one and of all that are aligned with that one.

    Args:
      folder: of the map.
      name: what it is of.
      other: the folder of the map that it goes by.
      other_name: what that one is of.

    Raises:
      FeatvizError: if a file cannot be written.
    """
    own, guide = AlignedMap(name, _absolute(folder)), AlignedMap(other_name, _absolute(other))
    group = [each for each in read_aligned(other) or [guide] if each.folder != own.folder]
    write_group([*group, own])


def leave_aligned(folder: Path) -> None:
    """Takes a map off the lists of the maps that it was aligned with."""
    own = _absolute(folder)
    group = [each for each in read_aligned(folder) if each.folder != own]
    write_group(group)
    write_if_changed(folder / ALIGNED_FILE, _script([]))


def ensure_aligned(folder: Path) -> None:
    """The file of a map that is alone, unless it has one."""
    if not (folder / ALIGNED_FILE).exists():
        write_if_changed(folder / ALIGNED_FILE, _script([]))


def write_group(group: Sequence[AlignedMap]) -> None:
    """Writes the lists of all maps of a group that are still there; a map that is left alone has an empty one."""
    there = [each for each in group if each.folder.is_dir()]
    listed = there if len(there) > 1 else []
    repeated = {each.name for each in listed if sum(other.name == each.name for other in listed) > 1}
    for each in there:
        items = []
        for other in listed:
            # Two checkpoints differ in their folders alone.
            shown = f"{other.name} ({other.folder.name})" if other.name in repeated else other.name
            items.append({"name": other.name, "shown": shown, "folder": _address(other.folder, each.folder)})
        write_if_changed(each.folder / ALIGNED_FILE, _script(items))


def _address(folder: Path, base: Path) -> str:
    """A folder as seen from another one, with slashes.

    Raises:
      FeatvizError: if no path leads there, as between two drives.
    """
    try:
        return Path(os.path.relpath(folder, base)).as_posix()
    except ValueError as error:
        raise FeatvizError(f"`aligned_with`: no path leads from `{base}` to `{folder}`: {in_one_line(error)}") from None


def _absolute(folder: Path) -> Path:
    return Path(os.path.abspath(folder))


def _script(items: Sequence[dict[str, str]]) -> bytes:
    """The list as a script. Lone surrogates of file names are escaped, and nothing ends the script element.

    >>> _script([{"name": "</script>"}])
    b'window.alignedMaps = [{"name":"\\\\u003c/script>"}];\\n'
    """
    text = json.dumps(list(items), separators=(",", ":")).replace("<", "\\u003c")
    return f"{START}{text}{END}".encode()
