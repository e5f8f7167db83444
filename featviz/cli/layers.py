"""`featviz layers MODEL`: names, shapes, units."""

from pathlib import Path

import click

from featviz.cli.common import find_model, weights_option, wrong_command


@click.command()
@click.argument("model")
@weights_option
@click.option("--all", "everything", is_flag=True, help="Also what stands inside the blocks.")
def layers(model: str, weights: Path | None, everything: bool) -> None:
    """The layers of MODEL: names to pass on, shapes at the training size, units, and the ReLUs found."""
    from featviz.models.registry import find, outline

    if ":" in model or weights is not None:
        network = find_model(model, weights)
    else:
        with wrong_command():
            network = outline(find(model).name)
    shown = [layer for layer in network.layers if everything or "/" not in layer.name]
    width = max(len(layer.name) for layer in shown)
    click.echo(f"{'layer'.ljust(width)}  {'units':>6}  shape")
    for layer in shown:
        click.echo(f"{layer.name.ljust(width)}  {layer.units:>6}  {' x '.join(map(str, layer.shape))}")
    inside = len(network.layers) - len(shown)
    click.echo(
        f"{len(shown)} layers, {sum(layer.units for layer in shown)} units, {network.relus} ReLUs found", err=True
    )
    if inside:
        click.echo(f"{inside} more inside the blocks: --all", err=True)
