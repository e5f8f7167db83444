"""`featviz render MODEL TARGET... -o OUT`: one picture, or a folder of them with a contact sheet."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from featviz.cli.exit_status import Interrupted, interruptible, usage_errors
from featviz.cli.image_files import read_image
from featviz.cli.options.directions_option import directions_option, read_directions
from featviz.cli.options.keep_option import check_channels, keep_channels_option
from featviz.cli.options.network_options import NetworkChoice, classified_network_options
from featviz.cli.options.option_group import PATH
from featviz.cli.options.output_options import format_option, out_option, quiet_option
from featviz.cli.options.recipe_options import (
    RecipeChanges,
    RecipeChoice,
    recipe_change_options,
    recipe_options,
)
from featviz.cli.photo_objectives import match_exemplars
from featviz.cli.render_outputs import (
    check_outputs,
    describe_differences,
    describe_replaced,
    plan_files,
    read_record,
    report,
    write_overviews,
)
from featviz.cli.targets import parse_target
from featviz.errors import FeatvizError

if TYPE_CHECKING:
    import numpy as np
    from jaxtyping import Float

    from featviz.model import Model
    from featviz.objectives import Objective
    from featviz.pictures.picture import Picture


@click.command()
@classified_network_options
@click.argument("targets", metavar="TARGET...", nargs=-1, required=True)
@out_option("Write one picture to this file, or all to this folder, where sheet.png shows them together.")
@directions_option
@recipe_options
@recipe_change_options
@click.option("--start", type=PATH, metavar="PHOTO", help="Start from this photograph in place of noise.")
@keep_channels_option
@click.option(
    "--facets",
    type=click.IntRange(1, 64),
    default=1,
    metavar="N",
    help="Draw N diverse pictures of each target; with --exemplars, one for each of N clusters of its top photos, "
    "begun at the photo in its middle.",
)
@click.option(
    "--exemplars",
    type=PATH,
    metavar="SURVEY",
    help="Match each channel's top photographs as well, from a folder that `featviz survey` has written.",
)
@click.option(
    "--references",
    type=PATH,
    metavar="PHOTOS",
    help="Match the statistics of photographs in place of the activation (VITAL): for a channel a folder that "
    "`featviz survey` has written, or one of photographs; for a class photographs of it. With --recipe vital_2025.",
)
@format_option
@click.option("--curves", is_flag=True, help="Also draw the scores over the steps, as curves.png.")
@quiet_option(printed="list of files")
def render(
    network: NetworkChoice,
    targets: tuple[str, ...],
    out: Path,
    directions: str | None,
    choice: RecipeChoice,
    changes: RecipeChanges,
    start: Path | None,
    keep_channels: tuple[int, ...] | None,
    facets: int,
    exemplars: Path | None,
    references: Path | None,
    suffix: str,
    curves: bool,
    quiet: bool,
) -> None:
    """Draw what units of MODEL look for.

    TARGET is LAYER:UNITS: inception_4c:103, 0-15, all, 103@3x4 (the neuron at row 3, column 4), -103 (the negative) or
    whole (DeepDream's objective); logit:5 is the network's output 5, logit:tabby the class of that name.
    """
    from featviz.common.compilation_cache import use_compilation_cache

    use_compilation_cache()
    model = network.load()
    with usage_errors():
        recipe = changes.apply(choice.recipe(model))
        objectives = [objective for text in targets for objective in read_target(text, model, directions)]
        if keep_channels is not None and start is None:
            raise FeatvizError("--keep-channels goes with --start, whose channels it keeps")
        check_channels(keep_channels, model.input.channels)
        if references is not None:
            if exemplars is not None or facets > 1:
                raise FeatvizError("--references stands beside --exemplars or --facets; expected one of them")
            objectives = match_references(objectives, references, model)
        starts = None
        if exemplars is not None:
            objectives, starts = match_exemplars(objectives, exemplars, model, recipe, choice.size, facets=facets)
        if start is not None:  # the user's own photograph comes before those of clusters
            starts = None
        paths = plan_files(out, objectives, suffix, facets=facets, model=model)
        # Imported here, so that a wrong command is refused at once.
        from featviz.ascent import Convergence
        from featviz.objectives import diverse
        from featviz.rendering.draw import render_groups
        from featviz.rendering.request import make_request
        from featviz.surveys.facet_starts import started_steps

        request = make_request(
            model,
            [diverse(objective) for objective in objectives] if facets > 1 and exemplars is None else objectives,
            group_size=facets,
            recipe=recipe,
            size=None if start is not None or starts is not None else choice.size,
            steps=choice.steps if starts is None or choice.steps is not None else started_steps(recipe.steps),
            seed=choice.seed,
            start=starts if start is None else read_start(start, model, choice.size),
            keep=keep_channels,
            convergence=Convergence() if changes.converge else None,
            transparency=changes.transparency,
            dtype=choice.dtype,
            progress=not quiet,
        )
    all_paths = [path for group in paths for path in group]
    check_outputs(out, all_paths)
    groups = render_groups(request)
    finished: dict[int, list[Picture]] = {}

    def describe_progress() -> str:
        count = sum(map(len, finished.values()))
        where = out if len(all_paths) > 1 else out.parent
        return f"stopped; {count} of {len(all_paths)} pictures are finished and in {where}"

    interrupt: Interrupted | None = None
    try:
        with interruptible(describe_progress):
            save_pictures(groups, paths, finished)
    except Interrupted as error:
        interrupt = error
    written = {
        path: picture for index in sorted(finished) for path, picture in zip(paths[index], finished[index], strict=True)
    }
    overviews = write_overviews(out, written, curves=curves) if written and all_paths != [out] else []
    if interrupt is not None:
        raise interrupt
    if not quiet:
        report(written, overviews)


def save_pictures(
    groups: "Iterator[tuple[int, list[Picture]]]", paths: Sequence[Sequence[Path]], finished: "dict[int, list[Picture]]"
) -> None:
    """Saves each group of pictures as it comes and adds it to `finished`; says at the end what was replaced."""
    replaced: list[list[str]] = []
    try:
        for index, pictures in groups:
            for picture, path in zip(pictures, paths[index], strict=True):
                previous = read_record(path)
                picture.save(path)
                if previous is not None and (differences := describe_differences(previous, picture.provenance)):
                    replaced.append(differences)
            finished[index] = pictures
    finally:
        if replaced:
            click.echo(describe_replaced(replaced), err=True)


def read_target(text: str, model: "Model", directions: str | None) -> list["Objective"]:
    """The objectives of a TARGET, whose units are those of the layer or rows of --directions."""
    layer = text.rpartition(":")[0]
    rows = None if directions is None else read_directions(directions, model.layer(layer).units)
    return parse_target(text, model, directions=rows)


def read_start(path: Path, model: "Model", size: int | tuple[int, int] | None) -> "Float[np.ndarray, 'h w c']":
    """The photograph to start from: all of it, or cropped to the size."""
    image = read_image(path, model.input.channels, option="--start")
    if size is None:
        return image
    from featviz.surveys.photos import prepare

    photo = prepare(path.name, image, size if isinstance(size, tuple) else (size, size), model.input.channels)
    if photo.pixels is None:
        raise FeatvizError(f"--start: `{path.name}` cannot be cropped: {photo.fault}")
    return photo.pixels.astype("float32") / 255


def match_references(objectives: list["Objective"], folder: Path, model: "Model") -> list["Objective"]:
    """The objectives of channels and classes, each as the statistics of a survey's or a folder's photographs."""
    from featviz.surveys.survey import open_survey
    from featviz.surveys.survey_store import is_survey
    from featviz.surveys.vital import vital

    references = open_survey(folder, model) if is_survey(folder) else folder
    return [vital(model, objective, references) for objective in objectives]
