"""Which units a unit is wired to: its strongest inputs and outputs, and the units with weights like its own.

Not read from arrays of weights, which a block's reduction or an unknown architecture hides, but from the network as a
function: expanded weights (Voss et al. 2021, Visualizing Weights, doi 10.23915/distill.00024.007).
"""

from bisect import bisect_left
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from featviz.circuits.linearization import center, linearized, reach_of
from featviz.circuits.natural_noise import noise
from featviz.circuits.ranking import similar, strongest
from featviz.circuits.spreads import spread_of
from featviz.common.compilation import compiled
from featviz.errors import FeatvizError
from featviz.model import Model, Weights
from featviz.model.shapes import shapes_at

__all__ = ["connections", "neighbors_below", "similar", "spread_of", "strongest"]

# Units whose gradients are computed side by side.
CHUNK = 64
# Pictures are tried at these parts of the training size, smallest first.
PARTS = 16


def connections(
    model: Model, upstream: str, layer: str, spread: np.ndarray, *, size: tuple[int, int] | None = None
) -> np.ndarray:
    """How strongly each unit of a layer is tied to each of a layer below: float32, (units of layer, of upstream).

    strength[u, p] = sign(sum_x g[x, p]) ||g[:, p]||_2 spread[p], where g[x, p] is the derivative of u at a middle
    position, before its ReLU, with respect to p's activation at position x, all ReLUs between the layers let open.
    For a convolution that is the norm of a slice of its kernel; for more than one it is that of their product.

    Args:
      spread: the standard deviation of each unit of `upstream`, (units,), as `spread_of` tells.
      size: (height, width) in pixels of the noise at which all but ReLUs is linearized. By default the smallest at
        which all that a middle position sees of `upstream` is inside; at worst that of the training.

    Raises: FeatvizError for an unknown layer, one that does not come after `upstream`, or another shape of `spread`.

    >>> import featviz as fv
    >>> strength = connections(fv.load("patterns"), "conv2", "mixed3a", np.ones(32, np.float32))
    >>> strength.shape, strength.dtype
    ((48, 32), dtype('float32'))
    """
    units, below = model.layer(layer).units, model.layer(upstream).units
    if upstream not in _above(model, layer):
        raise FeatvizError(f"`layer` {layer} is not computed from `upstream` {upstream}; expected a later layer")
    spread = np.asarray(spread, np.float32)
    if spread.shape != (below,):
        raise FeatvizError(f"`spread` has shape {spread.shape}; expected ({below},), one number a unit of {upstream}")
    image = _point(model, size if size is not None else _enough(model, upstream, layer))
    numbers = np.minimum(np.arange(-(-units // CHUNK) * CHUNK, dtype=np.int32), units - 1).reshape(-1, CHUNK)
    program = compiled(_strengths(model.apply, upstream, layer), model.weights, image, numbers[0])
    found = np.empty((units, below), np.float32)
    # Filled piece by piece: such a matrix of two large layers may take a gigabyte, and there is one of it.
    for first, some in zip(range(0, units, CHUNK), numbers, strict=True):
        found[first : first + CHUNK] = np.asarray(program(model.weights, image, some))[: units - first] * spread
    return found


def neighbors_below(model: Model, layers: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """For each of the chosen layers the nearest chosen ones that it is computed from, in forward order.

    Nearest on some path: what skips a chosen layer counts as well.

    >>> import featviz as fv
    >>> neighbors_below(fv.load("patterns"), ["conv2", "mixed3a", "mixed3b"])
    {'conv2': (), 'mixed3a': ('conv2',), 'mixed3b': ('mixed3a',)}

    Raises: FeatvizError for an unknown layer.
    """
    chosen = {model.layer(name).name for name in layers}
    order = {layer.name: number for number, layer in enumerate(model.layers)}
    return {name: tuple(sorted(_above(model, name, stops=chosen) & chosen, key=order.__getitem__)) for name in layers}


def _above(model: Model, layer: str, *, stops: set[str] | None = None) -> set[str]:
    """The layers that a layer is computed from, none of those before a layer of `stops`."""
    parents = {each.name: each.parents for each in model.layers}
    found: set[str] = set()
    waiting = list(parents[layer])
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting.extend(() if stops and name in stops else parents[name])
    return found


def _point(model: Model, size: tuple[int, int]) -> np.ndarray:
    return noise(np.random.default_rng(0), 1, size, channels=model.input.channels)


@lru_cache(maxsize=64)
def _strengths(apply: Any, upstream: str, layer: str) -> Any:
    def strengths(weights: Weights, image: jax.Array, units: jax.Array) -> jax.Array:
        """Signed norms, (units asked for, units of upstream)."""
        made, pull = linearized(apply, weights, image, upstream, layer)

        def of(unit: jax.Array) -> jax.Array:
            gradient = pull(jnp.arange(made.shape[0], dtype=units.dtype) == unit).astype(jnp.float32)
            gradient = gradient.reshape(-1, gradient.shape[-1])
            norm = jnp.sqrt(jnp.sum(jnp.square(gradient), axis=0))
            # A kernel whose sum is 0 is as strong as any: its sign is +.
            return jnp.where(jnp.sum(gradient, axis=0) < 0, -norm, norm)

        return jax.vmap(of)(units)

    return jax.jit(strengths)


def _enough(model: Model, upstream: str, layer: str) -> tuple[int, int]:
    """The smallest of some picture sizes at which what a middle position of `layer` sees of `upstream` is inside."""
    full = model.input.size
    below, above = (model.layer(name).shape for name in (upstream, layer))
    if len(below) != 3 or len(above) != 3:
        return full
    reach = reach_of(model, upstream, layer)

    def fits(part: int) -> bool:
        try:
            made = shapes_at(model, (upstream, layer), _part(full, part))
        # A network may refuse a size in any way it likes.
        except Exception:
            return False
        return all(_inside(reach, made[upstream][axis], made[layer][axis]) for axis in (0, 1))

    return _part(full, bisect_left(range(1, PARTS), True, key=fits) + 1)


def _part(size: tuple[int, int], part: int) -> tuple[int, int]:
    return size[0] * part // PARTS, size[1] * part // PARTS


def _inside(reach: int, below: int, above: int) -> bool:
    """Whether that fits into a map, and a position more, since padding moves what is seen a little."""
    if not above:
        return False
    at = center(below, above)
    return at - reach - 1 >= 0 and at + reach + 1 <= below - 1
