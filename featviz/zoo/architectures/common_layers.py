"""Layers that the zoo's networks share: batch norm with stored statistics, PyTorch's padding and pooling."""

from collections.abc import Callable

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import lax


class BatchNorm(nn.Module):
    """Batch norm as at inference: (x - mean) / sqrt(var + epsilon) * scale + bias, all four arrays being weights."""

    epsilon: float = 1e-5

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """The same shape; channels last."""
        width = (x.shape[-1],)
        ones, zeros = nn.initializers.ones, nn.initializers.zeros
        scale, bias = self.param("scale", ones, width), self.param("bias", zeros, width)
        mean, var = self.param("mean", zeros, width), self.param("var", ones, width)
        row = (1,) * (x.ndim - 1) + width
        factor = (scale * lax.rsqrt(var + self.epsilon)).reshape(row)
        return (x - mean.reshape(row)) * factor + bias.reshape(row)


def conv(width: int, size: int, *, name: str, stride: int = 1, padding: int = 0, bias: bool = True) -> nn.Conv:
    """A square convolution with the same padding on all sides, as PyTorch counts it."""
    pads = [(padding, padding)] * 2
    return nn.Conv(width, (size, size), strides=(stride, stride), padding=pads, use_bias=bias, name=name)


def max_pool(x: jax.Array, *, window: int, stride: int, padding: int = 0) -> jax.Array:
    """Max pooling, -inf around: (n, h, w, c) -> (n, h', w', c), h' = floor((h + 2 padding - window) / stride) + 1.

    >>> max_pool(jnp.zeros((1, 112, 112, 1)), window=3, stride=2, padding=1).shape
    (1, 56, 56, 1)
    """
    return nn.max_pool(x, (window, window), strides=(stride, stride), padding=[(padding, padding)] * 2)


def average_pool(x: jax.Array, *, window: int, stride: int, padding: int = 0) -> jax.Array:
    """Average pooling that counts the zeros around: (n, h, w, c) -> (n, h', w', c), sizes as in `max_pool`.

    >>> average_pool(jnp.ones((1, 4, 4, 1)), window=2, stride=2, padding=1)[0, :, 1, 0].tolist()
    [0.5, 1.0, 0.5]
    """
    pads = [(0, 0), (padding, padding), (padding, padding), (0, 0)]
    sums = lax.reduce_window(x, 0.0, lax.add, (1, window, window, 1), (1, stride, stride, 1), pads)
    return sums / window**2


class Classifier(nn.Module):
    """Three dense layers with ReLUs between them: (n, h, w, c) -> (n, classes).

    The first takes all positions, ordered by channel as in PyTorch's weights.
    """

    names: tuple[str, str, str]
    hidden: int
    classes: int

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        first, second, last = self.names
        x = jnp.moveaxis(x, -1, 1).reshape(x.shape[0], -1)
        x = nn.relu(nn.Dense(self.hidden, name=first)(x))
        x = nn.relu(nn.Dense(self.hidden, name=second)(x))
        return nn.Dense(self.classes, name=last)(x)


def average_grid(x: jax.Array, side: int) -> jax.Array:
    """Averages over a grid of side x side cells, PyTorch's adaptive pooling: (n, h, w, c) -> (n, side, side, c).

    Cell i spans floor(i h / side) to ceil((i + 1) h / side); cells may overlap.

    >>> average_grid(jnp.arange(4.0).reshape(1, 4, 1, 1) * jnp.ones((1, 1, 4, 1)), 2)[0, :, 0, 0].tolist()
    [0.5, 2.5]
    """
    for axis in (1, 2):
        size = x.shape[axis]
        cells = [(size * i // side, -(-size * (i + 1) // side)) for i in range(side)]
        rows = [lax.slice_in_dim(x, first, last, axis=axis).mean(axis=axis, keepdims=True) for first, last in cells]
        x = jnp.concatenate(rows, axis=axis)
    return x


class ConvNorm(nn.Module):
    """Convolution `conv` without bias, batch norm `bn`, ReLU: the unit of torchvision's Inception networks.

    `size` and `padding` are (height, width); (n, h, w, c) -> (n, h', w', width).
    """

    width: int
    size: tuple[int, int] = (1, 1)
    stride: int = 1
    padding: tuple[int, int] = (0, 0)

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        pads, strides = [(pad, pad) for pad in self.padding], (self.stride, self.stride)
        x = nn.Conv(self.width, self.size, strides=strides, padding=pads, use_bias=False, name="conv")(x)
        # The epsilon of TensorFlow, where both networks were trained.
        return nn.relu(BatchNorm(1e-3, name="bn")(x))


class ConvNormAct(nn.Module):
    """Convolution `0` without bias, batch norm `1`, `activation`: the unit of torchvision's MobileNet and EfficientNet.

    (n, h, w, c) -> (n, h', w', width). With `depthwise`, every channel has its own kernel.
    """

    width: int
    size: int
    stride: int = 1
    depthwise: bool = False
    activation: Callable[[jax.Array], jax.Array] | None = None

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        x = nn.Conv(
            self.width,
            (self.size, self.size),
            strides=(self.stride, self.stride),
            padding=[(self.size // 2, self.size // 2)] * 2,
            feature_group_count=self.width if self.depthwise else 1,
            use_bias=False,
            name="0",
        )(x)
        x = BatchNorm(name="1")(x)
        return x if self.activation is None else self.activation(x)


class LastDense(nn.Module):
    """A dense layer `1`; in training, dropout `0` precedes it: (n, c) -> (n, classes)."""

    classes: int

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        return nn.Dense(self.classes, name="1")(x)
