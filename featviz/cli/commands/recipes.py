"""`featviz recipes`: the recipes as a table, or whom to cite for one."""

import click

from featviz.cli.session import wrong_command
from featviz.cli.tables import row_lines

HEADS = ("recipe", "year", "what is optimized", "steps", "px", "source")
WIDTHS = (27, 4, 30, 5, 3, 24)
NUMBERS = (1, 3, 4)


@click.command()
@click.argument("name", required=False)
def recipes(name: str | None) -> None:
    """The recipes that --recipe knows; with NAME whom to cite for its pictures, as BibTeX.

    A recipe is a published way to draw a unit. Where no px stand, pictures have the size of the network's training.
    """
    from featviz.recipes import RECIPES, by_name
    from featviz.recipes.citations import author, citation, year
    from featviz.recipes.summaries import SUMMARIES

    if name is not None:
        with wrong_command():
            click.echo(citation(by_name(name)))
        return
    for line in row_lines(HEADS, WIDTHS, numbers=NUMBERS):
        click.echo(line)
    for known, recipe in RECIPES.items():
        source = recipe.sources[0]
        size = "" if recipe.size is None else str(recipe.size)
        texts = (known, year(source), SUMMARIES[known], str(recipe.steps), size, author(source))
        for line in row_lines(texts, WIDTHS, numbers=NUMBERS):
            click.echo(line)
