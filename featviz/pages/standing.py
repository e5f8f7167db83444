"""What stands on the disk of a site already."""

import json
from dataclasses import dataclass
from pathlib import Path

from featviz.ascent.outcome import Outcome
from featviz.pages import addresses
from featviz.pages.records import UnitSummary


@dataclass(frozen=True)
class Standing:
    """A unit's page on the disk: the content addresses of its pictures, and how it stands on its layer's wall."""

    keys: frozenset[str]
    brief: UnitSummary


def standing_page(folder: Path, layer: str, unit: int) -> Standing | None:
    """A unit's page as its `unit.json` has it, or None where there is none that can be read.

    The record is written before the page, so a page that is there shows what its record says.
    """
    place = folder / addresses.unit_folder(layer, unit)
    wanted = (addresses.unit_page(layer, unit), addresses.main_picture(layer, unit))
    try:
        record = json.loads((place / "unit.json").read_bytes())
        pictures = record["pictures"]
        keys = frozenset(str(picture["key"]) for picture in pictures)
        score, outcome = float(pictures[0]["score"]), Outcome(pictures[0]["outcome"])
        brief = UnitSummary(unit, record["label"], score, outcome, tuple(record["faults"]))
        return Standing(keys, brief) if all((folder / name).is_file() for name in wanted) else None
    # Whatever a power cut left of it: then the page is made again.
    except (OSError, ValueError, KeyError, TypeError, IndexError):
        return None
