"""The two operations in which Caffe's networks differ from others."""

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import lax


def ceil_max_pool(x: jax.Array, *, window: int = 3, stride: int = 2) -> jax.Array:
    """Max pooling whose last window may reach over the edge: (n, h, w, c) -> (n, h', w', c).

    h' = ceil((h - window) / stride) + 1, with -inf beyond the bottom and the right, which is how
    Caffe rounds (pooling_layer.cpp); other frameworks round down.

    >>> ceil_max_pool(jnp.zeros((1, 112, 112, 1))).shape
    (1, 56, 56, 1)
    """
    overhang = [(window - size) % stride if size > window else window - size for size in x.shape[1:3]]
    padding = [(0, pad) for pad in overhang]
    return nn.max_pool(x, (window, window), strides=(stride, stride), padding=padding)


def local_response_norm(
    x: jax.Array, *, size: int = 5, alpha: float = 1e-4, beta: float = 0.75, bias: float = 1.0
) -> jax.Array:
    """Divides each channel by its neighbors' power: x / (bias + alpha/size * sum x^2)^beta.

    The sum runs over `size` channels centered on the one normalized (Krizhevsky et al. 2012, with
    Caffe's division of alpha by size). Any shape; channels last.
    """
    half = size // 2
    window = (1,) * (x.ndim - 1) + (size,)
    padding = [(0, 0)] * (x.ndim - 1) + [(half, half)]
    power = lax.reduce_window(jnp.square(x), 0.0, lax.add, window, (1,) * x.ndim, padding)
    return x * (bias + (alpha / size) * power) ** -beta
