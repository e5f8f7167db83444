"""Layers by name or pattern, such as `inception_4*`, the blocks of a network, and the layers below one."""

from collections.abc import Sequence
from fnmatch import fnmatchcase

import numpy as np

from featviz.errors import FeatvizError, suggest
from featviz.model.model import Layer, Model

# The blocks of a network are at least this many layers, if it has as many.
MIN_BLOCKS = 5
# Layers below one that stand for all, spread over its path.
MAX_BELOW = 6


def block_layers(model: Model, *, latents: bool = True) -> list[Layer]:
    """The blocks of a network: its layers with the shortest paths, as deep as needed for five of them.

    Args:
      model: the network.
      latents: whether those of a network with dictionaries are the layers of their latents, since whoever adds them
        asks about them; else they are the network's own.

    >>> import featviz as fv
    >>> [layer.name for layer in block_layers(fv.load("patterns"))][:3]
    ['conv1', 'conv2', 'mixed3a']
    """
    layers = [layer for layer in model.layers if len(layer.shape) <= 3]
    added = [layer for layer in layers if layer.latents]
    if added and latents:
        return added
    layers = [layer for layer in layers if not layer.latents]
    for depth in range(max((layer.name.count("/") for layer in layers), default=0)):
        blocks = [layer for layer in layers if layer.name.count("/") <= depth]
        if len(blocks) >= MIN_BLOCKS:
            return blocks
    return layers


def layers_below(model: Model, layer: str, *, count: int = MAX_BELOW) -> tuple[str, ...]:
    """The layers that a layer is computed from, in forward order; at most `count`, blocks if two or more.

    Args:
      model: the network.
      layer: the name of the layer.
      count: how many of them, spread over the path to the layer, 2 or more.

    >>> import featviz as fv
    >>> layers_below(fv.load("patterns"), "mixed3b")
    ('conv1', 'conv2', 'mixed3a')
    """
    parents = {candidate.name: candidate.parents for candidate in model.layers}
    ancestors, waiting = set(), [layer]
    while waiting:
        for name in parents.get(waiting.pop(), ()):
            if name in parents and name not in ancestors:
                ancestors.add(name)
                waiting.append(name)
    below = [
        candidate.name for candidate in model.layers if candidate.name in ancestors and len(candidate.shape) in (2, 3)
    ]
    blocks = [name for name in below if "/" not in name]
    chosen = blocks if len(blocks) >= 2 else below
    if len(chosen) > count:
        chosen = [chosen[round(index)] for index in np.linspace(0, len(chosen) - 1, count)]
    return tuple(chosen)


def choose_layers(
    model: Model, patterns: Sequence[str] | None, *, among: Sequence[str] | None = None, option: str = "layers"
) -> tuple[str, ...]:
    """The layers that match any of the patterns, in forward order.

    Args:
      model: the network.
      patterns: names or patterns of layers; None for the network's blocks (`block_layers`).
      among: the names to choose from; all layers with at most two axes of positions by default.
      option: the name of the option in error messages.

    Raises:
      FeatvizError: if a pattern matches no layer; the message names the nearest one.

    >>> import featviz as fv
    >>> choose_layers(fv.load("patterns"), ["mixed3*"])
    ('mixed3a', 'mixed3b')
    """
    if patterns is None:
        return tuple(layer.name for layer in block_layers(model))
    if isinstance(patterns, str) or not patterns:
        raise FeatvizError(f"`{option}` is {patterns!r}; expected a list of names or patterns")
    names = [layer.name for layer in model.layers if len(layer.shape) <= 3] if among is None else list(among)
    for pattern in patterns:
        if not match_layers(names, [pattern]):
            raise FeatvizError(f"`{option}`: no layer of {model.name} matches `{pattern}`; {suggest(pattern, names)}")
    return tuple(match_layers(names, patterns))


def match_layers(names: Sequence[str], patterns: Sequence[str]) -> list[str]:
    """The names that match any of the patterns, in the order of `names`.

    A `*` matches within one part of a path: `conv*` does not match `conv1/3x3`, `conv1/*` does. Brackets are literal.

    >>> match_layers(["conv1", "conv1/3x3", "conv2"], ["conv*"]), match_layers(["blocks[3]/mlp"], ["blocks[3]/*"])
    (['conv1', 'conv2'], ['blocks[3]/mlp'])
    """
    return [name for name in names if any(_matches(name, pattern) for pattern in patterns)]


def _matches(name: str, pattern: str) -> bool:
    parts, patterns = name.split("/"), pattern.replace("[", "[[]").split("/")
    return len(parts) == len(patterns) and all(map(fnmatchcase, parts, patterns))
