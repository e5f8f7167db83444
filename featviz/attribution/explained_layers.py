"""The layers by which a decision is explained unless they are named: a few of the network's blocks."""

import math
from collections.abc import Sequence

import numpy as np

from featviz.errors import FeatvizError
from featviz.model import BEFORE_RELU, OUTPUT, Layer, Model
from featviz.model.layer_patterns import MIN_BLOCKS, block_layers
from featviz.objectives import Objective
from featviz.rendering.checks import require_objective

# Of the network's blocks, how many a page shows unless it is told.
LAYERS = 4
# How the first of several arrays that a module returns is named, behind the module.
FIRST = "/0"
# The share of a network's layers that lie between its first and its last block.
SPAN = 0.6


def explained_layers(
    model: Model, layers: Sequence[str] | None, *, objective: Objective | None = None
) -> tuple[str, ...]:
    """The layers of a page: those named, else four of the network's blocks with positions, evenly spaced.

    With an objective within the network, the blocks are those before its last layer.

    Raises:
      FeatvizError: for an unknown layer, or what is not an objective.

    >>> import featviz as fv
    >>> len(explained_layers(fv.load("patterns"), None))
    4
    """
    if layers is not None:
        if isinstance(layers, str) or not layers:
            raise FeatvizError(f"`layers` is {layers!r}; expected a list of names, such as ['{model.layers[0].name}']")
        return tuple(dict.fromkeys(model.layer(name).name for name in layers))
    # The output itself, and what has one position, says nothing of places.
    blocks = [layer.name for layer in _outermost(_placed(model))] or [model.layers[0].name]
    read = () if objective is None else require_objective("objective", objective).layers
    order = {layer.name: index for index, layer in enumerate(model.layers)}
    ends = [order[name.removesuffix(BEFORE_RELU)] for name in read if name.removesuffix(BEFORE_RELU) in order]
    if ends and OUTPUT not in read:
        blocks = [block for block in blocks if order[block] < max(ends)] or [model.layers[0].name]
    # The first ones see edges, on which no decision depends.
    chosen = np.linspace(len(blocks) / 4, len(blocks) - 1, LAYERS).round().astype(int)
    return tuple(dict.fromkeys(blocks[index] for index in chosen))


def _placed(model: Model) -> list[Layer]:
    """The layers with positions among which the blocks are looked for, in forward order.

    A numbered module of PyTorch that returns several arrays counts by the first, `encoder.layers.0/0`.
    """
    found = {layer.name: layer for layer in block_layers(model)}
    if not any(layer.latents for layer in found.values()):
        firsts = [layer for layer in model.layers if _number(layer.name) and layer.name.endswith(FIRST)]
        found |= {layer.name: layer for layer in firsts if len(layer.shape) <= 3}
    return [layer for layer in model.layers if layer.name in found and math.prod(layer.shape[:-1]) > 1]


def _number(name: str) -> str:
    """The number that a module's name ends in, "" where there is none."""
    last = name.removesuffix(FIRST).rpartition(".")[2]
    return last if last.isdecimal() else ""


def _outermost(layers: Sequence[Layer]) -> Sequence[Layer]:
    """A network's blocks among layers whose names are PyTorch's paths of modules, which have dots.

    They are numbered, `encoder.stages.0` to `encoder.stages.3`, and span most of it; else they are the layers
    with the fewest dots, as deep as needed for five.
    """
    numbered: dict[str, list[int]] = {}
    for index, layer in enumerate(layers):
        if _number(layer.name):
            numbered.setdefault(layer.name.removesuffix(FIRST).rpartition(".")[0], []).append(index)
    for indices in sorted(numbered.values(), key=lambda each: layers[each[0]].name.count(".")):
        if len(indices) >= LAYERS and indices[-1] - indices[0] >= len(layers) * SPAN:
            return [layers[index] for index in indices]
    for depth in range(max((layer.name.count(".") for layer in layers), default=0)):
        chosen = [layer for layer in layers if layer.name.count(".") <= depth and not layer.name.endswith(FIRST)]
        if len(chosen) >= MIN_BLOCKS:
            return chosen
    return layers
