"""The U-Net of a denoiser: its architecture, its random weights, and what it computes from them."""

import math
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

# Weights by the name of their place, such as `down/1/0/first/kernel`.
Weights = dict[str, Float[Array, "..."]]

# Pixels two apart enter as channels of half the size (space to depth).
STEM = 2
# Frequencies of the features of log sigma, from slow to fast within the noise levels of training.
FREQUENCIES = 16


@dataclass(frozen=True)
class DenoiserConfig:
    """The numbers of a denoiser's architecture, and of the images that it is for.

    Args:
      channels: of an image: 1 for gray, 3 for RGB.
      widths: channels of the levels, each at half the size of the one before; multiples of `groups`.
      blocks: residual blocks of a level, on each side.
      middle: residual blocks between the two sides, at the smallest size.
      embedding: features of the noise level.
      groups: of a group normalization.
      mean: of the images in [0,1].
      deviation: standard deviation of the images, sigma_data.

    >>> DenoiserConfig(widths=(16, 32)).multiple
    4
    """

    channels: int = 3
    widths: tuple[int, ...] = (48, 96, 128)
    blocks: int = 1
    middle: int = 2
    embedding: int = 32
    groups: int = 8
    mean: float = 0.45
    deviation: float = 0.27

    @property
    def multiple(self) -> int:
        """What the U-Net needs an image's height and width to be a multiple of."""
        return int(STEM * 2 ** (len(self.widths) - 1))


def init_weights(key: PRNGKeyArray, config: DenoiserConfig) -> Weights:
    """Random weights with which a denoiser is the best linear one for images without structure.

    Each block's second convolution and the last one are zero, so that training begins with the identity.

    Args:
      key: of the random numbers.
      config: the architecture.
    """
    weights: Weights = {}
    drawn: dict[str, float] = {}
    pixels = config.channels * STEM**2
    widths, embedding = config.widths, config.embedding

    def add(name: str, shape: tuple[int, ...], *, gain: float = 1.0) -> None:
        drawn[f"{name}/kernel"] = gain / math.sqrt(math.prod(shape[:-1]))
        weights[f"{name}/kernel"] = jnp.zeros(shape, jnp.float32)
        weights[f"{name}/bias"] = jnp.zeros(shape[-1:], jnp.float32)

    def add_norm(name: str, width: int) -> None:
        weights[f"{name}/scale"] = jnp.ones(width, jnp.float32)
        weights[f"{name}/bias"] = jnp.zeros(width, jnp.float32)

    def add_block(name: str, before: int, width: int) -> None:
        add_norm(f"{name}/before", before)
        add(f"{name}/first", (3, 3, before, width))
        add_norm(f"{name}/between", width)
        add(f"{name}/film", (embedding, 2 * width), gain=0.0)
        add(f"{name}/second", (3, 3, width, width), gain=0.0)
        if before != width:
            add(f"{name}/skip", (1, 1, before, width))

    add("noise/first", (2 * FREQUENCIES, embedding))
    add("noise/second", (embedding, embedding))
    add("stem", (3, 3, pixels, widths[0]))
    before = widths[0]
    for level, width in enumerate(widths):
        for block in range(config.blocks):
            add_block(f"down/{level}/{block}", before, width)
            before = width
    for block in range(config.middle):
        add_block(f"middle/{block}", before, before)
    for level, width in reversed(list(enumerate(widths))):
        for block in range(config.blocks):
            add_block(f"up/{level}/{block}", before + width * (block == 0), width)
            before = width
    add_norm("last/before", before)
    add("last", (3, 3, before, pixels), gain=0.0)
    # One draw for all: a random generator for each kernel would take XLA minutes to compile.
    scales = {name: scale for name, scale in drawn.items() if scale}
    normal = jax.random.normal(key, (sum(math.prod(weights[name].shape) for name in scales),))
    start = 0
    for name, scale in scales.items():
        shape = weights[name].shape
        weights[name] = scale * normal[start : start + math.prod(shape)].reshape(shape)
        start += math.prod(shape)
    return weights


def apply_unet(
    config: DenoiserConfig,
    weights: Weights,
    inputs: Float[Array, "n h w c"],
    sigma: Float[Array, " n"],
    *,
    dtype: Any = jnp.float32,
) -> Float[Array, "n h w c"]:
    """F: the U-Net itself, whose target has variance 1.

    Args:
      config: the architecture.
      weights: its weights.
      inputs: noisy images, scaled to variance 1.
      sigma: the noise level of each.
      dtype: in which the convolutions are computed.
    """
    height, width = inputs.shape[1:3]
    rows, columns = -height % config.multiple, -width % config.multiple
    if rows or columns:
        # Mirrored, so that the noise beyond the edge is as strong as within.
        around = ((0, 0), (rows // 2, rows - rows // 2), (columns // 2, columns - columns // 2), (0, 0))
        inputs = jnp.pad(inputs, around, mode="symmetric")
    condition = _embed(weights, sigma)
    # In full precision: the least noise is a hundredth of the image.
    x = _conv(weights, "stem", _space_to_depth(inputs), precision="highest").astype(dtype)
    kept = []
    for level in range(len(config.widths)):
        x = _halve(x) if level else x
        for block in range(config.blocks):
            x = _block(config, weights, f"down/{level}/{block}", x, condition)
        kept.append(x)
    for block in range(config.middle):
        x = _block(config, weights, f"middle/{block}", x, condition)
    for level in reversed(range(len(config.widths))):
        x = jnp.concatenate([x, kept[level]], axis=-1)
        for block in range(config.blocks):
            x = _block(config, weights, f"up/{level}/{block}", x, condition)
        x = _double(x) if level else x
    x = jax.nn.silu(_norm(config, weights, "last/before", x))
    output = _depth_to_space(_conv(weights, "last", x).astype(jnp.float32))
    return output[:, rows // 2 : rows // 2 + height, columns // 2 : columns // 2 + width]


def _embed(weights: Weights, sigma: Float[Array, " n"]) -> Float[Array, "n e"]:
    """Features of log(sigma) / 4, from sines of fixed frequencies (Tancik et al. 2020)."""
    angles = 2 * jnp.pi * (jnp.log(sigma) / 4)[:, None] * 2 ** jnp.linspace(-2, 2, FREQUENCIES)[None]
    x = jnp.concatenate([jnp.cos(angles), jnp.sin(angles)], axis=-1)
    for name in ("noise/first", "noise/second"):
        x = jax.nn.silu(_dense(weights, name, x))
    return x


def _block(config: DenoiserConfig, weights: Weights, name: str, x: Array, condition: Array) -> Array:
    """A residual block, whose second half is scaled and shifted by the noise level (FiLM)."""
    film = _dense(weights, f"{name}/film", condition)
    h = jax.nn.silu(_norm(config, weights, f"{name}/before", x))
    h = _conv(weights, f"{name}/first", h)
    h = jax.nn.silu(_norm(config, weights, f"{name}/between", h, film=film))
    h = _conv(weights, f"{name}/second", h)
    return h + (_conv(weights, f"{name}/skip", x) if f"{name}/skip/kernel" in weights else x)


def _norm(config: DenoiserConfig, weights: Weights, name: str, x: Array, *, film: Array | None = None) -> Array:
    """Group normalization, then FiLM if there is one, as one scale and one shift of each channel."""
    n, channels = x.shape[0], x.shape[-1]
    grouped = (n, config.groups, channels // config.groups)
    wide = x.astype(jnp.float32)
    mean = jnp.mean(jnp.mean(wide, axis=(1, 2)).reshape(grouped), axis=-1, keepdims=True)
    square = jnp.mean(jnp.mean(wide * wide, axis=(1, 2)).reshape(grouped), axis=-1, keepdims=True)
    rate = jax.lax.rsqrt(jnp.maximum(square - mean * mean, 0) + 1e-5)
    ones = jnp.ones(grouped, jnp.float32)
    scale = (ones * rate).reshape(n, channels) * weights[f"{name}/scale"][None]
    shift = weights[f"{name}/bias"][None] - (ones * mean).reshape(n, channels) * scale
    if film is not None:
        gain, offset = jnp.split(film, 2, axis=-1)
        scale, shift = scale * (1 + gain), shift * (1 + gain) + offset
    return (wide * scale[:, None, None] + shift[:, None, None]).astype(x.dtype)


def _conv(weights: Weights, name: str, x: Array, *, precision: Any = None) -> Array:
    y = jax.lax.conv_general_dilated(
        x,
        weights[f"{name}/kernel"].astype(x.dtype),
        (1, 1),
        "SAME",
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
        precision=precision,
    )
    return y + weights[f"{name}/bias"].astype(x.dtype)[None, None, None]


def _dense(weights: Weights, name: str, x: Array) -> Array:
    return x @ weights[f"{name}/kernel"] + weights[f"{name}/bias"][None]


def _halve(x: Array) -> Array:
    """Means of 2 x 2: no aliasing beyond what the mean leaves."""
    n, height, width, channels = x.shape
    return jnp.mean(x.reshape(n, height // 2, 2, width // 2, 2, channels), axis=(2, 4))


def _double(x: Array) -> Array:
    """Each value four times; the convolution that follows makes it smooth, and no checkerboard arises."""
    n, height, width, channels = x.shape
    wide = jnp.broadcast_to(x[:, :, None, :, None], (n, height, 2, width, 2, channels))
    return wide.reshape(n, 2 * height, 2 * width, channels)


def _space_to_depth(x: Array) -> Array:
    n, height, width, channels = x.shape
    parts = x.reshape(n, height // STEM, STEM, width // STEM, STEM, channels)
    return parts.transpose(0, 1, 3, 2, 4, 5).reshape(n, height // STEM, width // STEM, -1)


def _depth_to_space(x: Array) -> Array:
    n, height, width, channels = x.shape
    parts = x.reshape(n, height, width, STEM, STEM, channels // STEM**2)
    return parts.transpose(0, 1, 3, 2, 4, 5).reshape(n, height * STEM, width * STEM, -1)
