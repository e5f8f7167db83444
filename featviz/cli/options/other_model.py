"""`--other MODEL`: another network, whose features compare pictures with photographs."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from featviz.cli.networks import find_model
from featviz.cli.session import wrong_command

if TYPE_CHECKING:
    from featviz.evaluation.features import Features

FILE = click.Path(path_type=Path)
other_option = click.option("--other", metavar="MODEL", help="Another network, whose features judge the pictures.")
other_weights_option = click.option(
    "--other-weights", type=FILE, metavar="FILE", help="A file of its weights, of any kind that --weights takes."
)
other_layer_option = click.option("--other-layer", metavar="NAME", help="Its layer.  [default: half way through it]")


def find_judge(other: str | None, weights: Path | None, layer: str | None) -> "Features | None":
    """The features that the options name, or None without any."""
    if other is None:
        for name, given in (("--other-weights", weights), ("--other-layer", layer)):
            if given is not None:
                raise click.UsageError(f"{name} goes with --other MODEL")
        return None
    network = find_model(other, weights)
    from featviz.evaluation.features import Features, features_of

    with wrong_command():
        return features_of(network) if layer is None else Features(network, layer)
