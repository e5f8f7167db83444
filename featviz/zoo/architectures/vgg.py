"""VGG (Simonyan and Zisserman 2014), with the names of torchvision's layers and weights."""

from collections.abc import Mapping, Sequence

import flax.linen as nn
import jax
import numpy as np

from featviz.zoo.architectures.common_layers import Classifier, average_grid, conv, max_pool
from featviz.zoo.weights.convert import LEAVES, keras_axes

# Widths of the 3x3 convolutions between poolings, columns D and E of the paper's Table 1.
VGG16 = ((64,) * 2, (128,) * 2, (256,) * 3, (512,) * 3, (512,) * 3)
VGG19 = ((64,) * 2, (128,) * 2, (256,) * 4, (512,) * 4, (512,) * 4)
# Cells per side of the grid that the classifier takes.
GRID = 7
# The dense layers' names in torchvision, in Oxford's Caffe network, and in Keras.
DENSE = (("0", "fc6", "fc1"), ("3", "fc7", "fc2"), ("6", "fc8", "predictions"))


class Features(nn.Module):
    """Convolutions with ReLU, pooling after each group: (n, h, w, 3) -> (n, h/32, w/32, 512).

    PyTorch counts convolutions, ReLUs and poolings in one sequence; convolutions are named by their index there.
    """

    groups: Sequence[Sequence[int]]

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        index = 0
        for widths in self.groups:
            for width in widths:
                x = nn.relu(conv(width, 3, padding=1, name=str(index))(x))
                index += 2
            x = max_pool(x, window=2, stride=2)
            index += 1
        return x


class VGG(nn.Module):
    """Logits of images of any size from 32 px up: (n, h, w, 3) -> (n, classes)."""

    groups: Sequence[Sequence[int]]
    classes: int = 1000
    hidden: int = 4096

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        x = average_grid(Features(self.groups, name="features")(x), GRID)
        first, second, last = (name for name, _, _ in DENSE)
        return Classifier((first, second, last), self.hidden, self.classes, name="classifier")(x)


def vgg16() -> VGG:
    """VGG with 16 layers that have weights."""
    return VGG(VGG16)


def vgg19() -> VGG:
    """VGG with 19 layers that have weights."""
    return VGG(VGG19)


def caffe_name(path: str, *, depths: Sequence[int]) -> str:
    """A tensor's name in the authors' Caffe network; `depths` counts the convolutions between poolings.

    >>> caffe_name("features/7/kernel", depths=(2, 2, 3, 3, 3)), caffe_name("classifier/0/bias", depths=(2, 2))
    ('conv2_2.weight', 'fc6.bias')
    """
    layer, leaf = _layer(path, depths, convolution="conv{}_{}", dense={name: caffe for name, caffe, _ in DENSE})
    return f"{layer}.{LEAVES.get(leaf, leaf)}"


def keras_name(path: str, *, depths: Sequence[int]) -> str:
    """A tensor's name in the file of Keras's applications, written by Keras 1.

    >>> keras_name("features/7/kernel", depths=(2, 2, 3, 3, 3)), keras_name("classifier/6/bias", depths=(2, 2))
    ('block2_conv2_W_1:0', 'predictions_b_1:0')
    """
    layer, leaf = _layer(path, depths, convolution="block{}_conv{}", dense={name: keras for name, _, keras in DENSE})
    return f"{layer}_{'W' if leaf == 'kernel' else 'b'}_1:0"


def keras_rows(path: str, array: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """A tensor of Keras's in our order of axes: its first dense layer orders the grid by position, ours by channel.

    >>> rows = np.arange(98.0).reshape(98, 1)  # 7 x 7 positions of 2 channels
    >>> keras_rows("classifier/0/kernel", rows, (98, 1))[:3].ravel().tolist()
    [0.0, 2.0, 4.0]
    """
    if path != "classifier/0/kernel" or array.shape != shape:
        return keras_axes(path, array, shape)
    return array.reshape(GRID, GRID, -1, shape[1]).transpose(2, 0, 1, 3).reshape(shape)


def _layer(path: str, depths: Sequence[int], *, convolution: str, dense: Mapping[str, str]) -> tuple[str, str]:
    """A layer's name elsewhere, where convolutions are counted by group, and the tensor's name within the layer."""
    part, index, leaf = path.split("/")
    return (dense[index] if part == "classifier" else convolution.format(*_group(int(index), depths))), leaf


def _group(index: int, depths: Sequence[int]) -> tuple[int, int]:
    """The group of the convolution at an index of the sequence, and its number within the group, both from 1."""
    for group, depth in enumerate(depths, 1):
        if index < 2 * depth:
            return group, index // 2 + 1
        index -= 2 * depth + 1
    raise ValueError(f"{index} is behind the last convolution")
