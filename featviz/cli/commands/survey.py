"""`featviz survey MODEL PHOTOS`: every unit over natural images."""

from pathlib import Path

import click

from featviz.cli.commands.render import parse_size
from featviz.cli.networks import find_model
from featviz.cli.options.input_option import input_option
from featviz.cli.options.layers_option import find_layers, layers_option
from featviz.cli.session import Stopped, keep_compiled, stoppable, weights_option, wrong_command


@click.command()
@click.argument("model")
@click.argument("photos", type=click.Path(path_type=Path))
@click.option(
    "-o", "--out", type=click.Path(path_type=Path), required=True, help="The survey's folder, new or to continue."
)
@weights_option
@input_option
@layers_option("Layers, by name or pattern, as inception_4*.  [default: the network's blocks]")
@click.option("--size", metavar="PX", help="Pixels a side of what the network sees.  [default: as it was trained]")
@click.option("--windows", type=int, default=1, show_default=True, help="K x K overlapping windows of each image.")
@click.option("--quiet", is_flag=True, help="No progress and no summary.")
def survey(
    model: str,
    photos: Path,
    out: Path,
    weights: Path | None,
    input_words: str | None,
    layers: tuple[str, ...],
    size: str | None,
    windows: int,
    quiet: bool,
) -> None:
    """What every unit of MODEL does on the images of the folder PHOTOS.

    One pass, whose results `featviz evidence` needs. Ctrl-C keeps what is done, and the same command continues it.
    """
    with wrong_command():
        pixels = parse_size(size)
    keep_compiled()
    network = find_model(model, weights, input_words=input_words)
    from featviz.rendering.checks import check_count, check_size
    from featviz.surveys.photos import MOST_WINDOWS, find_photos
    from featviz.surveys.survey import choose_layers, open_survey
    from featviz.surveys.survey import survey as run

    with wrong_command():
        chosen = find_layers(network, layers)
        choose_layers(network, chosen)
        check_size(network.input.size if pixels is None else pixels, None)
        find_photos(photos, windows=check_count("windows", windows, 1, MOST_WINDOWS))
    try:
        with stoppable():
            made = run(network, photos, out=out, layers=chosen, size=pixels, windows=windows, progress=not quiet)
    except KeyboardInterrupt:
        done = len(open_survey(out, network)) if (out / "zarr.json").exists() else 0
        raise Stopped(f"stopped; {done} photos are in {out}; the same command continues") from None
    if quiet:
        return
    units = sum(network.layer(name).units for name in made.layers)
    click.echo(f"{out}  {len(made)} photos, {len(made.layers)} layers, {units} units")
    for number, fault in list(made.faults.items())[:5]:
        click.echo(f"skipped {made.names[int(number)]}: {fault}", err=True)
    if len(made.faults) > 5:
        click.echo(f"skipped {len(made.faults) - 5} more; all in {out / 'faults.json'}", err=True)
