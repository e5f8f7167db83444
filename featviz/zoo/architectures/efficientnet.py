"""EfficientNet (Tan and Le 2019) as torchvision has it: layers and weights are named as there."""

import math
from collections.abc import Sequence
from functools import partial

import flax.linen as nn
import jax
import jax.numpy as jnp

from featviz.zoo.architectures.common_layers import ConvNormAct, LastDense

# Of each stage of B0: how much wider its blocks are inside, the side of their kernels, the first one's stride, their
# width, their number (Table 1 of the paper).
STAGES = (
    (1, 3, 1, 16, 1),
    (6, 3, 2, 24, 2),
    (6, 5, 2, 40, 2),
    (6, 3, 2, 80, 3),
    (6, 5, 1, 112, 3),
    (6, 5, 2, 192, 4),
    (6, 3, 1, 320, 1),
)
# How many times fewer a squeeze has than channels came into its block (`se0.25` in the authors' code).
SQUEEZE = 4
# Widths are multiples of it.
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
    """Each channel times a number in [0,1] that all channels' means decide: (n, h, w, c) -> the same (Hu et al. 2018).

    s = sigmoid(fc2(silu(fc1(mean of x over space)))).
    """

    squeezed: int

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        inner = nn.silu(nn.Dense(self.squeezed, name="fc1")(jnp.mean(x, axis=(1, 2))))
        gate = nn.sigmoid(nn.Dense(x.shape[-1], name="fc2")(inner))
        return x * gate[:, None, None, :]


class Steps(nn.Module):
    """Widening, a kernel a channel, squeeze and excitation, narrowing: (n, h, w, c) -> (n, h', w', width)."""

    expansion: int
    size: int
    stride: int
    width: int

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        inside = x.shape[-1]
        hidden, place = self.expansion * inside, 0
        if self.expansion != 1:
            x = ConvNorm(hidden, 1, name="0")(x)
            place = 1
        x = ConvNorm(hidden, self.size, self.stride, each=True, name=str(place))(x)
        x = SqueezeExcitation(max(1, inside // SQUEEZE), name=str(place + 1))(x)
        return ConvNormAct(self.width, 1, name=str(place + 2))(x)


class MBConv(nn.Module):
    """The steps, added to what came in where the shape is the same: (n, h, w, c) -> (n, h', w', width)."""

    expansion: int
    size: int
    stride: int
    width: int

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        y = Steps(self.expansion, self.size, self.stride, self.width, name="block")(x)
        return x + y if self.stride == 1 and x.shape[-1] == self.width else y


class Stage(nn.Module):
    """`depth` blocks one after the other, named by their numbers; the first has the stride."""

    expansion: int
    size: int
    stride: int
    width: int
    depth: int

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        for number in range(self.depth):
            x = MBConv(self.expansion, self.size, 1 if number else self.stride, self.width, name=str(number))(x)
        return x


class Features(nn.Module):
    """A convolution, the stages, a convolution four times as wide, named by their places in one sequence."""

    stages: Sequence[tuple[int, int, int, int, int]]
    first: int
    width: float
    depth: float

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        x = ConvNorm(scaled_width(self.first, self.width), 3, 2, name="0")(x)
        for place, (expansion, size, stride, width, count) in enumerate(self.stages, start=1):
            width, depth = scaled_width(width, self.width), math.ceil(count * self.depth)
            x = Stage(expansion, size, stride, width, depth, name=str(place))(x)
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
