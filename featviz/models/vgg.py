"""VGG (Simonyan and Zisserman 2014) as torchvision has it: layers and weights are named as there."""

from collections.abc import Sequence

import flax.linen as nn
import jax

from featviz.models.layers import Classifier, average_grid, conv, max_pool

# Widths of the 3x3 convolutions between poolings, columns D and E of the paper's Table 1.
VGG16 = ((64,) * 2, (128,) * 2, (256,) * 3, (512,) * 3, (512,) * 3)
VGG19 = ((64,) * 2, (128,) * 2, (256,) * 4, (512,) * 4, (512,) * 4)


class Features(nn.Module):
    """Convolutions with ReLU, pooling after each group: (n, h, w, 3) -> (n, h/32, w/32, 512).

    PyTorch counts convolutions, ReLUs and poolings in one sequence; convolutions are named by their place there.
    """

    groups: Sequence[Sequence[int]]

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        place = 0
        for widths in self.groups:
            for width in widths:
                x = nn.relu(conv(width, 3, padding=1, name=str(place))(x))
                place += 2
            x = max_pool(x, window=2, stride=2)
            place += 1
        return x


class VGG(nn.Module):
    """Logits of images of any size from 32 px up: (n, h, w, 3) -> (n, classes)."""

    groups: Sequence[Sequence[int]]
    classes: int = 1000
    hidden: int = 4096

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        x = average_grid(Features(self.groups, name="features")(x), 7)
        return Classifier(("0", "3", "6"), self.hidden, self.classes, name="classifier")(x)


def vgg16() -> VGG:
    """The network of 16 layers with weights."""
    return VGG(VGG16)


def vgg19() -> VGG:
    """The network of 19 layers with weights."""
    return VGG(VGG19)
