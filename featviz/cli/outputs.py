"""Where a command's pictures go: their files, the sheet beside them, and what is said of them."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from featviz.errors import FeatvizError

if TYPE_CHECKING:
    from featviz.model import Model
    from featviz.objectives import Objective
    from featviz.pictures.picture import Picture


def plan_files(
    out: Path, objectives: Sequence["Objective"], suffix: str, *, facets: int = 1, model: "Model"
) -> list[list[Path]]:
    """Where each objective's pictures go: one to the file OUT, several into the folder OUT, named by unit and class."""
    from featviz.pictures.file_names import class_name, file_stem
    from featviz.pictures.picture import SUFFIXES

    names_file = out.suffix.lower() in SUFFIXES
    count = len(objectives) * facets
    if names_file and count > 1:
        raise FeatvizError(f"-o is the file `{out.name}` for {count} pictures; expected a folder")
    if names_file:
        return [[out]]
    if out.suffix and not out.is_dir() and count == 1:
        raise FeatvizError(f"-o is `{out.name}`, of unknown type; expected a folder or one of {', '.join(SUFFIXES)}")
    stems = [file_stem(objective, named=class_name(model, objective)) for objective in objectives]
    if len(set(stems)) < len(stems):
        twice = next(stem for stem in stems if stems.count(stem) > 1)
        raise FeatvizError(f"TARGET names {twice} twice; expected each unit once")
    numbers = [""] if facets == 1 else [f"-facet{number}" for number in range(facets)]
    return [[out / f"{stem}{number}.{suffix}" for number in numbers] for stem in stems]


def check_places(out: Path, paths: list[Path]) -> None:
    """Makes the folder, and says before the work starts if a file cannot be written."""
    from featviz.pictures.picture import check_picture_path

    folder = paths[0].parent
    if folder.is_file():
        raise FeatvizError(f"-o is the file `{folder}`; expected a folder for {len(paths)} pictures")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FeatvizError(f"-o: the folder `{folder}` cannot be made: {error.strerror}") from error
    for path in paths[:1] if len(paths) > 64 else paths:
        check_picture_path(path)


def write_extras(out: Path, drawn: Mapping[Path, "Picture"], *, curves: bool) -> list[Path]:
    """The contact sheet of all pictures of the folder, and the curves where they are asked for or there already.

    One picture alone has none, unless an older sheet would not show it.
    """
    from featviz.cli.previous_outputs import all_pictures
    from featviz.pictures.sheets import save_sheet

    pictures = all_pictures(out, drawn)
    sheet, lines, written = out / "sheet.png", out / "curves.png", []
    if len(pictures) > 1 or sheet.exists():
        written.append(save_sheet([p for p in pictures if p.pixels.shape[-1] in (1, 3)] or pictures, sheet))
    if (curves and len(pictures) > 1) or lines.exists():
        from featviz.pictures.curves import save_curves

        written.append(save_curves(pictures, lines))
    return written


def report(pictures: list["Picture"], paths: list[Path], extra: list[Path]) -> None:
    """What was written, and how each picture ended."""
    from featviz.pictures.captions import class_of
    from featviz.pictures.picture import Outcome

    for picture, path in zip(pictures, paths, strict=True):
        named = f"  {class_of(picture)}" if class_of(picture) else ""
        fate = "" if picture.outcome is Outcome.OUT_OF_STEPS else f"  {picture.outcome.value}"
        click.echo(f"{path}{named}  score {picture.score:.4g}{fate}")
    for path in extra:
        click.echo(str(path))
