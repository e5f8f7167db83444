"""ResNet v2 (He et al. 2016), whose norms and ReLUs precede the convolutions, with timm's names."""

from collections.abc import Sequence

import flax.linen as nn
import jax
import jax.numpy as jnp

from featviz.zoo.architectures.common_layers import BatchNorm, conv, max_pool

# The width of a block's output, relative to its middle.
EXPANSION = 4


class Stem(nn.Module):
    """A 7x7 convolution and pooling: (n, h, w, c) -> (n, h/4, w/4, width)."""

    width: int

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        x = conv(self.width, 7, stride=2, padding=3, bias=False, name="conv")(x)
        return max_pool(x, window=3, stride=2, padding=1)


class Downsample(nn.Module):
    """The shortcut of a stage's first block: (n, h, w, c) -> (n, h', w', width)."""

    width: int
    stride: int

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        return conv(self.width, 1, stride=self.stride, bias=False, name="conv")(x)


class Block(nn.Module):
    """Norm, ReLU and convolution, three times, with a residual connection: (n, h, w, c) -> (n, h', w', width).

    The sum has no ReLU. A stage's first block has a convolution in its shortcut, behind the first ReLU.
    """

    width: int
    stride: int
    first: bool

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        middle = self.width // EXPANSION
        y = nn.relu(BatchNorm(name="norm1")(x))
        shortcut = Downsample(self.width, self.stride, name="downsample")(y) if self.first else x
        y = conv(middle, 1, bias=False, name="conv1")(y)
        y = nn.relu(BatchNorm(name="norm2")(y))
        y = conv(middle, 3, stride=self.stride, padding=1, bias=False, name="conv2")(y)
        y = nn.relu(BatchNorm(name="norm3")(y))
        return conv(self.width, 1, bias=False, name="conv3")(y) + shortcut


class Blocks(nn.Module):
    """`depth` blocks in sequence, named by their indices."""

    depth: int
    width: int
    stride: int

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        for index in range(self.depth):
            x = Block(self.width, 1 if index else self.stride, index == 0, name=str(index))(x)
        return x


class Stage(nn.Module):
    """The blocks of one size: (n, h, w, c) -> (n, h/stride, w/stride, width)."""

    depth: int
    width: int
    stride: int

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        return Blocks(self.depth, self.width, self.stride, name="blocks")(x)


class Stages(nn.Module):
    """The stages in sequence; each after the first has half the size and twice the width."""

    depths: Sequence[int]
    width: int

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        for index, depth in enumerate(self.depths):
            x = Stage(depth, self.width * 2**index, 2 if index else 1, name=str(index))(x)
        return x


class Head(nn.Module):
    """The mean over space and a dense layer: (n, h, w, c) -> (n, classes)."""

    classes: int

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        return nn.Dense(self.classes, name="fc")(jnp.mean(x, axis=(1, 2)))


class ResNetV2(nn.Module):
    """Logits of images of any size: (n, h, w, 3) -> (n, classes)."""

    depths: Sequence[int]
    classes: int = 1000
    width: int = 64

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        x = Stages(self.depths, EXPANSION * self.width, name="stages")(Stem(self.width, name="stem")(x))
        return Head(self.classes, name="head")(nn.relu(BatchNorm(name="norm")(x)))
