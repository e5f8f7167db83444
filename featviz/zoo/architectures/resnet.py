"""ResNet (He et al. 2015), with the names of torchvision's layers and weights.

The stride is in a bottleneck's 3x3 convolution, not in its first ("ResNet v1.5").
"""

from collections.abc import Sequence

import flax.linen as nn
import jax
import jax.numpy as jnp

from featviz.zoo.architectures.common_layers import BatchNorm, conv, max_pool

# The width of a bottleneck's output, relative to its middle.
EXPANSION = 4


class Downsample(nn.Module):
    """The shortcut where shapes differ, a strided 1x1 convolution and its norm: (n, h, w, c) -> (n, h', w', width)."""

    width: int
    stride: int

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        return BatchNorm(name="1")(conv(self.width, 1, stride=self.stride, bias=False, name="0")(x))


class Block(nn.Module):
    """Residual block of convolutions (width, kernel size, stride): (n, h, w, c) -> (n, h', w', c').

    A norm follows each convolution, and a ReLU each norm and the sum.
    """

    convolutions: Sequence[tuple[int, int, int]]

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        y = x
        for number, (width, size, stride) in enumerate(self.convolutions, 1):
            y = nn.relu(y) if number > 1 else y
            y = conv(width, size, stride=stride, padding=size // 2, bias=False, name=f"conv{number}")(y)
            y = BatchNorm(name=f"bn{number}")(y)
        if x.shape != y.shape:
            stride = max(stride for _, _, stride in self.convolutions)
            x = Downsample(y.shape[-1], stride, name="downsample")(x)
        return nn.relu(x + y)


class Layer(nn.Module):
    """`depth` blocks in sequence, named by their indices; the first has the stride."""

    depth: int
    width: int
    stride: int
    bottleneck: bool

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        for index in range(self.depth):
            stride = self.stride if index == 0 else 1
            middle = (self.width, 3, stride)
            bottleneck = ((self.width, 1, 1), middle, (EXPANSION * self.width, 1, 1))
            x = Block(bottleneck if self.bottleneck else (middle, (self.width, 3, 1)), name=str(index))(x)
        return x


class ResNet(nn.Module):
    """Logits of images of any size: (n, h, w, 3) -> (n, classes).

    `depths` counts the blocks of the four layers, of two 3x3 convolutions each or bottlenecks of three.
    """

    depths: Sequence[int]
    bottleneck: bool
    classes: int = 1000
    width: int = 64

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        x = conv(self.width, 7, stride=2, padding=3, bias=False, name="conv1")(x)
        x = max_pool(nn.relu(BatchNorm(name="bn1")(x)), window=3, stride=2, padding=1)
        for number, depth in enumerate(self.depths):
            stride, width = (2 if number else 1), self.width * 2**number
            x = Layer(depth, width, stride, self.bottleneck, name=f"layer{number + 1}")(x)
        return nn.Dense(self.classes, name="fc")(jnp.mean(x, axis=(1, 2)))
