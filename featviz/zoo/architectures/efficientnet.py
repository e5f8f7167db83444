"""EfficientNet (Tan and Le 2019), with the names of torchvision's layers and weights."""

import math
from collections.abc import Sequence
from functools import partial

import flax.linen as nn
import jax
import jax.numpy as jnp

from featviz.zoo.architectures.common_layers import ConvNormAct, LastDense

# Of each stage of B0: expansion, kernel size, stride of the first block, width, number of blocks (Table 1 of the
# paper).
STAGES = (
    (1, 3, 1, 16, 1),
    (6, 3, 2, 24, 2),
    (6, 5, 2, 40, 2),
    (6, 3, 2, 80, 3),
    (6, 5, 1, 112, 3),
    (6, 5, 2, 192, 4),
    (6, 3, 1, 320, 1),
)
# The channels of a block's input per channel of its squeeze (`se0.25` in the authors' code).
SQUEEZE = 4
# Widths are multiples of this.
DIVISOR = 8


def scaled_width(width: int, factor: float) -> int:
    """The nearest multiple of 8 to width * factor, unless it is below nine tenths of that: then the next one.

    >>> scaled_width(32, 1.1), scaled_width(24, 1.1), scaled_width(12, 0.9)
    (32, 24, 16)
    """
    wanted = width * factor
    nearest = max(DIVISOR, int(wanted + DIVISOR / 2) // DIVISOR * DIVISOR)
    return nearest if nearest >= 0.9 * wanted else nearest + DIVISOR


ConvNorm = partial(ConvNormAct, activation=nn.silu)


class SqueezeExcitation(nn.Module):
    """Channels scaled by gates in [0,1] computed from all channels' means: (n, h, w, c) -> the same (Hu et al. 2018).

    s = sigmoid(fc2(silu(fc1(mean of x over space)))).
    """

    squeezed: int

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        inner = nn.silu(nn.Dense(self.squeezed, name="fc1")(jnp.mean(x, axis=(1, 2))))
        gate = nn.sigmoid(nn.Dense(x.shape[-1], name="fc2")(inner))
        return x * gate[:, None, None, :]


class Steps(nn.Module):
    """Expansion, depthwise convolution, squeeze and excitation, projection: (n, h, w, c) -> (n, h', w', width)."""

    expansion: int
    size: int
    stride: int
    width: int

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        inside = x.shape[-1]
        hidden, index = self.expansion * inside, 0
        if self.expansion != 1:
            x = ConvNorm(hidden, 1, name="0")(x)
            index = 1
        x = ConvNorm(hidden, self.size, self.stride, depthwise=True, name=str(index))(x)
        x = SqueezeExcitation(max(1, inside // SQUEEZE), name=str(index + 1))(x)
        return ConvNormAct(self.width, 1, name=str(index + 2))(x)


class MBConv(nn.Module):
    """The steps with a residual connection where shapes agree: (n, h, w, c) -> (n, h', w', width)."""

    expansion: int
    size: int
    stride: int
    width: int

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        y = Steps(self.expansion, self.size, self.stride, self.width, name="block")(x)
        return x + y if self.stride == 1 and x.shape[-1] == self.width else y


class Stage(nn.Module):
    """`depth` blocks in sequence, named by their indices; the first has the stride."""

    expansion: int
    size: int
    stride: int
    width: int
    depth: int

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        for index in range(self.depth):
            x = MBConv(self.expansion, self.size, 1 if index else self.stride, self.width, name=str(index))(x)
        return x


class Features(nn.Module):
    """A convolution, the stages, a convolution four times as wide, named by their indices in one sequence."""

    stages: Sequence[tuple[int, int, int, int, int]]
    first: int
    width: float
    depth: float

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        x = ConvNorm(scaled_width(self.first, self.width), 3, 2, name="0")(x)
        for index, (expansion, size, stride, width, count) in enumerate(self.stages, start=1):
            width, depth = scaled_width(width, self.width), math.ceil(count * self.depth)
            x = Stage(expansion, size, stride, width, depth, name=str(index))(x)
        return ConvNorm(4 * x.shape[-1], 1, name=str(len(self.stages) + 1))(x)


class EfficientNet(nn.Module):
    """Logits of images of any size: (n, h, w, 3) -> (n, classes). `width` and `depth` scale B0's stages."""

    width: float = 1.0
    depth: float = 1.0
    classes: int = 1000
    stages: Sequence[tuple[int, int, int, int, int]] = STAGES
    first: int = 32

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        x = Features(self.stages, self.first, self.width, self.depth, name="features")(x)
        return LastDense(self.classes, name="classifier")(jnp.mean(x, axis=(1, 2)))
