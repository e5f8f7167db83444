"""`featviz layers MODEL`: names, shapes, units, parameters."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from featviz.cli.exit_status import usage_errors
from featviz.cli.options.dictionary_options import add_dictionaries
from featviz.cli.options.edit_option import add_edits
from featviz.cli.options.network_options import NetworkChoice, network_options

if TYPE_CHECKING:
    from featviz.model import Layer, Model

# Fewer layers than this say little about a network: one more level is shown.
FEW_LAYERS = 4


@click.command()
@network_options
@click.option(
    "--depth", type=click.IntRange(min=1), help="Show this many levels of nested blocks.  [default: a useful number]"
)
@click.option(
    "--all",
    "show_all",
    is_flag=True,
    help="Show every layer, also inside the blocks, and what is none, with the reason.",
)
def layers(network: NetworkChoice, depth: int | None, show_all: bool) -> None:
    """List the layers of MODEL as a tree: names, units, shapes at the training size, parameters."""
    model = _outline(network)
    levels = {layer.name: level(layer.name) for layer in model.layers}
    deepest = max(levels.values())
    if show_all:
        depth = deepest
    elif depth is None:
        depth = _useful_depth(list(levels.values()))
    # Latents are a level below their layer, and what the user has added.
    shown = in_tree_order([layer for layer in model.layers if levels[layer.name] <= depth or layer.latents])
    _echo_table(shown, levels, count_parameters(model, [layer.name for layer in shown]))
    units = sum(layer.units for layer in shown)
    click.echo(f"{len(shown)} layers, {units} units, {model.relus} ReLUs found", err=True)
    if show_all and model.absent:
        click.echo(f"no layers ({len(model.absent)}):", err=True)
        width = max(len(name) for name, _ in model.absent)
        for name, reason in model.absent:
            click.echo(f"{name.ljust(width)}  {reason}", err=True)
    hidden = len(model.layers) - len(shown)
    if hidden:
        click.echo(f"{hidden} more inside the blocks: --all, or --depth {depth + 1}", err=True)


def _outline(network: NetworkChoice) -> "Model":
    """The network; of one of the zoo only its shapes, which need no weights."""
    from featviz.cli.model_argument import find_entry
    from featviz.zoo.registry import outline

    name = network.model
    assert name is not None
    as_published = network.weights is None and network.input_words is None and not network.fixed
    if as_published and not (":" in name or Path(name).suffix):
        with usage_errors():
            found = add_dictionaries(outline(find_entry(name).name), network.dictionaries)
            return add_edits(found, network.edits)
    return network.load()


def _useful_depth(levels: Sequence[int]) -> int:
    """The first depth down to which there are a few layers."""
    for depth in range(1, max(levels)):
        if sum(level <= depth for level in levels) >= min(FEW_LAYERS, len(levels)):
            return depth
    return max(levels)


def _echo_table(layers: "Sequence[Layer]", levels: dict[str, int], parameters: dict[str, int]) -> None:
    names = ["  " * (levels[layer.name] - 1) + layer.name for layer in layers]
    name_width = max(map(len, names))
    shapes = [" x ".join(map(str, layer.shape)) for layer in layers]
    shape_width = max(map(len, shapes))
    click.echo(f"{'layer'.ljust(name_width)}  {'units':>6}  {'shape'.ljust(shape_width)}  parameters")
    for layer, name, shape in zip(layers, names, shapes, strict=True):
        count = f"{parameters[layer.name]:,}" if parameters[layer.name] else ""
        click.echo(f"{name.ljust(name_width)}  {layer.units:>6}  {shape.ljust(shape_width)}  {count:>10}")


def in_tree_order(layers: "Sequence[Layer]") -> "list[Layer]":
    """Each block before what is inside it, and otherwise in forward order."""
    first_index: dict[tuple[str, ...], int] = {}
    for index, layer in enumerate(layers):
        parts = tuple(_parts(layer.name))
        for end in range(1, len(parts) + 1):
            first_index.setdefault(parts[:end], index)

    def sort_key(layer: "Layer") -> list[int]:
        parts = tuple(_parts(layer.name))
        return [first_index[parts[:end]] for end in range(1, len(parts) + 1)]

    return sorted(layers, key=sort_key)


def level(name: str) -> int:
    """The depth of a layer in its network's tree: 1 for `conv1`, 2 for `block/conv` and for `layer1.conv`.

    >>> level("blocks[3]/mlp"), level("layer1.0.conv1")
    (2, 3)
    """
    return len(_parts(name))


def count_parameters(model: "Model", names: Sequence[str]) -> dict[str, int]:
    """The size of the weights of each layer and of the layers inside it, by the weights' names."""
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
