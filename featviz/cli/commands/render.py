"""`featviz render MODEL TARGET... -o OUT`: one picture, or a folder of them with a contact sheet."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from featviz.cli.exit_status import Interrupted, interruptible, usage_errors
from featviz.cli.options.directions_option import directions_option, read_directions
from featviz.cli.options.network_options import NetworkChoice, classified_network_options
from featviz.cli.options.output_options import format_option, out_option, quiet_option
from featviz.cli.options.photo_options import PhotoChoice, photo_options
from featviz.cli.options.recipe_options import (
    RecipeChanges,
    RecipeChoice,
    recipe_change_options,
    recipe_options,
)
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

if TYPE_CHECKING:
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
@photo_options
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
    photos: PhotoChoice,
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
        objectives, starts = photos.match(objectives, model, recipe, choice.size)
        paths = plan_files(out, objectives, suffix, facets=photos.facets, model=model)
        # Imported here, so that a wrong command is refused at once.
        from featviz.ascent import Convergence
        from featviz.rendering.draw import render_groups
        from featviz.rendering.request import make_request
        from featviz.surveys.facet_starts import started_steps

        from_photos = photos.start is not None or starts is not None
        request = make_request(
            model,
            photos.drawn(objectives),
            group_size=photos.facets,
            recipe=recipe,
            size=None if from_photos else choice.size,
            steps=choice.steps if starts is None or choice.steps is not None else started_steps(recipe.steps),
            seed=choice.seed,
            start=starts if photos.start is None else photos.read_start(model, choice.size),
            keep=photos.keep_channels,
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
