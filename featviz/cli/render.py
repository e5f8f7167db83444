"""`featviz render MODEL TARGET... -o OUT`: one picture, or a folder of them with a contact sheet."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from featviz.cli.common import find_model, keep_compiled, weights_option, wrong_command
from featviz.cli.targets import parse_target
from featviz.errors import FeatvizError

if TYPE_CHECKING:
    from featviz.model import Model
    from featviz.objectives import Objective
    from featviz.picture import Picture


@click.command()
@click.argument("model")
@click.argument("targets", metavar="TARGET...", nargs=-1, required=True)
@click.option("-o", "--out", type=click.Path(path_type=Path), required=True, help="A picture's file, or a folder.")
@weights_option
@click.option("--recipe", "recipe_name", default="default", show_default=True, help="A recipe by name.")
@click.option("--size", metavar="PX", help="Pixels a side, or HEIGHTxWIDTH.  [default: the recipe's]")
@click.option("--steps", type=int, help="Steps of each optimization.  [default: the recipe's]")
@click.option("--seed", type=int, default=0, show_default=True)
@click.option("--converge", is_flag=True, help="Stop each picture when its score has stopped rising.")
@click.option(
    "--dtype",
    type=click.Choice(["float32", "bfloat16"]),
    default="float32",
    show_default=True,
    help="Of the network's values; accelerators run bfloat16 faster.",
)
@click.option(
    "--exemplars",
    type=click.Path(path_type=Path),
    metavar="SURVEY",
    help="Unite each channel with its best photographs, of a folder that `featviz survey` has written.",
)
@click.option("--format", "suffix", type=click.Choice(["png", "webp", "npy"]), default="png", show_default=True)
@click.option("--curves", is_flag=True, help="Also draw the scores over the steps, curves.png.")
@click.option("--quiet", is_flag=True, help="No progress and no list of what was written.")
def render(
    model: str,
    targets: tuple[str, ...],
    out: Path,
    weights: Path | None,
    recipe_name: str,
    size: str | None,
    steps: int | None,
    seed: int,
    converge: bool,
    dtype: str,
    exemplars: Path | None,
    suffix: str,
    curves: bool,
    quiet: bool,
) -> None:
    """Pictures of what units of MODEL look for.

    MODEL is a name of `featviz models`, or package.module:function returning a Model. TARGET is LAYER:UNITS with UNITS
    such as 103, 0-15,40, all, 103@3x4 (the neuron at row 3, column 4), -103 (the negative) or whole
    (DeepDream's objective); logit:5 is the network's output 5.
    """
    from featviz import recipes

    with wrong_command():
        recipe = recipes.by_name(recipe_name)
        pixels = parse_size(size)
    keep_compiled()
    network = find_model(model, weights)
    with wrong_command():
        objectives = [objective for text in targets for objective in parse_target(text, network)]
        if exemplars is not None:
            objectives = unite(objectives, exemplars, network)
        paths = plan_files(out, objectives, suffix)
        # Imported here, so that a wrong command is refused at once.
        from featviz.ascent import Convergence
        from featviz.rendering import render_each

        pictures = render_each(
            network,
            objectives,
            recipe=recipe,
            size=pixels,
            steps=steps,
            seed=seed,
            convergence=Convergence() if converge else None,
            dtype=dtype,
            progress=not quiet,
        )
    check_places(out, paths)
    finished: dict[int, Any] = {}
    try:
        for number, picture in pictures:
            picture.save(paths[number])
            finished[number] = picture
    except KeyboardInterrupt:
        where = out if len(paths) > 1 else out.parent
        raise click.ClickException(
            f"stopped; {len(finished)} of {len(paths)} pictures are finished and in {where}"
        ) from None
    made = [finished[number] for number in sorted(finished)]
    extra = write_extras(out, made, curves=curves) if len(paths) > 1 else []
    if not quiet:
        report(made, paths, extra)


def unite(objectives: list["Objective"], folder: Path, network: "Model") -> list["Objective"]:
    """The objectives of channels, each united with the unit's best photographs."""
    from featviz.natural.exemplars import exemplars
    from featviz.natural.survey import open_survey
    from featviz.provenance import target
    from featviz.sheets import split_name

    survey = open_survey(folder, network)
    units: dict[str, list[int]] = {}
    for objective in objectives:
        layer, unit = split_name(target(objective) or "")
        if not unit.isdecimal() or layer not in {each.name for each in network.layers}:
            raise FeatvizError(f"--exemplars: `{objective.label}` is not a channel; expected one such as 103 or 0-15")
        units.setdefault(layer, []).append(int(unit))
    made = [each for layer, some in units.items() for each in exemplars(survey, layer, some)]
    by_label = {each.label: each for each in made}
    return [by_label[objective.label] for objective in objectives]


def parse_size(text: str | None) -> int | tuple[int, int] | None:
    """`128` or `96x128` (height x width)."""
    if text is None:
        return None
    parts = text.lower().split("x")
    if len(parts) > 2 or not all(part.isdecimal() for part in parts):
        raise FeatvizError(f"--size is `{text}`; expected pixels a side, such as 128, or HEIGHTxWIDTH, such as 96x128")
    sides = tuple(int(part) for part in parts)
    return sides[0] if len(sides) == 1 else (sides[0], sides[1])


def plan_files(out: Path, objectives: list["Objective"], suffix: str) -> list[Path]:
    """Where each picture goes: one to the file OUT, several into the folder OUT, under the names of their units."""
    from featviz.picture import SUFFIXES
    from featviz.provenance import file_stem

    names_file = out.suffix.lower() in SUFFIXES
    if names_file and len(objectives) > 1:
        raise FeatvizError(f"-o is the file `{out.name}` for {len(objectives)} pictures; expected a folder")
    if names_file:
        return [out]
    if out.suffix and not out.is_dir() and len(objectives) == 1:
        raise FeatvizError(f"-o is `{out.name}`, of unknown type; expected a folder or one of {', '.join(SUFFIXES)}")
    stems = [file_stem(objective) for objective in objectives]
    if len(set(stems)) < len(stems):
        twice = next(stem for stem in stems if stems.count(stem) > 1)
        raise FeatvizError(f"TARGET names {twice} twice; expected each unit once")
    return [out / f"{stem}.{suffix}" for stem in stems]


def check_places(out: Path, paths: list[Path]) -> None:
    """Makes the folder, and says before the work starts if a file cannot be written."""
    from featviz.picture import check_picture_path

    folder = paths[0].parent
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FeatvizError(f"-o: the folder `{folder}` cannot be made: {error.strerror}") from error
    for path in paths[:1] if len(paths) > 64 else paths:
        check_picture_path(path)


def write_extras(out: Path, pictures: list["Picture"], *, curves: bool) -> list[Path]:
    """The contact sheet, and the curves where they are asked for."""
    from featviz.sheets import save_sheet

    written = [save_sheet([p for p in pictures if p.pixels.shape[-1] in (1, 3)] or pictures, out / "sheet.png")]
    if curves:
        from featviz.curves import save_curves

        written.append(save_curves(pictures, out / "curves.png"))
    return written


def report(pictures: list["Picture"], paths: list[Path], extra: list[Path]) -> None:
    """What was written, and how each picture ended."""
    from featviz.picture import Outcome

    for picture, path in zip(pictures, paths, strict=True):
        fate = "" if picture.outcome is Outcome.OUT_OF_STEPS else f"  {picture.outcome.value}"
        click.echo(f"{path}  score {picture.score:.4g}{fate}")
    for path in extra:
        click.echo(str(path))
