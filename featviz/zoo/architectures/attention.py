"""The parts of vision transformers: patches, attention, MLPs, and position embeddings for other sizes."""

from collections.abc import Callable

import flax.linen as nn
import jax
import jax.numpy as jnp

from featviz.errors import FeatvizError


class Gelu(nn.Module):
    """The exact GELU, x * Phi(x); a module, so that a transformer's MLP units have a name."""

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        return nn.gelu(x, approximate=False)


class QuickGelu(nn.Module):
    """CLIP's approximation of the GELU, x * sigmoid(1.702 x)."""

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        return x * nn.sigmoid(1.702 * x)


class Mlp(nn.Module):
    """Two dense layers with `hidden` units between them, the MLP's neurons: (n, tokens, c) -> the same."""

    hidden: int
    activation: Callable[..., nn.Module] = Gelu
    names: tuple[str, str, str] = ("fc1", "act", "fc2")

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        into, act, out = self.names
        inner = self.activation(name=act)(nn.Dense(self.hidden, name=into)(x))
        return nn.Dense(x.shape[-1], name=out)(inner)


def attend(q: jax.Array, k: jax.Array, v: jax.Array, heads: int) -> jax.Array:
    """softmax(q k' / sqrt(c / heads)) v in each head: (n, queries, c) and twice (n, keys, c) -> (n, queries, c)."""
    split = [x.reshape(*x.shape[:2], heads, x.shape[2] // heads) for x in (q, k, v)]
    return jax.nn.dot_product_attention(*split).reshape(q.shape)


class Attention(nn.Module):
    """Self-attention of all tokens: (n, tokens, c) -> the same."""

    heads: int
    names: tuple[str, str] = ("qkv", "proj")

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        into, out = self.names
        q, k, v = jnp.split(nn.Dense(3 * x.shape[-1], name=into)(x), 3, axis=-1)
        return nn.Dense(x.shape[-1], name=out)(attend(q, k, v, self.heads))


class LayerScale(nn.Module):
    """Each channel scaled by a learned weight (Touvron et al. 2021)."""

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        gamma = self.param("gamma", nn.initializers.ones, x.shape[-1:])
        return x * gamma.reshape((1,) * (x.ndim - 1) + gamma.shape)


class Block(nn.Module):
    """Residual attention and MLP on normalized tokens, with `layer_scale` weighted: (n, tokens, c) -> the same."""

    heads: int
    hidden: int
    layer_scale: bool = False

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        mixed = Attention(self.heads, name="attn")(nn.LayerNorm(1e-6, name="norm1")(x))
        x = x + (LayerScale(name="ls1")(mixed) if self.layer_scale else mixed)
        mapped = Mlp(self.hidden, name="mlp")(nn.LayerNorm(1e-6, name="norm2")(x))
        return x + (LayerScale(name="ls2")(mapped) if self.layer_scale else mapped)


class Blocks(nn.Module):
    """`depth` blocks in sequence, named by their indices."""

    depth: int
    heads: int
    hidden: int
    layer_scale: bool = False

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        for index in range(self.depth):
            x = Block(self.heads, self.hidden, layer_scale=self.layer_scale, name=str(index))(x)
        return x


class PatchEmbed(nn.Module):
    """An image's patches as tokens: (n, h, w, 3) -> (n, h/patch, w/patch, width)."""

    patch: int
    width: int

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        return patches(x, self.patch, self.width, name="proj")


def patches(x: jax.Array, patch: int, width: int, *, name: str, bias: bool = True) -> jax.Array:
    """A convolution of the calling module from patches to tokens: (n, h, w, 3) -> (n, h/patch, w/patch, width).

    Raises:
        FeatvizError: If a side is not a multiple of the patch.
    """
    if any(side % patch for side in x.shape[1:3]):
        found = " x ".join(map(str, x.shape[1:3]))
        raise FeatvizError(f"images are {found} px; this network takes sides that are multiples of {patch}")
    side = (patch, patch)
    return nn.Conv(width, side, strides=side, padding="VALID", use_bias=bias, name=name)(x)


def with_class_token(patches: jax.Array, token: jax.Array) -> jax.Array:
    """The class token, (c,) or (1, 1, c), followed by the patches row by row: (n, h, w, c) -> (n, 1 + h w, c)."""
    count, rows, columns, width = patches.shape
    first = jnp.broadcast_to(token.reshape(1, 1, width), (count, 1, width))
    return jnp.concatenate([first, patches.reshape(count, rows * columns, width)], axis=1)


def positions_for(embedding: jax.Array, rows: int, columns: int) -> jax.Array:
    """A position embedding of a square grid of patches for a grid of rows x columns: (t, c) -> (t', c).

    Tokens before the patches keep theirs; the square is resampled as timm and open_clip do, bicubic with antialiasing.

    >>> positions_for(jnp.ones((1 + 4 * 4, 8)), 2, 3).shape
    (7, 8)
    """
    side = int(len(embedding) ** 0.5)
    if (rows, columns) == (side, side):
        return embedding
    first, square = jnp.split(embedding, [len(embedding) - side * side])
    shape = (rows, columns, embedding.shape[-1])
    resized = jax.image.resize(square.reshape(side, side, -1), shape, "bicubic")
    return jnp.concatenate([first, resized.reshape(rows * columns, -1)])
