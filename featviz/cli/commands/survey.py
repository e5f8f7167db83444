"""`featviz survey MODEL PHOTOS -o FOLDER`: every unit's activations on natural images."""

from pathlib import Path

import click

from featviz.cli.exit_status import interruptible, usage_errors
from featviz.cli.options.layers_option import find_layers, layers_option
from featviz.cli.options.network_options import NetworkChoice, network_options
from featviz.cli.options.option_group import PATH
from featviz.cli.options.output_options import out_option, quiet_option
from featviz.cli.options.recipe_options import size_option
from featviz.cli.tables import echo_skipped


@click.command()
@network_options
@click.argument("photos", type=PATH)
@out_option("Write the survey into this folder, which is new or of a survey to continue.", metavar="FOLDER")
@layers_option("Survey these layers, by name or pattern, such as inception_4*.  [default: the network's blocks]")
@size_option(default="that of the network's training")
@click.option(
    "--windows",
    type=int,
    metavar="K",
    default=1,
    show_default=True,
    help="Cut each image into K x K overlapping windows.",
)
@quiet_option(printed="summary")
def survey(
    network: NetworkChoice,
    photos: Path,
    out: Path,
    layers: tuple[str, ...],
    size: int | tuple[int, int] | None,
    windows: int,
    quiet: bool,
) -> None:
    """Record what every unit of MODEL does on the images of the folder PHOTOS.

    `featviz evidence` needs the result of this one pass. Ctrl-C keeps what is done, and the same command continues.
    """
    from featviz.common.compilation_cache import use_compilation_cache

    use_compilation_cache()
    model = network.load()
    from featviz.pages.formatting import format_count
    from featviz.rendering.checks import check_count, check_size
    from featviz.surveys.photos import MAX_WINDOWS, find_photos
    from featviz.surveys.run_survey import choose_layers
    from featviz.surveys.run_survey import survey as run
    from featviz.surveys.survey import open_survey

    with usage_errors():
        chosen = find_layers(model, layers)
        choose_layers(model, chosen)
        check_size(model.input.size if size is None else size, None)
        find_photos(photos, windows=check_count("windows", windows, 1, MAX_WINDOWS))

    def describe_progress() -> str:
        count = len(open_survey(out, model)) if (out / "zarr.json").exists() else 0
        return f"stopped; {count} photos are in {out}; the same command continues"

    with interruptible(describe_progress):
        made = run(model, photos, out=out, layers=chosen, size=size, windows=windows, progress=not quiet)
    if quiet:
        return
    units = sum(model.layer(name).units for name in made.layers)
    counts = ((len(made), "photo"), (len(made.layers), "layer"), (units, "unit"))
    click.echo(f"{out}  " + ", ".join(format_count(count, of=what) for count, what in counts))
    faults = {made.names[int(index)]: fault for index, fault in made.faults.items()}
    echo_skipped(faults, listed_in=out / "faults.json")
    from featviz.evaluation.flag import MIN_PHOTOS
    from featviz.evaluation.reference_statistics import MIN_PHOTOS as REFERENCE_PHOTOS

    readable = int(made.readable.sum())
    if readable < MIN_PHOTOS:
        few, counted = 2 * REFERENCE_PHOTOS, format_count(readable, of="photo")
        click.echo(
            f"`featviz evidence` needs {few} photos, and {MIN_PHOTOS} to flag a picture; this survey has {counted}: "
            "--windows K makes K x K of each",
            err=True,
        )
