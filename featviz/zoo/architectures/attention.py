"""What vision transformers are made of: patches, attention, MLPs, and position embeddings for other sizes."""

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
    """(n, tokens, c) -> the same, through `hidden` units: those after the activation are the MLP's neurons."""

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
    """Each channel times a weight of its own (Touvron et al. 2021)."""

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        gamma = self.param("gamma", nn.initializers.ones, x.shape[-1:])
        return x * gamma.reshape((1,) * (x.ndim - 1) + gamma.shape)


class Block(nn.Module):
    """Attention and MLP, each on normalized tokens, with `scaled` weighted, and added: (n, tokens, c) -> the same."""

    heads: int
    hidden: int
    scaled: bool = False

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        mixed = Attention(self.heads, name="attn")(nn.LayerNorm(1e-6, name="norm1")(x))
        x = x + (LayerScale(name="ls1")(mixed) if self.scaled else mixed)
        mapped = Mlp(self.hidden, name="mlp")(nn.LayerNorm(1e-6, name="norm2")(x))
        return x + (LayerScale(name="ls2")(mapped) if self.scaled else mapped)


class Blocks(nn.Module):
    """`depth` blocks one after the other, named by their numbers."""

    depth: int
    heads: int
    hidden: int
    scaled: bool = False

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        for number in range(self.depth):
            x = Block(self.heads, self.hidden, scaled=self.scaled, name=str(number))(x)
        return x


class PatchEmbed(nn.Module):
    """An image's patches, each made a token: (n, h, w, 3) -> (n, h/patch, w/patch, width)."""

    patch: int
    width: int

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        return patches(x, self.patch, self.width, name="proj")


def patches(x: jax.Array, patch: int, width: int, *, name: str, bias: bool = True) -> jax.Array:
    """A convolution of the calling module that makes each patch a token: (n, h, w, 3) -> (n, h/patch, w/patch, width).

    Raises: FeatvizError if a side is no multiple of the patch.
    """
    if any(side % patch for side in x.shape[1:3]):
        found = " x ".join(map(str, x.shape[1:3]))
        raise FeatvizError(f"images are {found} px; this network takes sides that are multiples of {patch}")
    side = (patch, patch)
    return nn.Conv(width, side, strides=side, padding="VALID", use_bias=bias, name=name)(x)


def with_class_token(patches: jax.Array, token: jax.Array) -> jax.Array:
    """The class token, (c,) or (1, 1, c), and then the patches row by row: (n, h, w, c) -> (n, 1 + h w, c)."""
    count, rows, columns, width = patches.shape
    first = jnp.broadcast_to(token.reshape(1, 1, width), (count, 1, width))
    return jnp.concatenate([first, patches.reshape(count, rows * columns, width)], axis=1)


def positions_for(embedding: jax.Array, rows: int, columns: int) -> jax.Array:
    """A position embedding of a square of patches for rows x columns of them: (t, c) -> (t', c).

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
