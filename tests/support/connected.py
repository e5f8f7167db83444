"""Small networks whose expanded weights can be computed by hand."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np


class Bottleneck(nn.Module):
    """A convolution and a block that reduces by 1x1 before its 3x3, beside a pooled branch."""

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        x = nn.relu(nn.Conv(6, (3, 3), name="below")(x))
        pooled = nn.max_pool(x, (3, 3), strides=(1, 1), padding="SAME")
        y = nn.relu(nn.Conv(4, (1, 1), name="reduce")(x))
        y = nn.relu(nn.Conv(5, (3, 3), name="conv")(y))
        return nn.Dense(7, name="fc")(
            jnp.mean(Joined(name="block")(y, nn.relu(nn.Conv(3, (1, 1), name="pool")(pooled))), (1, 2))
        )


class Joined(nn.Module):
    @nn.compact
    def __call__(self, *branches: jax.Array) -> jax.Array:
        return jnp.concatenate(branches, -1)


class Skipping(nn.Module):
    """A residual block after another, normalized over channels, its ReLU a plain select."""

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        x = nn.Conv(4, (1, 1), name="first")(x)
        y = nn.Conv(4, (3, 3), name="second")(nn.LayerNorm()(x))
        y = jnp.where(y > 0, y, 0.0)
        return nn.Conv(4, (1, 1), name="third")(x + y)


class Strided(nn.Module):
    """Two convolutions that do not pad, strided."""

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        x = nn.relu(nn.Conv(4, (3, 3), padding="VALID", name="below")(x))
        return nn.relu6(nn.Conv(4, (3, 3), strides=2, padding="VALID", name="above")(x))


def kernel(model, name):
    return np.asarray(model.weights["params"][name]["kernel"], np.float64)


def signed(kernels):
    """Kernels (h, w, p, u) as strengths (u, p)."""
    return (np.sqrt(np.square(kernels).sum((0, 1))) * np.where(kernels.sum((0, 1)) < 0, -1, 1)).T
