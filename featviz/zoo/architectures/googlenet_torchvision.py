"""GoogLeNet with batch norm and torchvision's names; the weights are TensorFlow's.

BVLC's GoogLeNet, the network of the original DeepDream, is in `googlenet.py`, Google's in `inceptionv1.py`.
"""

from collections.abc import Sequence
from types import MappingProxyType

import flax.linen as nn
import jax
import jax.numpy as jnp

from featviz.zoo.architectures.caffe_layers import ceil_max_pool
from featviz.zoo.architectures.common_layers import ConvNorm, max_pool

# Channels of each block: 1x1, 3x3 reduce, 3x3, 5x5 reduce, 5x5, pool projection (Szegedy et al. 2014, Table 1).
BLOCKS = (
    ("inception3a", (64, 96, 128, 16, 32, 32)),
    ("inception3b", (128, 128, 192, 32, 96, 64)),
    ("inception4a", (192, 96, 208, 16, 48, 64)),
    ("inception4b", (160, 112, 224, 24, 64, 64)),
    ("inception4c", (128, 128, 256, 24, 64, 64)),
    ("inception4d", (112, 144, 288, 32, 64, 64)),
    ("inception4e", (256, 160, 320, 32, 128, 128)),
    ("inception5a", (256, 160, 320, 32, 128, 128)),
    ("inception5b", (384, 192, 384, 48, 128, 128)),
)
# Windows of the poolings between blocks.
POOL_BEFORE = MappingProxyType({"inception4a": 3, "inception5a": 2})


class Reduced(nn.Module):
    """A 1x1 convolution before a 3x3 one: (n, h, w, c) -> (n, h, w, width)."""

    reduce: int
    width: int

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        return ConvNorm(self.width, (3, 3), padding=(1, 1), name="1")(ConvNorm(self.reduce, name="0")(x))


class Pooled(nn.Module):
    """3x3 max pooling and a 1x1 convolution: (n, h, w, c) -> (n, h, w, width)."""

    width: int

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        return ConvNorm(self.width, name="1")(max_pool(x, window=3, stride=1, padding=1))


class Inception(nn.Module):
    """Four branches, concatenated: (n, h, w, c) -> (n, h, w, sum of widths).

    The third, which is 5x5 in the paper, is 3x3 in the network that has weights.
    """

    widths: Sequence[int]

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        one, reduce3, three, reduce5, five, projection = self.widths
        branches = (
            ConvNorm(one, name="branch1"),
            Reduced(reduce3, three, name="branch2"),
            Reduced(reduce5, five, name="branch3"),
            Pooled(projection, name="branch4"),
        )
        return jnp.concatenate([branch(x) for branch in branches], axis=-1)


class GoogLeNet(nn.Module):
    """Logits of images of any size from 15 px up: (n, h, w, 3) -> (n, classes).

    Images are in [-1, 1]; torchvision's `transform_input` converts the range of its other networks to that.
    """

    classes: int = 1000
    blocks: Sequence[tuple[str, Sequence[int]]] = BLOCKS

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        x = ceil_max_pool(ConvNorm(64, (7, 7), stride=2, padding=(3, 3), name="conv1")(x))
        x = ConvNorm(192, (3, 3), padding=(1, 1), name="conv3")(ConvNorm(64, name="conv2")(x))
        x = ceil_max_pool(x)
        for name, widths in self.blocks:
            if name in POOL_BEFORE:
                x = ceil_max_pool(x, window=POOL_BEFORE[name])
            x = Inception(widths, name=name)(x)
        return nn.Dense(self.classes, name="fc")(jnp.mean(x, axis=(1, 2)))
