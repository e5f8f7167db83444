"""DINOv2 (Oquab et al. 2023), trained without labels: layers are named as in the authors' code and files."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from featviz.zoo.architectures.attention import Blocks, PatchEmbed, with_class_token

# The authors add this to the number of patches per side, against rounding (interpolate_pos_encoding); it shifts the
# sampling points.
OFFSET = 0.1


class DinoV2(nn.Module):
    """The class token's features, of images whose sides are multiples of the patch: (n, h, w, 3) -> (n, width).

    Tokens are the class token and then the patches, row by row. The position embedding has `trained_side` patches
    per side, of 518 px; at other sizes, such as 224 px, it is resampled. The MLP has four times the width.
    """

    width: int = 384
    depth: int = 12
    heads: int = 6
    patch: int = 14
    trained_side: int = 37

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        patches = PatchEmbed(self.patch, self.width, name="patch_embed")(x)
        _, rows, columns, width = patches.shape
        small = nn.initializers.truncated_normal(0.02)
        token = self.param("cls_token", small, (1, 1, width))
        embedding = self.param("pos_embed", small, (1, 1 + self.trained_side**2, width))
        tokens = with_class_token(patches, token) + self.positions(embedding[0], rows, columns)[None]
        tokens = Blocks(self.depth, self.heads, 4 * width, layer_scale=True, name="blocks")(tokens)
        return nn.LayerNorm(1e-6, name="norm")(tokens)[:, 0]

    def positions(self, embedding: jax.Array, rows: int, columns: int) -> jax.Array:
        """The embedding for rows x columns patches, resampled as the authors do: (t, c) -> (t', c)."""
        if (rows, columns) == (self.trained_side, self.trained_side):
            return embedding
        square = embedding[1:].reshape(self.trained_side, self.trained_side, -1)
        for axis, size in enumerate((rows, columns)):
            weights = cubic_weights(self.trained_side, size, (size + OFFSET) / self.trained_side)
            square = jnp.moveaxis(jnp.tensordot(weights, square, (1, axis), precision="highest"), 0, axis)
        return jnp.concatenate([embedding[:1], square.reshape(rows * columns, -1)])


def cubic_weights(before: int, after: int, scale: float) -> np.ndarray:
    """PyTorch's bicubic interpolation along one axis without antialiasing, as a matrix: (after, before).

    The four nearest samples are weighted by Keys' kernel with a = -0.75; beyond an edge the edge's sample counts.

    >>> cubic_weights(4, 2, 0.5).tolist()
    [[0.5, 0.59375, -0.09375, 0.0], [0.0, -0.09375, 0.59375, 0.5]]
    """
    position = (np.arange(after) + 0.5) / scale - 0.5
    weights = np.zeros((after, before), np.float32)
    a = -0.75
    for tap in range(-1, 3):
        source = np.floor(position) + tap
        x = np.abs(position - source)
        near, far = (a + 2) * x**3 - (a + 3) * x**2 + 1, a * (x**3 - 5 * x**2 + 8 * x - 4)
        np.add.at(weights, (np.arange(after), np.clip(source, 0, before - 1).astype(int)), np.where(x <= 1, near, far))
    return weights
