"""`featviz check MODEL [PHOTOS]`: whether a network takes its images as it was trained to."""

from pathlib import Path

import click

from featviz.cli.exit_status import usage_errors
from featviz.cli.options.network_options import NetworkChoice, network_options
from featviz.cli.options.option_group import PATH
from featviz.errors import FeatvizError


@click.command()
@network_options
@click.argument("photos", type=PATH, required=False)
def check(network: NetworkChoice, photos: Path | None) -> None:
    """Find silent faults of MODEL: above all a wrong input range, mean or channel order.

    PHOTOS is a folder of images such as MODEL was trained on; 64 of them are used. The exit status is 1 if there is a
    fault, and 0 if there is none or if it cannot be decided.
    """
    from featviz.common.compilation_cache import use_compilation_cache
    from featviz.diagnosis.check_input import check_input
    from featviz.surveys.photos import find_photos

    use_compilation_cache()
    model = network.load()
    if photos is not None:
        with usage_errors():
            find_photos(photos)
    result = check_input(model, photos)
    for line in result.lines:
        if line not in result.faults:
            click.echo(line)
    if result.suggestion is not None:
        raise FeatvizError("; ".join([*result.faults, f"write input={result.suggestion}"]))
    if result.faults:
        raise FeatvizError("; ".join(result.faults))
