"""`featviz atlas --compact`: the files of an atlas in a few large ones."""

import click
from click.core import ParameterSource

from featviz.cli.exit_status import interruptible, usage_errors


def check_compact_alone(ctx: click.Context) -> None:
    """Refuses what --compact would leave aside: it is about the pictures that are there."""
    for option in ctx.command.params:
        given = ctx.get_parameter_source(option.name or "") is ParameterSource.COMMANDLINE
        if given and option.name not in ("out", "only_compact", "quiet"):
            name = option.opts[0] if isinstance(option, click.Option) else option.human_readable_name
            raise click.UsageError(f"--compact goes with --out and --quiet alone; found {name}")


def compact(out: str, *, quiet: bool) -> None:
    """Gathers the files of an atlas in large ones, and prints what was done for each series."""
    from featviz.atlas.compaction import compact_atlas
    from featviz.atlas.reading import open_atlas

    with usage_errors():
        atlas, count = open_atlas(out), 0
    with interruptible(lambda: f"stopped; {out} is whole, and the same command continues"):
        for done in compact_atlas(atlas.store):
            count += 1
            if not quiet:
                name = done.path.partition("/")[2]
                click.echo(f"{name}  {done.entries} entries, {done.before} files -> {done.after}")
    if not count and not quiet:
        click.echo(f"{out}  nothing to compact")
