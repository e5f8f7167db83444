"""One layer as a linear function of a layer below it: every ReLU between them let open."""

import math
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from featviz.common.compilation import compiled
from featviz.model import Model, Weights
from featviz.surveys.receptive_fields import grid_of
from featviz.tracing.evaluation import Replacement, cut, evaluate
from featviz.tracing.program import Program, Step, trace
from featviz.tracing.relu import find_relu

# Of each unit of the layer, (units,), back to the activation below, which has a batch of one.
Pull = Callable[[jax.Array], jax.Array]


def linearized(apply: Any, weights: Weights, image: jax.Array, upstream: str, layer: str) -> tuple[jax.Array, Pull]:
    """The units of a middle position of `layer`, (units,), and what pulls weights of them back to `upstream`.

    The network runs on the one image, (1, h, w, c) in [0,1]; gradients run through what comes after `upstream`, by
    every path, and through ReLUs as if all were open. So the gradients are those of the layer before its own ReLU,
    while maxima, norms and the like keep the values that they have on the image.

    >>> import featviz as fv
    >>> model = fv.load("patterns")
    >>> image = jnp.full((1, 64, 64, 3), 0.5)
    >>> made, pull = linearized(model.apply, model.weights, image, "conv2", "mixed3a")
    >>> made.shape, pull(jnp.ones(48)).shape
    ((48,), (1, 16, 16, 32))
    """
    program, shapes = trace(lambda w, x: apply(w, x, layers=(upstream, layer)), weights, image)
    named = dict(zip(shapes, program.outputs, strict=True))
    args = jax.tree.leaves((weights, image))
    (below,) = evaluate(program, args, [named[upstream]])
    rest = cut(program, [named[upstream]])

    def above(value: jax.Array) -> jax.Array:
        (made,) = evaluate(rest, [*args, value], [named[layer]], rules=[open_relu])
        return made.reshape(-1, made.shape[-1])[middle(made.shape[1:])]

    made, pull = jax.vjp(above, below)
    return made, lambda weighted: pull(weighted.astype(made.dtype))[0]


def middle(shape: tuple[int, ...]) -> int:
    """The number of a middle position of an activation, (..., units); of tokens, among those with a place.

    >>> middle((5, 5, 8)), middle((10, 8)), middle((8,))
    (12, 5, 0)
    """
    grid = grid_of(shape)
    if len(shape) == 2:
        return grid.skipped + grid.rows // 2 * grid.columns + grid.columns // 2
    number = 0
    for side in shape[:-1]:
        number = number * side + side // 2
    return number


def center(below: int, above: int) -> float:
    """Where a middle position of `above` positions lies among the `below` ones of an earlier map.

    >>> center(14, 14), center(28, 14)
    (7.0, 14.5)
    """
    return (above // 2 + 0.5) * below / above - 0.5


def reach_of(model: Model, upstream: str, layer: str) -> int:
    """How many positions from its own place a middle position of `layer` sees of `upstream`, maps at training size.

    What it does not see may hold nan and leave it a number: exact, whatever the values and the weights are. As far as
    the map goes for a layer that sees everything.

    >>> import featviz as fv
    >>> reach_of(fv.load("patterns"), "conv2", "mixed3a"), reach_of(fv.load("patterns"), "mixed3b", "mixed4a")
    (2, 5)
    """
    below, above = (model.layer(name).shape for name in (upstream, layer))
    image = np.zeros((1, *model.input.size, model.input.channels), np.float32)
    away = [np.abs(np.arange(below[axis]) - center(below[axis], above[axis])) for axis in (0, 1)]
    distance = np.maximum(away[0][:, None], away[1]).astype(np.float32)
    program = compiled(_sees(model.apply, upstream, layer), model.weights, image, distance > 0)
    least, most = 0, math.ceil(distance.max())
    while least < most:
        half = (least + most) // 2
        least, most = (half + 1, most) if program(model.weights, image, distance > half) else (least, half)
    return least


@lru_cache(maxsize=64)
def _sees(apply: Any, upstream: str, layer: str) -> Any:
    def sees(weights: Weights, image: jax.Array, outside: jax.Array) -> jax.Array:
        """Whether a middle position of `layer` sees any position of `upstream` that is `outside`, (h, w)."""
        program, shapes = trace(lambda w, x: apply(w, x, layers=(upstream, layer)), weights, image)
        named = dict(zip(shapes, program.outputs, strict=True))
        below = named[upstream]
        planted = jnp.where(outside[..., None], jnp.nan, 0.0).astype(below.aval.dtype)
        planted = jnp.broadcast_to(planted, below.aval.shape[1:])[None]
        args = [*jax.tree.leaves((weights, image)), planted]
        # A ReLU that is a select would take nan for closed.
        (made,) = evaluate(cut(program, [below]), args, [named[layer]], rules=[_without_relu])
        return jnp.any(jnp.isnan(made.reshape(-1, made.shape[-1])[middle(made.shape[1:])]))

    return jax.jit(sees)


def open_relu(program: Program, step: Step) -> Replacement | None:
    """A rule: ReLUs keep their values, and all gradient passes them."""
    relu = find_relu(program, step)
    if relu is None:
        return None
    upper = jnp.inf if relu.upper is None else relu.upper
    return Replacement((relu.input,), lambda x: (_open(upper)(x),))


def _without_relu(program: Program, step: Step) -> Replacement | None:
    relu = find_relu(program, step)
    return None if relu is None else Replacement((relu.input,), lambda x: (x,))


def _open(upper: float) -> Callable[[jax.Array], jax.Array]:
    @jax.custom_vjp
    def clip(x: jax.Array) -> jax.Array:
        return jnp.clip(x, 0, upper)

    clip.defvjp(lambda x: (clip(x), None), lambda _, gradient: (gradient,))
    return clip
