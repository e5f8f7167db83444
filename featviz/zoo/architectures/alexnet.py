"""AlexNet, "One weird trick" (Krizhevsky 2014), with the names of torchvision's layers and weights."""

import flax.linen as nn
import jax

from featviz.zoo.architectures.common_layers import Classifier, average_grid, conv, max_pool

# Of each convolution: its index in the sequence, width, kernel size, stride, padding, and whether pooling follows.
CONVOLUTIONS = (
    ("0", 64, 11, 4, 2, True),
    ("3", 192, 5, 1, 2, True),
    ("6", 384, 3, 1, 1, False),
    ("8", 256, 3, 1, 1, False),
    ("10", 256, 3, 1, 1, True),
)


class Features(nn.Module):
    """Five convolutions with ReLUs and three poolings: (n, h, w, 3) -> (n, h', w', 256)."""

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        for name, width, size, stride, padding, pooled in CONVOLUTIONS:
            x = nn.relu(conv(width, size, stride=stride, padding=padding, name=name)(x))
            x = max_pool(x, window=3, stride=2) if pooled else x
        return x


class AlexNet(nn.Module):
    """Logits of images from 63 px up: (n, h, w, 3) -> (n, classes)."""

    classes: int = 1000
    hidden: int = 4096

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        x = average_grid(Features(name="features")(x), 6)
        return Classifier(("1", "4", "6"), self.hidden, self.classes, name="classifier")(x)
