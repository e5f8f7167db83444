"""What a folder has of earlier commands: pictures that are replaced, and those that the sheet shows beside the new."""

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from featviz.errors import FeatvizError

if TYPE_CHECKING:
    from featviz.pictures.picture import Picture

# What of a record is a setting, rather than the outcome, the machine or the versions.
PLAIN = ("size", "steps", "seed", "dtype")


def older_record(path: Path) -> dict[str, Any] | None:
    """The record of the picture that lies where a new one goes, or None."""
    try:
        found = json.loads(path.with_suffix(".json").read_text("utf-8")) if path.exists() else None
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """In which settings two records differ, in words.

    >>> differences({"seed": 0, "steps": 8, "size": [32, 32]}, {"seed": 7, "steps": 8, "size": [32, 64]})
    ['size 32x32 (now 32x64)', 'seed 0 (now 7)']
    """
    found = []
    before, now = old.get("network") or {}, new.get("network") or {}
    if before.get("name") != now.get("name"):
        found.append(f"network {before.get('name')} (now {now.get('name')})")
    elif before.get("weights_sha256") != now.get("weights_sha256"):
        found.append("other weights")
    elif before.get("input") != now.get("input"):
        found.append("another input")
    found += [f"another {name}" for name in ("objective", "recipe") if old.get(name) != new.get(name)]
    for name in PLAIN:
        one, other = (
            "x".join(map(str, value)) if isinstance(value := record.get(name), list) else value for record in (old, new)
        )
        found += [f"{name} {one} (now {other})"] if one != other else []
    return found


def replaced(changes: Sequence[Sequence[str]]) -> str:
    """A line that says that pictures of other settings were replaced, from the `differences` of each.

    >>> replaced([["seed 0 (now 7)"], ["seed 0 (now 7)", "another recipe"]])
    'replaced 2 pictures of other settings: seed 0 (now 7), another recipe'
    """
    what = dict.fromkeys(word for words in changes for word in words)
    return f"replaced {len(changes)} picture{'s' * (len(changes) > 1)} of other settings: {', '.join(what)}"


def all_pictures(folder: Path, new: Mapping[Path, "Picture"]) -> list["Picture"]:
    """The pictures of a folder that have records, each once: the new ones in their order, or with others by name."""
    from featviz.pictures.picture import SUFFIXES, load_picture

    stems, others = {path.stem for path in new}, {}
    for path in folder.iterdir():
        if path.suffix.lower() not in SUFFIXES or path.stem in stems or older_record(path) is None:
            continue
        try:
            picture = load_picture(path)
        except FeatvizError:
            continue
        if picture.provenance:
            others[path.stem] = (path, picture)
    if not others:
        return list(new.values())
    found = {**dict(others.values()), **new}
    return [found[path] for path in sorted(found, key=lambda path: _natural(path.stem))]


def _natural(name: str) -> list[tuple[int, str]]:
    """A key by which `conv1-10` follows `conv1-9`."""
    return [(int(part), "") if part.isdecimal() else (0, part) for part in re.split(r"(\d+)", name)]
