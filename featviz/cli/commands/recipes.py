"""`featviz recipes`: the recipes as a table, or whom to cite for one."""

import click

from featviz.cli.exit_status import usage_errors
from featviz.cli.tables import echo_rows

HEADINGS = ("recipe", "year", "what is optimized", "steps", "px", "source")
WIDTHS = (27, 4, 30, 5, 3, 24)
NUMBERS = (1, 3, 4)


@click.command()
@click.argument("name", required=False)
def recipes(name: str | None) -> None:
    """List the recipes that --recipe takes, or print whom to cite for the recipe NAME, as BibTeX.

    A recipe is a published way to draw a unit. Pictures of a recipe without px have the size of the network's training.
    """
    from featviz.recipes import RECIPES, by_name
    from featviz.recipes.citations import author, citation, year

    if name is not None:
        with usage_errors():
            click.echo(citation(by_name(name)))
        return
    rows = [HEADINGS]
    for known, recipe in RECIPES.items():
        source = recipe.sources[0]
        size = "" if recipe.size is None else str(recipe.size)
        rows.append((known, year(source), recipe.summary, str(recipe.steps), size, author(source)))
    echo_rows(rows, WIDTHS, numbers=NUMBERS)
