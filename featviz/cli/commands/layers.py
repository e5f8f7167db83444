"""`featviz layers MODEL`: names, shapes, units, parameters."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from featviz.cli.networks import find_model
from featviz.cli.options.input_option import input_option
from featviz.cli.session import weights_option, wrong_command

if TYPE_CHECKING:
    from featviz.model import Layer, Model

# Fewer layers than this say nothing of a network: one level more is shown.
FEW = 4


@click.command()
@click.argument("model")
@weights_option
@input_option
@click.option("--depth", type=click.IntRange(min=1), help="How many levels of blocks within blocks.  [default: enough]")
@click.option("--all", "everything", is_flag=True, help="Also what stands inside the blocks.")
def layers(model: str, weights: Path | None, input_words: str | None, depth: int | None, everything: bool) -> None:
    """The layers of MODEL as a tree: names to pass on, units, shapes at the training size, and parameters."""
    from featviz.cli.model_help import find_entry
    from featviz.zoo.registry import outline

    if weights is None and input_words is None and not (":" in model or Path(model).suffix):
        with wrong_command():
            network = outline(find_entry(model).name)
    else:
        network = find_model(model, weights, input_words=input_words)
    levels = {layer.name: level(layer.name) for layer in network.layers}
    most = max(levels.values())
    if everything:
        depth = most
    elif depth is None:
        counts = (sum(each <= number for each in levels.values()) for number in range(1, most + 1))
        depth = next((number for number, count in enumerate(counts, start=1) if count >= min(FEW, len(levels))), most)
    shown = in_tree_order([layer for layer in network.layers if levels[layer.name] <= depth])
    parameters = count_parameters(network, [layer.name for layer in shown])
    names = ["  " * (levels[layer.name] - 1) + layer.name for layer in shown]
    width = max(map(len, names))
    shapes = [" x ".join(map(str, layer.shape)) for layer in shown]
    wide = max(map(len, shapes))
    click.echo(f"{'layer'.ljust(width)}  {'units':>6}  {'shape'.ljust(wide)}  parameters")
    for layer, name, shape in zip(shown, names, shapes, strict=True):
        count = parameters[layer.name]
        click.echo(f"{name.ljust(width)}  {layer.units:>6}  {shape.ljust(wide)}  {f'{count:,}' if count else '':>10}")
    inside = len(network.layers) - len(shown)
    total = sum(layer.units for layer in shown)
    click.echo(f"{len(shown)} layers, {total} units, {network.relus} ReLUs found", err=True)
    if inside:
        click.echo(f"{inside} more inside the blocks: --all, or --depth {depth + 1}", err=True)


def in_tree_order(layers: "Sequence[Layer]") -> "list[Layer]":
    """Each block before what is inside it, and otherwise in forward order."""
    first: dict[tuple[str, ...], int] = {}
    for number, layer in enumerate(layers):
        parts = tuple(_parts(layer.name))
        for end in range(1, len(parts) + 1):
            first.setdefault(parts[:end], number)

    def place(layer: "Layer") -> list[int]:
        parts = tuple(_parts(layer.name))
        return [first[parts[:end]] for end in range(1, len(parts) + 1)]

    return sorted(layers, key=place)


def level(name: str) -> int:
    """How deep in its network's tree a layer stands: 1 for `conv1`, 2 for `block/conv` and for `layer1.conv`.

    >>> level("blocks[3]/mlp"), level("layer1.0.conv1")
    (2, 3)
    """
    return len(_parts(name))


def count_parameters(model: "Model", names: Sequence[str]) -> dict[str, int]:
    """How many numbers the weights of each layer and of what is inside it have, by the names of the weights."""
    import jax

    from featviz.tracing.marks import entry_name

    sizes: list[tuple[list[str], int]] = []
    for path, leaf in jax.tree_util.tree_leaves_with_path(model.weights):
        sizes.append((_parts("/".join(map(entry_name, path))), leaf.size))
    counts = {}
    for name in names:
        parts = _parts(name)
        # The first key may be that of a collection, `params`.
        fits = (parts in (keys[: len(parts)], keys[1 : len(parts) + 1]) for keys, _ in sizes)
        counts[name] = sum(size for (_, size), fit in zip(sizes, fits, strict=True) if fit)
    return counts


def _parts(name: str) -> list[str]:
    return [part for part in re.split(r"[/.]", name) if part]
