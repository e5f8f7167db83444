"""A layer as a linear function of a layer below it, with every ReLU between them open."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from featviz.model import Apply, Weights
from featviz.surveys.receptive_fields import grid_of
from featviz.tracing.evaluation import Replacement, cut, evaluate
from featviz.tracing.program import Program, Step, trace
from featviz.tracing.relu import find_relu

# Takes cotangents of the layer's units, (units,), back to the activation below, whose batch is one.
Pullback = Callable[[Float[Array, " units"]], Float[Array, "1 *positions upstream_units"]]


def linearize(
    apply: Apply, weights: Weights, image: Float[Array, "1 h w c"], upstream: str, layer: str
) -> tuple[Float[Array, " units"], Pullback]:
    """The units of `layer` at its middle position, and the vector-Jacobian product back to `upstream`.

    Gradients flow along every path between the two layers, and through ReLUs as if all were open, so they are those of
    the pre-activation. Maxima, normalizations and the like keep the values that they have on the image.

    Args:
      apply, weights: of the network.
      image: one image in [0,1].
      upstream: the layer below.
      layer: a layer that is computed from `upstream`.

    Returns:
      the values of the units, and the pullback.

    >>> import featviz as fv
    >>> model = fv.load("patterns")
    >>> image = jnp.full((1, 64, 64, 3), 0.5)
    >>> values, pullback = linearize(model.apply, model.weights, image, "conv2", "mixed3a")
    >>> values.shape, pullback(jnp.ones(48)).shape
    ((48,), (1, 16, 16, 32))
    """
    program, shapes = trace(lambda w, x: apply(w, x, layers=(upstream, layer)), weights, image)
    named = dict(zip(shapes, program.outputs, strict=True))
    args = jax.tree.leaves((weights, image))
    (below,) = evaluate(program, args, [named[upstream]])
    rest = cut(program, [named[upstream]])

    def above(value: Float[Array, "1 *positions upstream_units"]) -> Float[Array, " units"]:
        (activation,) = evaluate(rest, [*args, value], [named[layer]], rules=[open_relu])
        return activation.reshape(-1, activation.shape[-1])[middle_position(activation.shape[1:])]

    values, pullback = jax.vjp(above, below)
    return values, lambda cotangent: pullback(cotangent.astype(values.dtype))[0]


def middle_position(shape: tuple[int, ...]) -> int:
    """The flat index of the middle position of an activation (..., units); among tokens, that of the middle patch.

    >>> middle_position((5, 5, 8)), middle_position((10, 8)), middle_position((8,))
    (12, 5, 0)
    """
    grid = grid_of(shape)
    if len(shape) == 2:
        return grid.skipped + grid.rows // 2 * grid.columns + grid.columns // 2
    index = 0
    for side in shape[:-1]:
        index = index * side + side // 2
    return index


def open_relu(program: Program, step: Step) -> Replacement | None:
    """A gradient rule: ReLUs keep their values, and the whole gradient passes through them."""
    relu = find_relu(program, step)
    if relu is None:
        return None
    upper = jnp.inf if relu.upper is None else relu.upper
    return Replacement((relu.input,), lambda x: (_open(upper)(x),))


def _open(upper: float) -> Callable[[jax.Array], jax.Array]:
    @jax.custom_vjp
    def clip(x: jax.Array) -> jax.Array:
        return jnp.clip(x, 0, upper)

    clip.defvjp(lambda x: (clip(x), None), lambda _, gradient: (gradient,))
    return clip
