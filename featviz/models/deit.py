"""DeiT-tiny (Touvron et al. 2021), a vision transformer: layers and weights are named as timm names them."""

import flax.linen as nn
import jax
import jax.numpy as jnp

from featviz.errors import FeatvizError


class Gelu(nn.Module):
    """The exact GELU, x * Phi(x); a module, so that a transformer's MLP units have a name."""

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        return nn.gelu(x, approximate=False)


class Mlp(nn.Module):
    """(n, tokens, c) -> the same, through `hidden` units: those that `act` gives are the MLP's neurons."""

    hidden: int

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        inner = Gelu(name="act")(nn.Dense(self.hidden, name="fc1")(x))
        return nn.Dense(x.shape[-1], name="fc2")(inner)


class Attention(nn.Module):
    """Self-attention of all tokens, softmax(q k' / sqrt(c / heads)) v: (n, tokens, c) -> the same."""

    heads: int

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        batch, tokens, width = x.shape
        qkv = nn.Dense(3 * width, name="qkv")(x).reshape(batch, tokens, 3, self.heads, width // self.heads)
        q, k, v = (qkv[:, :, part] for part in range(3))
        mixed = jax.nn.dot_product_attention(q, k, v)
        return nn.Dense(width, name="proj")(mixed.reshape(batch, tokens, width))


class Block(nn.Module):
    """Attention and MLP, each on normalized tokens and added to them: (n, tokens, c) -> the same."""

    heads: int
    hidden: int

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        x = x + Attention(self.heads, name="attn")(nn.LayerNorm(1e-6, name="norm1")(x))
        return x + Mlp(self.hidden, name="mlp")(nn.LayerNorm(1e-6, name="norm2")(x))


class Blocks(nn.Module):
    """`depth` blocks one after the other, named by their numbers."""

    depth: int
    heads: int
    hidden: int

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        for number in range(self.depth):
            x = Block(self.heads, self.hidden, name=str(number))(x)
        return x


class PatchEmbed(nn.Module):
    """An image's patches, each made a token: (n, h, w, 3) -> (n, h/patch, w/patch, width)."""

    patch: int
    width: int

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        side = (self.patch, self.patch)
        return nn.Conv(self.width, side, strides=side, padding="VALID", name="proj")(x)


class DeiT(nn.Module):
    """Logits of images whose sides are multiples of the patch: (n, h, w, 3) -> (n, classes).

    Tokens are the class token and then the patches, row by row. The position embedding is that of `trained` patches a
    side; for images of another size it is resampled (bicubic, as timm does).
    """

    classes: int = 1000
    width: int = 192
    depth: int = 12
    heads: int = 3
    hidden: int = 768
    patch: int = 16
    trained: int = 14

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        if any(side % self.patch for side in x.shape[1:3]):
            found = " x ".join(map(str, x.shape[1:3]))
            raise FeatvizError(f"images are {found} px; this network takes sides that are multiples of {self.patch}")
        patches = PatchEmbed(self.patch, self.width, name="patch_embed")(x)
        count, rows, columns, width = patches.shape
        small = nn.initializers.truncated_normal(0.02)
        token = self.param("cls_token", small, (1, 1, width))
        embedding = self.param("pos_embed", small, (1, 1 + self.trained**2, width))
        if (rows, columns) != (self.trained, self.trained):
            square = embedding[:, 1:].reshape(1, self.trained, self.trained, width)
            square = jax.image.resize(square, (1, rows, columns, width), "bicubic")
            embedding = jnp.concatenate([embedding[:, :1], square.reshape(1, rows * columns, width)], axis=1)
        tokens = patches.reshape(count, rows * columns, width)
        tokens = jnp.concatenate([jnp.broadcast_to(token, (count, 1, width)), tokens], axis=1) + embedding
        tokens = Blocks(self.depth, self.heads, self.hidden, name="blocks")(tokens)
        tokens = nn.LayerNorm(1e-6, name="norm")(tokens)
        return nn.Dense(self.classes, name="head")(tokens[:, 0])
