"""The files of `featviz render`: their names, the pictures that they replace, and the sheet of a folder's pictures."""

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from featviz.errors import FeatvizError

if TYPE_CHECKING:
    from featviz.model import Model
    from featviz.objectives import Objective
    from featviz.pictures.picture import Picture

# The fields of a record that are settings of one value; others are results, the machine and the versions.
SETTINGS = ("size", "steps", "seed", "dtype")
# With more pictures than this, only the first path is tried before the work.
PATHS_CHECKED = 64


def plan_files(
    out: Path, objectives: Sequence["Objective"], suffix: str, *, facets: int = 1, model: "Model"
) -> list[list[Path]]:
    """Each objective's files: OUT itself for a single picture, or files in the folder OUT, named by unit and class."""
    from featviz.pictures.file_names import file_stems
    from featviz.pictures.picture import SUFFIXES

    is_file = out.suffix.lower() in SUFFIXES
    count = len(objectives) * facets
    if is_file and count > 1:
        raise FeatvizError(f"-o is the file `{out.name}` for {count} pictures; expected a folder")
    if is_file:
        return [[out]]
    if out.suffix and not out.is_dir() and count == 1:
        raise FeatvizError(f"-o is `{out.name}`, of unknown type; expected a folder or one of {', '.join(SUFFIXES)}")
    stems = file_stems(model, objectives)
    if len(set(stems)) < len(stems):
        repeated = next(stem for stem in stems if stems.count(stem) > 1)
        raise FeatvizError(f"TARGET names {repeated} twice; expected each unit once")
    endings = [""] if facets == 1 else [f"-facet{index}" for index in range(facets)]
    return [[out / f"{stem}{ending}.{suffix}" for ending in endings] for stem in stems]


def check_outputs(out: Path, paths: list[Path]) -> None:
    """Makes the folder, and refuses files that cannot be written before the work starts."""
    from featviz.pictures.picture import check_picture_path

    folder = paths[0].parent
    if folder.is_file():
        purpose = f" for {len(paths)} pictures" if len(paths) > 1 else ""
        raise FeatvizError(f"-o is the file `{folder}`; expected a folder{purpose}")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FeatvizError(f"-o: the folder `{folder}` cannot be made: {error.strerror}") from error
    for path in paths[:1] if len(paths) > PATHS_CHECKED else paths:
        check_picture_path(path)


def write_overviews(out: Path, new: Mapping[Path, "Picture"], *, curves: bool) -> list[Path]:
    """Writes the contact sheet of all pictures of a folder, and the curves if asked for or if there is such a file.

    One picture alone gets neither, unless an earlier sheet would not show it.
    """
    from featviz.pictures.sheets import save_sheet

    pictures = all_pictures(out, new)
    sheet, curves_file, written = out / "sheet.png", out / "curves.png", []
    if len(pictures) > 1 or sheet.exists():
        written.append(save_sheet([p for p in pictures if p.pixels.shape[-1] in (1, 3)] or pictures, sheet))
    if (curves and len(pictures) > 1) or curves_file.exists():
        from featviz.pictures.curves import save_curves

        written.append(save_curves(pictures, curves_file))
    return written


def report(written: Mapping[Path, "Picture"], overviews: Sequence[Path]) -> None:
    """Prints what was written, and how each picture ended."""
    from featviz.pictures.captions import class_of
    from featviz.pictures.picture import Outcome

    for path, picture in written.items():
        name = f"  {class_of(picture)}" if class_of(picture) else ""
        outcome = "" if picture.outcome is Outcome.OUT_OF_STEPS else f"  {picture.ending}"
        click.echo(f"{path}{name}  score {picture.score:.4g}{_survival(picture)}{outcome}")
    for path in overviews:
        click.echo(str(path))


def _survival(picture: "Picture") -> str:
    """Where a dictionary's latents are left of the picture's, behind TopK or a threshold."""
    left = picture.provenance.get("latents", {})
    shares = ", ".join(f"{entry['survives']:.0%}" for entry in left.values())
    return f"  survives at {shares} of positions" if shares else ""


def read_record(path: Path) -> dict[str, Any] | None:
    """The record of the picture that is already at a path, or None."""
    try:
        record = json.loads(path.with_suffix(".json").read_text("utf-8")) if path.exists() else None
    except (OSError, ValueError):
        return None
    return record if isinstance(record, dict) else None


def describe_differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """The settings in which two records differ, in words.

    >>> describe_differences({"seed": 0, "steps": 8, "size": [32, 32]}, {"seed": 7, "steps": 8, "size": [32, 64]})
    ['size 32x32 (now 32x64)', 'seed 0 (now 7)']
    """
    differences = []
    before, now = old.get("network") or {}, new.get("network") or {}
    if before.get("name") != now.get("name"):
        differences.append(f"network {before.get('name')} (now {now.get('name')})")
    elif before.get("weights_sha256") != now.get("weights_sha256"):
        differences.append("other weights")
    elif before.get("input") != now.get("input"):
        differences.append("another input")
    differences += [f"another {name}" for name in ("objective", "recipe") if old.get(name) != new.get(name)]
    for name in SETTINGS:
        one, other = (
            "x".join(map(str, value)) if isinstance(value := record.get(name), list) else value for record in (old, new)
        )
        differences += [f"{name} {one} (now {other})"] if one != other else []
    return differences


def describe_replaced(differences: Sequence[Sequence[str]]) -> str:
    """A line about replaced pictures, from `describe_differences` of each.

    >>> describe_replaced([["seed 0 (now 7)"], ["seed 0 (now 7)", "another recipe"]])
    'replaced 2 pictures made with other settings: seed 0 (now 7), another recipe'
    """
    distinct = dict.fromkeys(text for texts in differences for text in texts)
    plural = "s" if len(differences) > 1 else ""
    return f"replaced {len(differences)} picture{plural} made with other settings: {', '.join(distinct)}"


def all_pictures(folder: Path, new: Mapping[Path, "Picture"]) -> list["Picture"]:
    """The pictures of a folder that have records: new ones in their order, or new and earlier ones by name."""
    from featviz.pictures.picture import SUFFIXES, load_picture

    new_stems, earlier = {path.stem for path in new}, {}
    for path in folder.iterdir():
        if path.suffix.lower() not in SUFFIXES or path.stem in new_stems or read_record(path) is None:
            continue
        try:
            picture = load_picture(path)
        except FeatvizError:
            continue
        if picture.provenance:
            earlier[path.stem] = (path, picture)
    if not earlier:
        return list(new.values())
    pictures = {**dict(earlier.values()), **new}
    return [pictures[path] for path in sorted(pictures, key=lambda path: _natural_order(path.stem))]


def _natural_order(name: str) -> list[tuple[int, str]]:
    """A key by which `conv1-10` follows `conv1-9`."""
    return [(int(part), "") if part.isdecimal() else (0, part) for part in re.split(r"(\d+)", name)]
