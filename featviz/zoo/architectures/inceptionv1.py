"""InceptionV1 in the naming of the feature-visualization literature (Olah et al. 2017, Cammarata et al. 2020).

Google trained it for TensorFlow (`inception5h`); it differs from BVLC's GoogLeNet in weights, in two widths and in
its normalization. Layers are named as in lucid and lucent: `mixed4a` with `mixed4a_3x3` in it, after their ReLU,
and `mixed4a_3x3_pre_relu_conv` before.
"""

from collections.abc import Sequence
from types import MappingProxyType

import flax.linen as nn
import jax
import jax.numpy as jnp

from featviz.zoo.architectures.caffe_layers import local_response_norm

# Channels of each block: 1x1, 3x3 bottleneck, 3x3, 5x5 bottleneck, 5x5, pool reduce, as in Google's graph:
# 204 in mixed4a_3x3 and 48 in mixed5a_5x5_bottleneck are not the paper's 208 and 32.
BLOCKS = (
    ("mixed3a", (64, 96, 128, 16, 32, 32)),
    ("mixed3b", (128, 128, 192, 32, 96, 64)),
    ("mixed4a", (192, 96, 204, 16, 48, 64)),
    ("mixed4b", (160, 112, 224, 24, 64, 64)),
    ("mixed4c", (128, 128, 256, 24, 64, 64)),
    ("mixed4d", (112, 144, 288, 32, 64, 64)),
    ("mixed4e", (256, 160, 320, 32, 128, 128)),
    ("mixed5a", (256, 160, 320, 48, 128, 128)),
    ("mixed5b", (384, 192, 384, 48, 128, 128)),
)
# Poolings are named by the number of their block, the first convolutions being 0 and 1.
POOL_BEFORE = MappingProxyType({"mixed4a": "maxpool4", "mixed5a": "maxpool10"})


class Relu(nn.Module):
    """A ReLU with a name."""

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        return nn.relu(x)


class Concatenation(nn.Module):
    """Branches (n, h, w, c), concatenated: (n, h, w, sum of c)."""

    @nn.compact
    def __call__(self, *branches: jax.Array) -> jax.Array:
        return jnp.concatenate(branches, axis=-1)


class MaxPool(nn.Module):
    """3x3 max pooling, padded with -inf as TensorFlow's SAME does for even sizes."""

    stride: int = 2

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        pads = [(0, 1)] * 2 if self.stride == 2 else [(1, 1)] * 2
        return nn.max_pool(x, (3, 3), strides=(self.stride, self.stride), padding=pads)


class Norm(nn.Module):
    """Local response normalization as in Google's graph: x / sqrt(2 + 1e-4 * sum of x^2 over 11 channels).

    Source: the nodes `localresponsenorm0` and `1` of lucid's InceptionV1.pb, of depth_radius 5, bias 2, alpha 1e-4 and
    beta 0.5, as printed in github.com/greentfrapp/lucent/pull/51. lucent's own port still has
    x / sqrt(1 + 1e-4/9 * sum over 9 channels), up to sqrt(2) times as much as the weights were trained with.
    """

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        return local_response_norm(x, size=11, alpha=11e-4, beta=0.5, bias=2.0)


class InceptionV1(nn.Module):
    """Logits of images of any size from 32 px up: (n, h, w, 3) -> (n, classes).

    Images are RGB in 0..255 minus 117. The graph has 1008 outputs; the order of their 1000 classes is Google's own.
    """

    classes: int = 1008
    blocks: Sequence[tuple[str, Sequence[int]]] = BLOCKS

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        def conv(name: str, width: int, size: int, x: jax.Array, *, stride: int = 1) -> jax.Array:
            # 7x7 at stride 2 is padded by 2 and 3, as TensorFlow's SAME does for even sizes.
            pads = [((size - stride) // 2, (size - stride + 1) // 2)] * 2
            strides = (stride, stride)
            x = nn.Conv(width, (size, size), strides=strides, padding=pads, name=f"{name}_pre_relu_conv")(x)
            return Relu(name=name)(x)

        x = MaxPool(name="maxpool0")(conv("conv2d0", 64, 7, x, stride=2))
        x = conv("conv2d1", 64, 1, Norm(name="localresponsenorm0")(x))
        x = conv("conv2d2", 192, 3, x)
        x = MaxPool(name="maxpool1")(Norm(name="localresponsenorm1")(x))
        for name, (one, reduce3, three, reduce5, five, reduce) in self.blocks:
            if name in POOL_BEFORE:
                x = MaxPool(name=POOL_BEFORE[name])(x)
            branches = (
                conv(f"{name}_1x1", one, 1, x),
                conv(f"{name}_3x3", three, 3, conv(f"{name}_3x3_bottleneck", reduce3, 1, x)),
                conv(f"{name}_5x5", five, 5, conv(f"{name}_5x5_bottleneck", reduce5, 1, x)),
                conv(f"{name}_pool_reduce", reduce, 1, MaxPool(1, name=f"{name}_pool")(x)),
            )
            x = Concatenation(name=name)(*branches)
        return nn.Dense(self.classes, name="softmax2_pre_activation_matmul")(jnp.mean(x, axis=(1, 2)))
