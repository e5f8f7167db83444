"""`featviz render MODEL TARGET... -o OUT`: one picture, or a folder of them with a contact sheet."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from featviz.cli.networks import find_model
from featviz.cli.options.directions_option import directions_option, read_directions
from featviz.cli.options.input_option import input_option
from featviz.cli.outputs import check_places, plan_files, report, write_extras
from featviz.cli.previous_outputs import differences, older_record, replaced
from featviz.cli.session import (
    Stopped,
    classes_option,
    keep_compiled,
    name_classes,
    stoppable,
    weights_option,
    wrong_command,
)
from featviz.cli.targets import parse_target
from featviz.errors import FeatvizError, nearest

if TYPE_CHECKING:
    from featviz.model import Model
    from featviz.objectives import Objective
    from featviz.pictures.picture import Picture
    from featviz.recipes import Recipe


@click.command()
@click.argument("model")
@click.argument("targets", metavar="TARGET...", nargs=-1, required=True)
@click.option(
    "-o",
    "--out",
    type=click.Path(path_type=Path),
    required=True,
    help="A picture's file, or a folder, whose sheet.png shows all of it.",
)
@weights_option
@input_option
@classes_option
@directions_option
@click.option(
    "--recipe", "recipe_name", help="One of `featviz recipes`.  [default: default, or transformer for tokens]"
)
@click.option("--size", metavar="PX", help="Pixels a side, or HEIGHTxWIDTH.  [default: the recipe's]")
@click.option("--steps", type=int, help="Steps of each optimization.  [default: the recipe's]")
@click.option("--seed", type=int, default=0, show_default=True)
@click.option("--start", type=click.Path(path_type=Path), metavar="PHOTO", help="Begin at a photograph.")
@click.option(
    "--penalty",
    "penalties",
    metavar="NAME=WEIGHT",
    multiple=True,
    help="Hold the picture back: tv, variation, blur, frequency, l1 or l2; may be repeated.",
)
@click.option(
    "--fidelity", type=float, metavar="WEIGHT", help="Hold the picture to its start.  [default: the recipe's]"
)
@click.option(
    "--spectrum",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="MACO's magnitudes, of a file that `featviz spectrum` has written.",
)
@click.option("--facets", type=click.IntRange(1, 64), default=1, metavar="N", help="N unlike pictures of each target.")
@click.option(
    "--transparency/--no-transparency",
    default=None,
    help="An alpha that shows where the gradient was.  [default: the recipe's]",
)
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
    input_words: str | None,
    classes: Path | None,
    directions: str | None,
    recipe_name: str | None,
    size: str | None,
    steps: int | None,
    seed: int,
    start: Path | None,
    penalties: tuple[str, ...],
    fidelity: float | None,
    spectrum: Path | None,
    facets: int,
    transparency: bool | None,
    converge: bool,
    dtype: str,
    exemplars: Path | None,
    suffix: str,
    curves: bool,
    quiet: bool,
) -> None:
    """Pictures of what units of MODEL look for.

    MODEL is a name of `featviz models`, a file (.onnx, .keras), or package.module:function, which returns a network of
    any framework or is one itself. TARGET is LAYER:UNITS with UNITS
    such as 103, 0-15,40, all, 103@3x4 (the neuron at row 3, column 4), -103 (the negative) or whole
    (DeepDream's objective); logit:5 is the network's output 5, logit:tabby the class of that name.
    """
    from featviz import recipes

    with wrong_command():
        named = None if recipe_name is None else recipes.by_name(recipe_name)
        pixels = parse_size(size)
    keep_compiled()
    network = find_model(model, weights, input_words=input_words)
    with wrong_command():
        recipe = add_penalties(recipes.resolve(named, network), penalties)
        recipe = recipe if fidelity is None else hold(recipe, fidelity)
        recipe = recipe if spectrum is None else with_spectrum(recipe, spectrum)
        network = network if classes is None else name_classes(network, classes)
        objectives = [each for text in targets for each in read_target(text, network, directions)]
        if exemplars is not None:
            objectives = add_exemplars(objectives, exemplars, network)
        paths = plan_files(out, objectives, suffix, facets=facets, model=network)
        # Imported here, so that a wrong command is refused at once.
        from featviz.ascent import Convergence
        from featviz.objectives import diverse
        from featviz.rendering.draw import render_groups
        from featviz.rendering.request import make_request

        request = make_request(
            network,
            [diverse(objective) for objective in objectives] if facets > 1 else objectives,
            group_size=facets,
            recipe=recipe,
            size=None if start is not None else pixels,
            steps=steps,
            seed=seed,
            start=None if start is None else read_start(start, network, pixels),
            convergence=Convergence() if converge else None,
            transparency=transparency,
            dtype=dtype,
            progress=not quiet,
        )
        drawn = render_groups(request)
    places = [path for some in paths for path in some]
    check_places(out, places)
    finished: dict[int, list[Picture]] = {}
    changes: list[list[str]] = []
    stopped = False
    try:
        with stoppable():
            for number, pictures in drawn:
                for picture, path in zip(pictures, paths[number], strict=True):
                    old = older_record(path)
                    picture.save(path)
                    if old is not None and (changed := differences(old, picture.provenance)):
                        changes.append(changed)
                finished[number] = pictures
    except KeyboardInterrupt:
        stopped = True
    finally:
        if changes:
            click.echo(replaced(changes), err=True)
    done = {path: picture for at in sorted(finished) for path, picture in zip(paths[at], finished[at], strict=True)}
    extra = write_extras(out, done, curves=curves) if done and places != [out] else []
    if stopped:
        where = out if len(places) > 1 else out.parent
        raise Stopped(f"stopped; {len(done)} of {len(places)} pictures are finished and in {where}")
    if not quiet:
        report(list(done.values()), places, extra)


def read_target(text: str, network: "Model", directions: str | None) -> list["Objective"]:
    """The objectives of a TARGET, whose units are those of the layer or rows of --directions."""
    layer = text.rpartition(":")[0]
    rows = None if directions is None else read_directions(directions, network.layer(layer).units)
    return parse_target(text, network, directions=rows)


def add_penalties(recipe: "Recipe", penalties: tuple[str, ...]) -> "Recipe":
    """The recipe less `weight` times each penalty, of texts NAME=WEIGHT."""
    from featviz.regularizers.penalties.image_penalties import PENALTIES

    for text in penalties:
        name, _, weight = text.partition("=")
        if name not in PENALTIES:
            raise FeatvizError(f"--penalty is `{text}`; {nearest(name, PENALTIES)}")
        try:
            amount = float(weight)
        except ValueError:
            amount = -1.0
        if not 0 <= amount < float("inf"):
            raise FeatvizError(f"--penalty is `{text}`; expected NAME=WEIGHT with a weight of 0 or more, as tv=0.5")
        term = -amount * PENALTIES[name]
        recipe = replace(recipe, penalty=term if recipe.penalty is None else recipe.penalty + term)
    return recipe


def hold(recipe: "Recipe", weight: float) -> "Recipe":
    """The recipe held to its start by a weight, by 0 not at all."""
    from featviz.regularizers import Fidelity

    return replace(recipe, fidelity=Fidelity(weight) if weight else None)


def with_spectrum(recipe: "Recipe", path: Path) -> "Recipe":
    """The recipe with the magnitudes of a file."""
    from featviz.parameterizations import Maco, load_spectrum

    if not isinstance(recipe.parameterization, Maco):
        raise FeatvizError(
            "--spectrum gives magnitudes, which this recipe has not; expected --recipe maco_2023 or maco_uniform"
        )
    return replace(recipe, parameterization=replace(recipe.parameterization, spectrum=load_spectrum(path)))


def read_start(path: Path, network: "Model", size: int | tuple[int, int] | None) -> Any:
    """The photograph to begin at: whole, or covering the size."""
    from featviz.common.photograph import read_photograph, to_floats
    from featviz.surveys.photos import prepare

    image = read_photograph(path, network.input.channels, option="--start")
    if size is None:
        return to_floats(image)
    photo = prepare(path.name, image, size if isinstance(size, tuple) else (size, size), network.input.channels)
    if photo.pixels is None:
        raise FeatvizError(f"--start: `{path.name}` cannot be cut: {photo.fault}")
    return photo.pixels.astype("float32") / 255


def add_exemplars(objectives: list["Objective"], folder: Path, network: "Model") -> list["Objective"]:
    """The objectives of channels, each as a direction of the unit and its best photographs."""
    from featviz.surveys.exemplars import exemplars
    from featviz.surveys.survey import open_survey

    survey = open_survey(folder, network)
    channels: list[tuple[str, int]] = []
    for objective in objectives:
        term, unit = objective.terms[0], objective.terms[0].channel_index
        # Only what the command line can write: neither a negative, nor a channel of the image or the output.
        if unit is None or objective.target != term.target:
            raise FeatvizError(f"--exemplars: `{objective.label}` is not a channel; expected one such as 103 or 0-15")
        channels.append((term.layers[0], unit))
    directions: dict[tuple[str, int], Objective] = {}
    # All units of a layer at once: its statistics are measured once.
    for layer in dict.fromkeys(layer for layer, _ in channels):
        units = [unit for name, unit in channels if name == layer]
        directions |= zip(((layer, unit) for unit in units), exemplars(survey, layer, units), strict=True)
    return [directions[channel] for channel in channels]


def parse_size(text: str | None) -> int | tuple[int, int] | None:
    """`128` or `96x128` (height x width)."""
    if text is None:
        return None
    parts = text.lower().split("x")
    if len(parts) > 2 or not all(part.isdecimal() for part in parts):
        raise FeatvizError(f"--size is `{text}`; expected pixels a side, such as 128, or HEIGHTxWIDTH, such as 96x128")
    sides = tuple(int(part) for part in parts)
    return sides[0] if len(sides) == 1 else (sides[0], sides[1])
