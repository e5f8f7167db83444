"""`featviz check MODEL [PHOTOS]`: is the network taken as it was trained?"""

from pathlib import Path

import click

from featviz.cli.networks import find_model
from featviz.cli.options.input_option import input_option
from featviz.cli.session import keep_compiled, weights_option, wrong_command
from featviz.errors import FeatvizError


@click.command()
@click.argument("model")
@click.argument("photos", type=click.Path(path_type=Path), required=False)
@weights_option
@input_option
def check(model: str, photos: Path | None, weights: Path | None, input_words: str | None) -> None:
    """Silent faults of MODEL: above all a wrong input range, mean or channel order, which photographs tell.

    PHOTOS is a folder of images such as MODEL was trained on; 64 of them are looked at. Exit status 1 where something
    is wrong, 0 where nothing is or where it cannot be told.
    """
    keep_compiled()
    network = find_model(model, weights, input_words=input_words)
    from featviz.diagnosis.check_input import check_input
    from featviz.surveys.photos import find_photos

    if photos is not None:
        with wrong_command():
            find_photos(photos)
    found = check_input(network, photos)
    for line in found.lines:
        if line not in found.faults:
            click.echo(line)
    if found.suggestion is not None:
        raise FeatvizError("; ".join([*found.faults, f"write input={found.suggestion}"]))
    if found.faults:
        raise FeatvizError("; ".join(found.faults))
