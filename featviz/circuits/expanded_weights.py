"""Expanded weights: how strongly a unit depends on each unit of a layer below.

They are not read from arrays of weights, which a block's reduction or an unknown architecture hides, but computed from
the network as a function (Voss et al. 2021, Visualizing Weights, doi 10.23915/distill.00024.007).
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Float16

from featviz.circuits.gathered_maps import GatheredMaps
from featviz.circuits.linearization_point import linearization_image
from featviz.circuits.weight_maps import ancestors, trimmed, weight_chunks, window
from featviz.errors import FeatvizError
from featviz.model import Model


def expanded_weights(
    model: Model,
    upstream: str,
    layer: str,
    upstream_std: Float[np.ndarray, " upstream_units"],
    *,
    size: tuple[int, int] | None = None,
) -> Float[np.ndarray, "units upstream_units"]:
    """The signed strength with which each unit of a layer depends on each unit of a layer below.

    strength[u, p] = sign(sum_x g[x, p]) ||g[:, p]||_2 std[p], where g[x, p] is the derivative of u's pre-activation at
    the middle position with respect to p's activation at position x, with all ReLUs between the layers open and max
    pooling as average pooling (`weights_between`). For a single convolution this is the norm of a slice of its kernel,
    for several the norm of their product.

    Args:
      model: the network.
      upstream: the layer below.
      layer: a layer that is computed from `upstream`.
      upstream_std: the standard deviation of each unit of `upstream` (`unit_std`).
      size: (height, width) in pixels of the noise image at which what is not linear is linearized. By default the
        smallest size at which the receptive field of the middle position lies inside `upstream`, at most the training
        size.

    Returns:
      float32 strengths, one row per unit of `layer`.

    Raises:
      FeatvizError: for an unknown layer, a layer that is not computed from `upstream`, or a wrong shape of
        `upstream_std`.

    >>> import featviz as fv
    >>> strength = expanded_weights(fv.load("patterns"), "conv2", "mixed3a", np.ones(32, np.float32))
    >>> strength.shape, strength.dtype
    ((48, 32), dtype('float32'))
    """
    upstream_units = model.layer(upstream).units
    if upstream not in ancestors(model, layer):
        raise FeatvizError(f"`layer` {layer} is not computed from `upstream` {upstream}; expected a later layer")
    upstream_std = np.asarray(upstream_std, np.float32)
    if upstream_std.shape != (upstream_units,):
        raise FeatvizError(
            f"`upstream_std` has shape {upstream_std.shape}; expected ({upstream_units},), one value per unit of "
            f"{upstream}"
        )
    (found,) = expand(model, (upstream,), layer, (upstream_std,), size=size, with_maps=False)
    return found.strengths


class Expanded(NamedTuple):
    """The weights of a layer from one layer below.

    Attributes:
      strengths: as of `expanded_weights`.
      maps: float16 maps times the standard deviation of the unit below, each unit's relative to `scales`; None where
        they are not kept.
      scales: the largest size in each unit's maps.
    """

    strengths: Float[np.ndarray, "units source_units"]
    maps: Float16[np.ndarray, "units rows columns source_units"] | None
    scales: Float[np.ndarray, " units"]


def expand(
    model: Model,
    sources: tuple[str, ...],
    layer: str,
    source_std: Sequence[Float[np.ndarray, " source_units"]],
    *,
    size: tuple[int, int] | None = None,
    with_maps: bool = True,
) -> tuple[Expanded, ...]:
    """The weights of a layer from each of several layers below, the others held.

    Args:
      model: the network.
      sources: the layers below, from which `layer` is computed.
      layer: the layer above.
      source_std: the standard deviations of each source's units.
      size: that of the image at which what is not linear is linearized.
      with_maps: whether maps are kept, up to 256 MB for each source.
    """
    images = [linearization_image(model, source, layer, size=size) for source in sources]
    image = max(images, key=lambda each: each.shape[1] * each.shape[2])
    units = np.arange(model.layer(layer).units, dtype=np.int32)
    counts = [model.layer(source).units for source in sources]
    strengths = [np.empty((len(units), count), np.float32) for count in counts]
    # At places, and of tokens without a place: which of them are the layer's maps is known once all units are there.
    gathered = [[GatheredMaps(len(units), kept=with_maps) for _ in range(2)] for _ in sources]
    windows: list[tuple[slice, slice]] = []
    first = 0
    # Filled chunk by chunk: the matrix of two large layers may take a gigabyte, so there is only one of it.
    for chunks in weight_chunks(model, sources, layer, image=image, units=units):
        windows = windows or [
            window(model, source, layer, chunk.maps.shape[1:3]) for source, chunk in zip(sources, chunks, strict=True)
        ]
        for index, chunk in enumerate(chunks):
            rows = slice(first, first + len(chunk.maps))
            strengths[index][rows] = chunk.strengths() * source_std[index]
            for kind, maps in zip(gathered[index], (chunk.maps[:, *windows[index]], chunk.tokens), strict=True):
                kind.add(maps * source_std[index])
        first += len(chunks[0].maps)
    chosen = [tokens if tokens.present and not places.present else places for places, tokens in gathered]
    found = []
    for strength, each in zip(strengths, chosen, strict=True):
        joined = each.joined()
        found.append(Expanded(strength, None if joined is None else trimmed(joined), each.scales))
    return tuple(found)


def nearest_layers_below(model: Model, layers: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """For each chosen layer, the nearest chosen layers that it is computed from, in forward order.

    Nearest along any path: a layer reached by a skip connection counts as well.

    Raises:
      FeatvizError: for an unknown layer.

    >>> import featviz as fv
    >>> nearest_layers_below(fv.load("patterns"), ["conv2", "mixed3a", "mixed3b"])
    {'conv2': (), 'mixed3a': ('conv2',), 'mixed3b': ('mixed3a',)}
    """
    chosen = {model.layer(name).name for name in layers}
    order = {layer.name: index for index, layer in enumerate(model.layers)}
    return {
        name: tuple(sorted(ancestors(model, name, stops=chosen) & chosen, key=order.__getitem__)) for name in layers
    }
