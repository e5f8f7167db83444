"""`featviz export ATLAS -o FOLDER`: an atlas's pictures and its table as files."""

from pathlib import Path

import click

from featviz.cli.options.layers_option import layers_option, split_all
from featviz.cli.session import revision_option, wrong_command


@click.command()
@click.argument("atlas")
@click.option("-o", "--out", type=click.Path(path_type=Path), required=True, metavar="FOLDER", help="Where to.")
@click.option("--format", "suffix", type=click.Choice(["png", "webp", "npy"]), default="png", show_default=True)
@click.option("--table", type=click.Choice(["csv", "parquet"]), default="csv", show_default=True)
@layers_option("Only these layers, by name or pattern, as inception_4*.")
@revision_option
@click.option("--quiet", is_flag=True, help="No progress.")
def export(
    atlas: str, out: Path, suffix: str, table: str, layers: tuple[str, ...], revision: str | None, quiet: bool
) -> None:
    """The pictures of ATLAS, a folder that `featviz atlas` has written, as files, and a table of all units."""
    from featviz.atlas.export import export as write
    from featviz.atlas.reading import open_atlas
    from featviz.model.layer_patterns import match_layers

    with wrong_command():
        found = open_atlas(atlas, revision=revision)
        patterns = split_all(layers)
        chosen = None if patterns is None else match_layers(found.layers, patterns)
        for pattern in patterns or ():
            if not match_layers(found.layers, [pattern]):
                found.find(pattern)
    written = write(found, out, suffix=suffix, table=table, layers=chosen, progress=not quiet)
    if not quiet:
        click.echo(str(written))
