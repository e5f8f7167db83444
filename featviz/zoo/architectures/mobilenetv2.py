"""MobileNet v2 (Sandler et al. 2018), with the names of torchvision's layers and weights."""

from collections.abc import Sequence
from functools import partial

import flax.linen as nn
import jax
import jax.numpy as jnp

from featviz.zoo.architectures.common_layers import BatchNorm, ConvNormAct, LastDense

# Of each group of blocks: expansion, width, number of blocks, stride of the first block (Table 2 of the paper).
GROUPS = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)


ConvNorm6 = partial(ConvNormAct, activation=nn.relu6)


class Steps(nn.Module):
    """Expansion, depthwise convolution, projection without a ReLU: (n, h, w, c) -> (n, h', w', width)."""

    expansion: int
    width: int
    stride: int

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        hidden, index = self.expansion * x.shape[-1], 0
        if self.expansion != 1:
            x = ConvNorm6(hidden, 1, name="0")(x)
            index = 1
        x = ConvNorm6(hidden, 3, self.stride, depthwise=True, name=str(index))(x)
        x = nn.Conv(self.width, (1, 1), use_bias=False, name=str(index + 1))(x)
        return BatchNorm(name=str(index + 2))(x)


class InvertedResidual(nn.Module):
    """The steps with a residual connection where shapes agree: (n, h, w, c) -> (n, h', w', width)."""

    expansion: int
    width: int
    stride: int

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        y = Steps(self.expansion, self.width, self.stride, name="conv")(x)
        return x + y if self.stride == 1 and x.shape[-1] == self.width else y


class Features(nn.Module):
    """A convolution, the blocks, a convolution, named by their indices in one sequence."""

    groups: Sequence[tuple[int, int, int, int]]
    first: int
    last: int

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        x = ConvNorm6(self.first, 3, 2, name="0")(x)
        index = 1
        for expansion, width, count, stride in self.groups:
            for repeat in range(count):
                x = InvertedResidual(expansion, width, 1 if repeat else stride, name=str(index))(x)
                index += 1
        return ConvNorm6(self.last, 1, name=str(index))(x)


class MobileNetV2(nn.Module):
    """Logits of images of any size: (n, h, w, 3) -> (n, classes)."""

    classes: int = 1000
    groups: Sequence[tuple[int, int, int, int]] = GROUPS
    first: int = 32
    last: int = 1280

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        x = Features(self.groups, self.first, self.last, name="features")(x)
        return LastDense(self.classes, name="classifier")(jnp.mean(x, axis=(1, 2)))
