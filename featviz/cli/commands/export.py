"""`featviz export ATLAS -o FOLDER`: an atlas's pictures and its table as files."""

from pathlib import Path

import click

from featviz.cli.exit_status import usage_errors
from featviz.cli.options.layers_option import layers_option, split_all
from featviz.cli.options.output_options import format_option, out_option, quiet_option, revision_option


@click.command()
@click.argument("atlas")
@out_option("Write the files into this folder.", metavar="FOLDER")
@format_option
@click.option(
    "--table",
    type=click.Choice(["csv", "parquet"]),
    default="csv",
    show_default=True,
    help="Write the table of all units in this format.",
)
@layers_option("Export only these layers, by name or pattern, such as inception_4*.")
@revision_option
@quiet_option(printed="path")
def export(
    atlas: str, out: Path, suffix: str, table: str, layers: tuple[str, ...], revision: str | None, quiet: bool
) -> None:
    """Write the pictures of ATLAS as files, and a table of all units.

    ATLAS is a folder that `featviz atlas` has written.
    """
    from featviz.atlas.export import export as write
    from featviz.atlas.reading import open_atlas
    from featviz.model.layer_patterns import match_layers

    with usage_errors():
        opened = open_atlas(atlas, revision=revision)
        patterns = split_all(layers)
        chosen = None if patterns is None else match_layers(opened.layers, patterns)
        for pattern in patterns or ():
            if not match_layers(opened.layers, [pattern]):
                opened.find(pattern)
    written = write(opened, out, suffix=suffix, table=table, layers=chosen, progress=not quiet)
    if not quiet:
        click.echo(str(written))
