"""ConvNeXt (Liu et al. 2022), with the names of torchvision's layers and weights."""

from collections.abc import Sequence

import flax.linen as nn
import jax
import jax.numpy as jnp

from featviz.zoo.architectures.attention import Gelu

# Of all norms.
EPSILON = 1e-6


class Steps(nn.Module):
    """Depthwise 7x7 convolution, norm, and an MLP at each position, `4` its neurons: (n, h, w, c) -> the same."""

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        width = x.shape[-1]
        x = nn.Conv(width, (7, 7), padding=[(3, 3)] * 2, feature_group_count=width, name="0")(x)
        x = nn.LayerNorm(EPSILON, name="2")(x)
        x = Gelu(name="4")(nn.Dense(4 * width, name="3")(x))
        return nn.Dense(width, name="5")(x)


class Block(nn.Module):
    """The steps, scaled by channel, with a residual connection: (n, h, w, c) -> the same."""

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        scale = self.param("layer_scale", nn.initializers.constant(1e-6), (x.shape[-1],))
        return x + scale.reshape(1, 1, 1, -1) * Steps(name="block")(x)


class Stage(nn.Module):
    """`depth` blocks in sequence, named by their indices."""

    depth: int

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        for index in range(self.depth):
            x = Block(name=str(index))(x)
        return x


class Stem(nn.Module):
    """Patches of 4 x 4 and a norm: (n, h, w, c) -> (n, h/4, w/4, width)."""

    width: int

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        x = nn.Conv(self.width, (4, 4), strides=(4, 4), padding="VALID", name="0")(x)
        return nn.LayerNorm(EPSILON, name="1")(x)


class Downsample(nn.Module):
    """A norm and patches of 2 x 2: (n, h, w, c) -> (n, h/2, w/2, width)."""

    width: int

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        x = nn.LayerNorm(EPSILON, name="0")(x)
        return nn.Conv(self.width, (2, 2), strides=(2, 2), padding="VALID", name="1")(x)


class Features(nn.Module):
    """Stem and stages, with a downsampling between two stages, named by their indices in one sequence."""

    depths: Sequence[int]
    width: int

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        x = Stem(self.width, name="0")(x)
        for number, depth in enumerate(self.depths):
            if number:
                x = Downsample(self.width * 2**number, name=str(2 * number))(x)
            x = Stage(depth, name=str(2 * number + 1))(x)
        return x


class Classifier(nn.Module):
    """(n, c) -> (n, classes)."""

    classes: int

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        return nn.Dense(self.classes, name="2")(nn.LayerNorm(EPSILON, name="0")(x))


class ConvNeXt(nn.Module):
    """Logits of images of any size from 32 px up: (n, h, w, 3) -> (n, classes)."""

    depths: Sequence[int]
    width: int
    classes: int = 1000

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        x = Features(self.depths, self.width, name="features")(x)
        return Classifier(self.classes, name="classifier")(jnp.mean(x, axis=(1, 2)))
