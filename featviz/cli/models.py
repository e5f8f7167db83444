"""`featviz models`: the zoo, and what is on this disk."""

import click


@click.command()
def models() -> None:
    """The networks that featviz knows by name, and which have their weights on this disk."""
    from featviz.models.registry import ZOO

    rows = [("network", "input", "parameters", "licence", "weights")]
    for entry in ZOO.values():
        names = ", ".join((entry.name, *entry.aliases))
        height, width = entry.input.size
        size = f"{height}x{width}x{entry.input.channels}"
        found = "built in" if entry.bundled_path is not None else "pass --weights FILE"
        rows.append((names, size, f"{entry.parameters:,}", entry.licence, found))
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        cells = [
            text.rjust(w) if at == 2 else text.ljust(w) for at, (text, w) in enumerate(zip(row, widths, strict=True))
        ]
        click.echo("  ".join(cells).rstrip())
