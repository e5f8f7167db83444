"""SigLIP's image encoder (Zhai et al. 2023), with timm's names."""

import flax.linen as nn
import jax
import jax.numpy as jnp

from featviz.zoo.architectures.attention import Blocks, Mlp, PatchEmbed, attend, positions_for


class AttentionPool(nn.Module):
    """Attention from one learned query to all tokens, and an MLP: (n, tokens, c) -> (n, c)."""

    heads: int
    hidden: int

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        count, _, width = x.shape
        latent = self.param("latent", nn.initializers.truncated_normal(width**-0.5), (1, 1, width))
        query = nn.Dense(width, name="q")(jnp.broadcast_to(latent, (count, 1, width)))
        key, value = jnp.split(nn.Dense(2 * width, name="kv")(x), 2, axis=-1)
        x = nn.Dense(width, name="proj")(attend(query, key, value, self.heads))
        return (x + Mlp(self.hidden, name="mlp")(nn.LayerNorm(1e-6, name="norm")(x)))[:, 0]


class SigLip(nn.Module):
    """Embeddings of images whose sides are multiples of the patch, not normalized: (n, h, w, 3) -> (n, width).

    Tokens are the patches, row by row; there is no class token. The position embedding has
    `trained_side` patches per side; for images of another size it is resampled. The MLP has four times the width.
    """

    width: int = 768
    depth: int = 12
    heads: int = 12
    patch: int = 16
    trained_side: int = 14

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        patches = PatchEmbed(self.patch, self.width, name="patch_embed")(x)
        count, rows, columns, width = patches.shape
        small = nn.initializers.truncated_normal(0.02)
        embedding = self.param("pos_embed", small, (1, self.trained_side**2, width))
        tokens = patches.reshape(count, rows * columns, width) + positions_for(embedding[0], rows, columns)[None]
        tokens = Blocks(self.depth, self.heads, 4 * width, name="blocks")(tokens)
        tokens = nn.LayerNorm(1e-6, name="norm")(tokens)
        return AttentionPool(self.heads, 4 * width, name="attn_pool")(tokens)
