"""Expanded weights: how strongly a unit depends on each unit of a layer below.

They are not read from arrays of weights, which a block's reduction or an unknown architecture hides, but computed from
the network as a function (Voss et al. 2021, Visualizing Weights, doi 10.23915/distill.00024.007).
"""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from featviz.circuits.linearization import linearize
from featviz.circuits.linearization_point import linearization_image
from featviz.common.compilation import compiled
from featviz.common.kept import kept_with_owner
from featviz.errors import FeatvizError
from featviz.model import Apply, Model, Weights

# Units whose gradients are computed side by side.
CHUNK = 64


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
    the middle position with respect to p's activation at position x, with all ReLUs between the layers open. For a
    single convolution this is the norm of a slice of its kernel, for several the norm of their product.

    Args:
      model: the network.
      upstream: the layer below.
      layer: a layer that is computed from `upstream`.
      upstream_std: the standard deviation of each unit of `upstream` (`unit_std`).
      size: (height, width) in pixels of the noise image at which everything but the ReLUs is linearized. By default the
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
    units, upstream_units = model.layer(layer).units, model.layer(upstream).units
    if upstream not in _ancestors(model, layer):
        raise FeatvizError(f"`layer` {layer} is not computed from `upstream` {upstream}; expected a later layer")
    upstream_std = np.asarray(upstream_std, np.float32)
    if upstream_std.shape != (upstream_units,):
        raise FeatvizError(
            f"`upstream_std` has shape {upstream_std.shape}; expected ({upstream_units},), one value per unit of "
            f"{upstream}"
        )
    image = linearization_image(model, upstream, layer, size=size)
    chunks = np.minimum(np.arange(-(-units // CHUNK) * CHUNK, dtype=np.int32), units - 1).reshape(-1, CHUNK)
    program = compiled(_strengths(model.apply, upstream, layer), model.weights, image, chunks[0])
    strengths = np.empty((units, upstream_units), np.float32)
    # Filled chunk by chunk: the matrix of two large layers may take a gigabyte, so there is only one of it.
    for first, chunk in zip(range(0, units, CHUNK), chunks, strict=True):
        rows = np.asarray(program(model.weights, image, chunk))[: units - first]
        strengths[first : first + CHUNK] = rows * upstream_std
    return strengths


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
        name: tuple(sorted(_ancestors(model, name, stops=chosen) & chosen, key=order.__getitem__)) for name in layers
    }


def _ancestors(model: Model, layer: str, *, stops: set[str] | None = None) -> set[str]:
    """The layers that a layer is computed from; the search does not go past the layers in `stops`."""
    parents = {layer.name: layer.parents for layer in model.layers}
    ancestors: set[str] = set()
    waiting = list(parents[layer])
    while waiting:
        name = waiting.pop()
        if name not in ancestors:
            ancestors.add(name)
            waiting.extend(() if stops and name in stops else parents[name])
    return ancestors


@kept_with_owner(maxsize=64)
def _strengths(apply: Apply, upstream: str, layer: str) -> jax.stages.Wrapped:
    def strengths(
        weights: Weights, image: Float[Array, "1 h w c"], units: Int[Array, " chunk"]
    ) -> Float[Array, "chunk upstream_units"]:
        """Signed norms of the gradients of the given units."""
        values, pullback = linearize(apply, weights, image, upstream, layer)

        def strength(unit: Int[Array, ""]) -> Float[Array, " upstream_units"]:
            gradient = pullback(jnp.arange(values.shape[0], dtype=units.dtype) == unit).astype(jnp.float32)
            gradient = gradient.reshape(-1, gradient.shape[-1])
            norm = jnp.sqrt(jnp.sum(jnp.square(gradient), axis=0))
            # A kernel whose sum is 0 is as strong as any other: its sign is +.
            return jnp.where(jnp.sum(gradient, axis=0) < 0, -norm, norm)

        return jax.vmap(strength)(units)

    return jax.jit(strengths)
