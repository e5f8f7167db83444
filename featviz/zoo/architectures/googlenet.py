"""GoogLeNet as BVLC trained it (Szegedy et al. 2014, Caffe), the network of the original DeepDream."""

from collections.abc import Sequence

import flax.linen as nn
import jax
import jax.numpy as jnp

from featviz.zoo.architectures.caffe_layers import ceil_max_pool, local_response_norm

# Channels of each block: 1x1, 3x3 reduce, 3x3, 5x5 reduce, 5x5, pool projection
# (Szegedy et al. 2014, Table 1).
BLOCKS = {
    "inception_3a": (64, 96, 128, 16, 32, 32),
    "inception_3b": (128, 128, 192, 32, 96, 64),
    "inception_4a": (192, 96, 208, 16, 48, 64),
    "inception_4b": (160, 112, 224, 24, 64, 64),
    "inception_4c": (128, 128, 256, 24, 64, 64),
    "inception_4d": (112, 144, 288, 32, 64, 64),
    "inception_4e": (256, 160, 320, 32, 128, 128),
    "inception_5a": (256, 160, 320, 32, 128, 128),
    "inception_5b": (384, 192, 384, 48, 128, 128),
}
POOL_BEFORE = ("inception_4a", "inception_5a")


class Stem(nn.Module):
    """Convolutions with ReLU in sequence: (n, h, w, c) -> (n, h', w', widths[-1])."""

    names: Sequence[str]
    widths: Sequence[int]
    sizes: Sequence[int]
    stride: int = 1

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        for name, width, size in zip(self.names, self.widths, self.sizes, strict=True):
            pad = (size // 2, size // 2)
            x = nn.Conv(width, (size, size), strides=self.stride, padding=(pad, pad), name=name)(x)
            x = nn.relu(x)
        return x


class Inception(nn.Module):
    """Four branches, concatenated after their ReLUs: (n, h, w, c) -> (n, h, w, sum of widths)."""

    widths: Sequence[int]

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        one, reduce3, three, reduce5, five, projection = self.widths

        def conv(name: str, width: int, size: int, x: jax.Array) -> jax.Array:
            return nn.relu(nn.Conv(width, (size, size), padding="SAME", name=name)(x))

        branch3 = conv("3x3", three, 3, conv("3x3_reduce", reduce3, 1, x))
        branch5 = conv("5x5", five, 5, conv("5x5_reduce", reduce5, 1, x))
        pooled = nn.max_pool(x, (3, 3), strides=(1, 1), padding="SAME")
        branch1 = conv("1x1", one, 1, x)
        return jnp.concatenate([branch1, branch3, branch5, conv("pool_proj", projection, 1, pooled)], axis=-1)


class Loss3(nn.Module):
    """The last classifier: (n, c) -> (n, classes), before the softmax."""

    classes: int

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        return nn.Dense(self.classes, name="classifier")(x)


class GoogLeNet(nn.Module):
    """Logits of images of any size from 32 px up: (n, h, w, 3) -> (n, classes).

    Images are BGR in 0..255 minus the mean color. Module names are those of BVLC's prototxt, and so of the literature
    (`inception_4c`, `inception_4c/3x3_reduce`).
    """

    classes: int = 1000

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        x = Stem(("7x7_s2",), (64,), (7,), stride=2, name="conv1")(x)
        x = local_response_norm(ceil_max_pool(x))
        x = Stem(("3x3_reduce", "3x3"), (64, 192), (1, 3), name="conv2")(x)
        x = ceil_max_pool(local_response_norm(x))
        for name, widths in BLOCKS.items():
            if name in POOL_BEFORE:
                x = ceil_max_pool(x)
            x = Inception(widths, name=name)(x)
        return Loss3(self.classes, name="loss3")(jnp.mean(x, axis=(1, 2)))
