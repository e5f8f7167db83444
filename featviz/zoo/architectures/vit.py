"""Vision transformers (Dosovitskiy et al. 2021) and DeiT (Touvron et al. 2021), with timm's names."""

import flax.linen as nn
import jax

from featviz.zoo.architectures.attention import Blocks, PatchEmbed, positions_for, with_class_token


class VisionTransformer(nn.Module):
    """Logits of images whose sides are multiples of the patch: (n, h, w, 3) -> (n, classes).

    Tokens are the class token and then the patches, row by row. The position embedding has `trained_side` patches
    per side; for images of another size it is resampled. The MLP has four times the width.
    """

    classes: int = 1000
    width: int = 192
    depth: int = 12
    heads: int = 3
    patch: int = 16
    trained_side: int = 14

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        patches = PatchEmbed(self.patch, self.width, name="patch_embed")(x)
        _, rows, columns, width = patches.shape
        small = nn.initializers.truncated_normal(0.02)
        token = self.param("cls_token", small, (1, 1, width))
        embedding = self.param("pos_embed", small, (1, 1 + self.trained_side**2, width))
        tokens = with_class_token(patches, token) + positions_for(embedding[0], rows, columns)[None]
        tokens = Blocks(self.depth, self.heads, 4 * width, name="blocks")(tokens)
        tokens = nn.LayerNorm(1e-6, name="norm")(tokens)
        return nn.Dense(self.classes, name="head")(tokens[:, 0])
