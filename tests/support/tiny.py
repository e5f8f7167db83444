"""Networks small enough to compile in a second, whose every number a test can compute by itself."""

import functools

import flax.linen as nn
import jax
import jax.numpy as jnp

from featviz.adapters.linen import from_linen
from featviz.model import InputSpec, Model

# Options of a render that takes no time.
SMALL = {"size": 16, "steps": 4, "progress": False}


class Tiny(nn.Module):
    """Two convolutions and a classifier that takes any picture size."""

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        x = nn.relu(nn.Conv(80, (3, 3), strides=2, name="conv1")(x))
        x = nn.relu(nn.Conv(8, (3, 3), name="conv2")(x))
        return nn.Dense(80, name="fc")(jnp.mean(x, axis=(1, 2)))


class Fixed(nn.Module):
    """A classifier of one picture size only."""

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        return nn.Dense(4, name="fc")(x.reshape(x.shape[0], -1))


class Valid(nn.Module):
    """A convolution that leaves nothing of pictures below 12 pixels."""

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        return nn.Conv(4, (12, 12), padding="VALID", name="conv")(x)


class Gauges(nn.Module):
    """Units that are simple functions of the picture's mean m, for what a real network does only rarely.

    0: m - .5. 1: the same, up to .01. 2: the same, nan above .02. 3: no function of the picture at all.
    4: a ReLU that opens at .51, just above noise. 5: a ReLU that opens at 5, which no picture reaches.
    6: the fourth by way of a weight.
    """

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        shift = self.param("shift", nn.initializers.constant(0.5), (1, 1))
        m = jnp.mean(x, axis=(1, 2, 3))[:, None] - shift
        units = [m, jnp.minimum(m, 0.01), jnp.where(m > 0.02, jnp.nan, m), jnp.ones_like(m)]
        return jnp.concatenate([*units, nn.relu(m - 0.01), nn.relu(m - 4.5), shift * nn.relu(m - 0.01)], axis=-1)


@functools.cache
def build(module: nn.Module | None = None, *, size: int = 16, channels: int = 3, seed: int = 0) -> Model:
    """A Model of the module, Tiny by default, with random weights: one for all tests, which share its programs."""
    return build_anew(module, size=size, channels=channels, seed=seed)


def build_anew(module: nn.Module | None = None, *, size: int = 16, channels: int = 3, seed: int = 0) -> Model:
    """Another Model of the same module and weights."""
    module = module or Tiny()
    variables = jax.jit(module.init)(jax.random.key(seed), jnp.zeros((1, size, size, channels)))
    return from_linen(module, variables, input=InputSpec(size=(size, size), channels=channels), name="tiny")
