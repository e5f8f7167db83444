"""CLIP's image encoders (Radford et al. 2021), a ResNet and a transformer, with the names of OpenAI's code."""

from collections.abc import Sequence

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import lax

from featviz.zoo.architectures.attention import (
    Attention,
    Mlp,
    QuickGelu,
    attend,
    patches,
    positions_for,
    with_class_token,
)
from featviz.zoo.architectures.common_layers import BatchNorm, conv
from featviz.zoo.weights.convert import torch_name


def openai_name(path: str) -> str:
    """A tensor's name in OpenAI's file, which holds the text encoder as well.

    >>> openai_name("transformer/resblocks/0/attn/in_proj/kernel"), openai_name("proj/matrix")
    ('visual.transformer.resblocks.0.attn.in_proj_weight', 'visual.proj')
    """
    name = torch_name(path).replace("in_proj.", "in_proj_")
    return "visual." + name.removesuffix(".matrix")


class ResidualAttentionBlock(nn.Module):
    """Residual attention and MLP on normalized tokens: (n, tokens, c) -> the same."""

    heads: int

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        mixed = Attention(self.heads, names=("in_proj", "out_proj"), name="attn")(nn.LayerNorm(1e-5, name="ln_1")(x))
        x = x + mixed
        mlp = Mlp(4 * x.shape[-1], activation=QuickGelu, names=("c_fc", "gelu", "c_proj"), name="mlp")
        return x + mlp(nn.LayerNorm(1e-5, name="ln_2")(x))


class ResBlocks(nn.Module):
    """`depth` blocks in sequence, named by their indices."""

    depth: int
    heads: int

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        for index in range(self.depth):
            x = ResidualAttentionBlock(self.heads, name=str(index))(x)
        return x


class Transformer(nn.Module):
    """The blocks inside one more module, as in OpenAI's code: (n, tokens, c) -> the same."""

    depth: int
    heads: int

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        return ResBlocks(self.depth, self.heads, name="resblocks")(x)


class Projection(nn.Module):
    """(n, c) -> (n, features), the space that images and texts share."""

    features: int

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        shape = (x.shape[-1], self.features)
        return x @ self.param("matrix", nn.initializers.normal(x.shape[-1] ** -0.5), shape)


class ClipTransformer(nn.Module):
    """Embeddings of images whose sides are multiples of the patch, not normalized: (n, h, w, 3) -> (n, features).

    Tokens are the class token and then the patches, row by row. The position embedding has `trained_side` patches
    per side; for images of another size it is resampled, as open_clip does.
    """

    patch: int
    trained_side: int
    width: int = 768
    depth: int = 12
    heads: int = 12
    features: int = 512

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        x = patches(x, self.patch, self.width, bias=False, name="conv1")
        rows, columns = x.shape[1:3]
        normal = nn.initializers.normal(self.width**-0.5)
        token = self.param("class_embedding", normal, (self.width,))
        embedding = self.param("positional_embedding", normal, (1 + self.trained_side**2, self.width))
        x = with_class_token(x, token) + positions_for(embedding, rows, columns)[None]
        x = Transformer(self.depth, self.heads, name="transformer")(nn.LayerNorm(1e-5, name="ln_pre")(x))
        return Projection(self.features, name="proj")(nn.LayerNorm(1e-5, name="ln_post")(x[:, 0]))


def averaged(x: jax.Array, by: int) -> jax.Array:
    """Means over complete squares of by x by: (n, h, w, c) -> (n, h // by, w // by, c)."""
    window = (1, by, by, 1)
    return lax.reduce_window(x, 0.0, lax.add, window, window, "VALID") / by**2 if by > 1 else x


class Downsample(nn.Module):
    """Averages and then a convolution: (n, h, w, c) -> (n, h // stride, w // stride, width)."""

    width: int
    stride: int

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        return BatchNorm(name="1")(conv(self.width, 1, bias=False, name="0")(averaged(x, self.stride)))


class Bottleneck(nn.Module):
    """A residual block whose stride is an average pooling, so that its convolutions see every position."""

    planes: int
    stride: int

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        y = nn.relu(BatchNorm(name="bn1")(conv(self.planes, 1, bias=False, name="conv1")(x)))
        y = nn.relu(BatchNorm(name="bn2")(conv(self.planes, 3, padding=1, bias=False, name="conv2")(y)))
        y = BatchNorm(name="bn3")(conv(4 * self.planes, 1, bias=False, name="conv3")(averaged(y, self.stride)))
        if self.stride > 1 or x.shape[-1] != 4 * self.planes:
            x = Downsample(4 * self.planes, self.stride, name="downsample")(x)
        return nn.relu(y + x)


class Stage(nn.Module):
    """Residual blocks named by their indices; the first has the stride."""

    planes: int
    count: int
    stride: int

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        for index in range(self.count):
            x = Bottleneck(self.planes, self.stride if index == 0 else 1, name=str(index))(x)
        return x


class AttentionPool(nn.Module):
    """Attention from the mean of all positions to these and itself: (n, h, w, c) -> (n, features)."""

    heads: int
    features: int
    trained_side: int

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        rows, columns, width = x.shape[1:]
        normal = nn.initializers.normal(width**-0.5)
        embedding = self.param("positional_embedding", normal, (1 + self.trained_side**2, width))
        x = x.reshape(x.shape[0], rows * columns, width)
        x = jnp.concatenate([x.mean(axis=1, keepdims=True), x], axis=1)
        x = x + positions_for(embedding, rows, columns)[None]
        query, key, value = (nn.Dense(width, name=name) for name in ("q_proj", "k_proj", "v_proj"))
        pooled = attend(query(x[:, :1]), key(x), value(x), self.heads)
        return nn.Dense(self.features, name="c_proj")(pooled)[:, 0]


class ClipResNet(nn.Module):
    """Embeddings of images from 32 px up, not normalized: (n, h, w, 3) -> (n, features).

    The pooling's position embedding has `trained_side` positions per side; for images of another size it is resampled,
    as open_clip does.
    """

    blocks: Sequence[int] = (3, 4, 6, 3)
    width: int = 64
    heads: int = 32
    features: int = 1024
    trained_side: int = 7

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        for number, (width, stride) in enumerate([(self.width // 2, 2), (self.width // 2, 1), (self.width, 1)], 1):
            x = conv(width, 3, stride=stride, padding=1, bias=False, name=f"conv{number}")(x)
            x = nn.relu(BatchNorm(name=f"bn{number}")(x))
        x = averaged(x, 2)
        for number, count in enumerate(self.blocks):
            x = Stage(self.width * 2**number, count, min(number, 1) + 1, name=f"layer{number + 1}")(x)
        return AttentionPool(self.heads, self.features, self.trained_side, name="attnpool")(x)
