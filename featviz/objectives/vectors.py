"""Products and angles of activations with a vector."""

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from featviz.errors import FeatvizError
from featviz.objectives.base import Values

# The smallest cosine, so that a picture that starts out opposed to its direction still moves (lucid, Olah et al. 2018).
MIN_COSINE = 0.1


def dot_product(h: Float[Array, "*positions c"], vector: Float[Values, " c"]) -> Float[Array, "*positions"]:
    """dot(h, v) at each position."""
    # A sum of products, not a matrix product: its rounding does not depend on the number of lanes.
    v = jnp.asarray(vector, h.dtype)
    return jnp.sum(h * jnp.expand_dims(v, tuple(range(h.ndim - 1))), axis=-1)


def norm_product(h: Float[Array, "*positions c"], vector: Float[Values, " c"]) -> Float[Array, "*positions"]:
    """|h| |v| at each position."""
    # The gradient of the square root is infinite at 0.
    return jnp.sqrt(jnp.sum(jnp.square(h), axis=-1) + 1e-12) * jnp.sqrt(jnp.sum(jnp.square(jnp.asarray(vector))))


def scale_by_cosine(dot: Array, norms: Array, power: float) -> Array:
    """dot * max(.1, dot / norms)^power.

    >>> round(float(scale_by_cosine(jnp.float32(3.0), jnp.float32(6.0), 2.0)), 3)
    0.75
    """
    return dot * jnp.maximum(dot / (norms + 1e-6), MIN_COSINE) ** power if power else dot


def check_vector(layer: str, vector: Values, shape: tuple[int, ...]) -> None:
    """Raises FeatvizError unless the vector has one number for each unit of the layer."""
    found = np.shape(vector)
    if found != (shape[-1],):
        raise FeatvizError(f"`vector` has shape {found}; {layer} has {shape[-1]} units, expected ({shape[-1]},)")


def write_power(power: float) -> str:
    """How labels write the power of the cosine.

    >>> write_power(2.0), write_power(0.0)
    ('^2', '')
    """
    return f"^{power:g}" if power else ""
