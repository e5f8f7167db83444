"""Where and in which units a unit's activation comes from: activations of layers below it, and their relevance."""

from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from featviz.common.kept import kept_with_owner
from featviz.model import Apply, Weights
from featviz.objectives.positions import position_rows
from featviz.tracing.evaluation import cut, evaluate
from featviz.tracing.program import trace

# Layer -> activations and relevance, each (n, positions, units).
Relevant = dict[str, tuple[Float[Array, "n positions units"], Float[Array, "n positions units"]]]


@kept_with_owner(maxsize=8)
def relevance_program(apply: Apply, layers: Sequence[str], layer: str) -> Callable[..., Relevant]:
    """A program of (weights, images, unit): the activations of layers, and what they contribute to a unit.

    The relevance of an activation h is max(0, h dA/dh), A the unit's largest activation on the image: of a network of
    ReLUs without biases that is layer-wise relevance propagation with its simplest rule (Bach et al. 2015, LRP-0).

    Args:
      apply: of the network.
      layers: the names of layers that `layer` is computed from, or `layer` itself.
      layer: the unit's.
    """

    def relevance(weights: Weights, images: jax.Array, unit: jax.Array) -> Relevant:
        named = tuple(dict.fromkeys((*layers, layer)))
        images = images.astype(jnp.float32) / jnp.float32(255)
        program, shapes = trace(lambda w, x: apply(w, x, layers=named), weights, images)
        values = dict(zip(shapes, program.outputs, strict=True))
        args = jax.tree.leaves((weights, images))
        found: Relevant = {}
        for name in layers:
            (h,) = evaluate(program, args, [values[name]])
            rest = cut(program, [values[name]])

            def response(h: jax.Array, rest: object = rest) -> jax.Array:
                (top,) = evaluate(rest, [*args, h], [values[layer]])  # type: ignore[arg-type]
                own = jnp.take(position_rows(top), unit, axis=-1)
                return jnp.sum(jnp.max(own, axis=1))

            gradient = jax.grad(response)(h)
            found[name] = position_rows(h), jnp.maximum(position_rows(h * gradient), 0.0)
        return found

    return jax.jit(relevance)
