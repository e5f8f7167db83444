"""DenseNet (Huang et al. 2016), with the names of torchvision's layers and weights."""

import re
from collections.abc import Sequence

import flax.linen as nn
import jax
import jax.numpy as jnp

from featviz.zoo.architectures.common_layers import BatchNorm, average_pool, conv, max_pool
from featviz.zoo.weights.convert import keras_tensor, torch_name

# The width of a dense layer's bottleneck, relative to the channels that it adds.
BOTTLENECK = 4
# Keras's names of the layers outside of blocks, and of the parts of a block and a transition.
KERAS_ENDS = {"conv0": "conv1/conv", "norm0": "conv1/bn", "norm5": "bn", "classifier": "fc1000"}
KERAS_PARTS = {"norm": "bn", "conv": "conv", "norm1": "0_bn", "conv1": "1_conv", "norm2": "1_bn", "conv2": "2_conv"}


class DenseLayer(nn.Module):
    """The channels that a layer adds, by 1x1 and 3x3 convolutions: (n, h, w, c) -> (n, h, w, growth)."""

    growth: int
    epsilon: float

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        x = nn.relu(BatchNorm(self.epsilon, name="norm1")(x))
        x = conv(BOTTLENECK * self.growth, 1, bias=False, name="conv1")(x)
        x = nn.relu(BatchNorm(self.epsilon, name="norm2")(x))
        return conv(self.growth, 3, padding=1, bias=False, name="conv2")(x)


class DenseBlock(nn.Module):
    """Each layer takes the input and what the layers before it add: (n, h, w, c) -> (n, h, w, c + depth growth)."""

    depth: int
    growth: int
    epsilon: float

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        for number in range(1, self.depth + 1):
            added = DenseLayer(self.growth, self.epsilon, name=f"denselayer{number}")(x)
            x = jnp.concatenate([x, added], axis=-1)
        return x


class Transition(nn.Module):
    """Half the channels and half the size: (n, h, w, c) -> (n, h/2, w/2, c/2)."""

    epsilon: float

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        x = nn.relu(BatchNorm(self.epsilon, name="norm")(x))
        x = conv(x.shape[-1] // 2, 1, bias=False, name="conv")(x)
        return average_pool(x, window=2, stride=2)


class Features(nn.Module):
    """All but the classifier: (n, h, w, 3) -> (n, h/32, w/32, c), before the last ReLU."""

    depths: Sequence[int]
    growth: int
    width: int
    epsilon: float

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        x = conv(self.width, 7, stride=2, padding=3, bias=False, name="conv0")(x)
        x = max_pool(nn.relu(BatchNorm(self.epsilon, name="norm0")(x)), window=3, stride=2, padding=1)
        for number, depth in enumerate(self.depths, 1):
            x = DenseBlock(depth, self.growth, self.epsilon, name=f"denseblock{number}")(x)
            if number < len(self.depths):
                x = Transition(self.epsilon, name=f"transition{number}")(x)
        return BatchNorm(self.epsilon, name="norm5")(x)


class DenseNet(nn.Module):
    """Logits of images of any size from 29 px up: (n, h, w, 3) -> (n, classes)."""

    depths: Sequence[int]
    classes: int = 1000
    growth: int = 32
    width: int = 64
    epsilon: float = 1e-5

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        x = nn.relu(Features(self.depths, self.growth, self.width, self.epsilon, name="features")(x))
        return nn.Dense(self.classes, name="classifier")(jnp.mean(x, axis=(1, 2)))


def file_name(path: str) -> str:
    """A tensor's name in torchvision's file, older than the network: there, `norm1` of a dense layer is `norm.1`.

    >>> file_name("features/denseblock1/denselayer2/conv1/kernel"), file_name("features/norm0/var")
    ('features.denseblock1.denselayer2.conv.1.weight', 'features.norm0.running_var')
    """
    return re.sub(r"(\.denselayer\d+\.(?:norm|conv))([12])\.", r"\1.\2.", torch_name(path))


def keras_name(path: str) -> str:
    """A tensor's name in the file of Keras's applications.

    >>> keras_name("features/denseblock1/denselayer2/conv1/kernel"), keras_name("features/transition1/norm/var")
    ('conv2_block2_1_conv/kernel:0', 'pool2_bn/moving_variance:0')
    >>> keras_name("features/norm0/scale"), keras_name("classifier/bias")
    ('conv1/bn/gamma:0', 'fc1000/bias:0')
    """
    *modules, leaf = path.split("/")
    layer = KERAS_ENDS.get(modules[-1]) or _keras_layer(*modules[1:])
    return keras_tensor(layer, leaf, norm=modules[-1].startswith("norm"))


def _keras_layer(block: str, *inner: str) -> str:
    # Keras counts the first convolution as the first block.
    number = int(block[-1]) + 1
    if block.startswith("transition"):
        return f"pool{number}_{KERAS_PARTS[inner[0]]}"
    return f"conv{number}_block{inner[0].removeprefix('denselayer')}_{KERAS_PARTS[inner[1]]}"
