"""What attention heads read and write, unit by unit: the products of their weights (OV and QK)."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from featviz.circuits.linearization_point import linearization_image
from featviz.circuits.path_rules import DIRECT, THROUGH_VALUES, Paths
from featviz.circuits.weight_maps import check_order, checked_units, weight_chunks, weights_between
from featviz.model import Model


def ov_weights(
    model: Model, source: str, heads: str, target: str, *, units: Sequence[int], targets: Sequence[int] | None = None
) -> Float[np.ndarray, "targets source_units"]:
    """How much a head moves from each unit of a layer below it to units of a layer above: the product W_O W_V.

    The weights of one place as the head attends to it alone. Normalizations are their centering and gain.

    Args:
      model: the network.
      source: a layer below the attention, such as the neurons of an MLP or the residual stream.
      heads: the layer that holds the outputs of all heads, named `heads` in networks that featviz traces.
      target: a layer above it.
      units: the head's units of `heads`: `fv.head_units(model.layer(heads), index, heads=count)`.
      targets: units of `target`; by default all.

    Raises:
      FeatvizError: for an unknown layer or unit, or layers in another order.

    References:
      Elhage et al. 2021, A Mathematical Framework for Transformer Circuits.
    """
    written = weights_between(model, heads, target, units=targets, direct=True).maps.sum((1, 2))
    return written[:, checked_units(model, heads, units)] @ _summed(model, source, heads, units, THROUGH_VALUES)


def qk_weights(
    model: Model,
    source: str,
    *,
    queries: tuple[str, Sequence[int]],
    keys: tuple[str, Sequence[int]],
    key_source: str | None = None,
) -> Float[np.ndarray, "source_units key_units"]:
    """How much a head attends from each unit of a layer to each: W_Q^T W_K / sqrt(d), by queries and by keys.

    Args:
      model: the network.
      source: the layer whose units the queries read.
      queries, keys: the layer that holds the head's queries and its units there, and the same of its keys. Where a
        layer `qkv` of 3 c units holds all, a head of d units has `range(i * d, (i + 1) * d)` as queries and those plus
        c as keys.
      key_source: the layer whose units the keys read; by default the same.

    Raises:
      FeatvizError: for an unknown layer or unit, or layers in another order.
    """
    asked = _summed(model, source, *queries, DIRECT)
    offered = _summed(model, key_source or source, *keys, DIRECT)
    return asked.T @ offered / np.sqrt(len(queries[1]))


def _summed(
    model: Model, source: str, target: str, units: Sequence[int], paths: Paths
) -> Float[np.ndarray, "units source_units"]:
    """Weights over all places: attention's weights sum to 1, so that of one place remains."""
    check_order(model, source, target)
    chosen = checked_units(model, target, units)
    image = linearization_image(model, source, target)
    chunks = weight_chunks(model, (source,), target, image=image, units=chosen, paths=paths)
    return np.concatenate([part.maps.sum((1, 2)) + part.others.sum(1) for (part,) in chunks])
