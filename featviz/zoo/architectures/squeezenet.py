"""SqueezeNet (Iandola et al. 2016): 1.1 as DeepScale trained it for Caffe, and 1.0 with torchvision's names."""

import flax.linen as nn
import jax
import jax.numpy as jnp

from featviz.zoo.architectures.caffe_layers import ceil_max_pool

# Channels of each fire module: squeeze 1x1, expand 1x1, expand 3x3 (the paper's Table 1).
WIDTHS = (
    *((16, 64, 64),) * 2,
    *((32, 128, 128),) * 2,
    *((48, 192, 192),) * 2,
    *((64, 256, 256),) * 2,
)
# Version 1.1 by the names of DeepScale's prototxt, which pools earlier than the paper and keeps its widths.
FIRES = dict(zip((f"fire{number}" for number in range(2, 10)), WIDTHS, strict=True))
POOL_BEFORE = ("fire2", "fire4", "fire6")
# Version 1.0 by the indices in torchvision's sequence, with the paper's poolings.
FIRES_1_0 = dict(zip(("3", "4", "5", "7", "8", "9", "10", "12"), WIDTHS, strict=True))
POOL_BEFORE_1_0 = ("3", "7", "12")


class Fire(nn.Module):
    """A squeeze to few channels, then two concatenated branches: (n, h, w, c) -> (n, h, w, expand1 + expand3).

    A ReLU follows each convolution; the first units are those of the 1x1 branch. `first` is the name of the
    squeezing convolution.
    """

    squeeze: int
    expand1: int
    expand3: int
    first: str = "squeeze1x1"

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        def conv(name: str, width: int, size: int, x: jax.Array) -> jax.Array:
            return nn.relu(nn.Conv(width, (size, size), padding="SAME", name=name)(x))

        x = conv(self.first, self.squeeze, 1, x)
        branches = [conv("expand1x1", self.expand1, 1, x), conv("expand3x3", self.expand3, 3, x)]
        return jnp.concatenate(branches, axis=-1)


class SqueezeNet(nn.Module):
    """Logits of images of any size from 32 px up: (n, h, w, 3) -> (n, classes).

    Images are BGR in 0..255 minus the mean color. Module names are those of DeepScale's prototxt, and so of the
    literature (`fire5`, `fire5/expand3x3`, `conv10`). There is no dense layer: the logits are the mean over space of
    conv10 after its ReLU, so none is negative.

    >>> images = jax.ShapeDtypeStruct((2, 64, 64, 3), jnp.float32)
    >>> logits, variables = jax.eval_shape(SqueezeNet().init_with_output, jax.random.key(0), images)
    >>> logits.shape, sum(leaf.size for leaf in jax.tree.leaves(variables))
    ((2, 1000), 1235496)
    """

    classes: int = 1000

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        x = nn.relu(nn.Conv(64, (3, 3), strides=2, padding="VALID", name="conv1")(x))
        for name, widths in FIRES.items():
            if name in POOL_BEFORE:
                x = ceil_max_pool(x)
            x = Fire(*widths, name=name)(x)
        x = nn.relu(nn.Conv(self.classes, (1, 1), name="conv10")(x))
        return jnp.mean(x, axis=(1, 2))


class Features(nn.Module):
    """All but the classifier of version 1.0: (n, h, w, 3) -> (n, h', w', 512)."""

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        x = nn.relu(nn.Conv(96, (7, 7), strides=2, padding="VALID", name="0")(x))
        for name, widths in FIRES_1_0.items():
            if name in POOL_BEFORE_1_0:
                x = ceil_max_pool(x)
            x = Fire(*widths, first="squeeze", name=name)(x)
        return x


class Classifier(nn.Module):
    """The mean over space of a 1x1 convolution after its ReLU: (n, h, w, c) -> (n, classes)."""

    classes: int

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        return jnp.mean(nn.relu(nn.Conv(self.classes, (1, 1), name="1")(x)), axis=(1, 2))


class SqueezeNet10(nn.Module):
    """SqueezeNet 1.0, logits of images of any size from 21 px up: (n, h, w, 3) -> (n, classes); none is negative."""

    classes: int = 1000

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        return Classifier(self.classes, name="classifier")(Features(name="features")(x))
