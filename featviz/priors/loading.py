"""The denoiser of a prior: read from its file, and applied to images of a network's channels."""

import os
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from featviz.errors import FeatvizError
from featviz.priors.denoiser import Denoiser, denoise
from featviz.priors.prior_files import read_prior
from featviz.priors.unet import DenoiserConfig, Weights

# featviz's own, in the package.
NATURAL = "natural.safetensors"


def load_denoiser(file: str | os.PathLike[str] | None, channels: int) -> Denoiser:
    """The denoiser of a file, for images of so many channels.

    Args:
      file: of `write_prior`; None for featviz's own.
      channels: of the network's images; gray images can have a denoiser of RGB.

    Raises:
      FeatvizError: if there is no such file, it holds no denoiser, or it is for other channels.
    """
    path = prior_path(file)
    try:
        stat = os.stat(path)
    except OSError:
        raise FeatvizError(
            f"`prior` is `{path}`, which does not exist; expected a file of `featviz prior fit`"
        ) from None
    denoiser = _read(path, stat.st_mtime_ns, stat.st_size)
    known = denoiser.config.channels
    if channels != known and (channels, known) != (1, 3):
        raise FeatvizError(
            f"`prior` is for images of {known} channels, the network takes {channels}; expected a recipe without a "
            "prior, or a prior of such images"
        )
    return denoiser


def prior_path(file: str | os.PathLike[str] | None) -> Path:
    """Where a prior's file is.

    >>> prior_path(None).name
    'natural.safetensors'
    """
    return Path(str(resources.files("featviz.priors") / NATURAL)) if file is None else Path(file)


# Kept: every call of `render` reads it, and an atlas calls it thousands of times. A file that has changed is read anew.
@lru_cache(maxsize=2)
def _read(path: Path, changed: int, size: int) -> Denoiser:
    return read_prior(path)[0]


def denoise_channels(
    key: PRNGKeyArray,
    config: DenoiserConfig,
    weights: Weights,
    images: Float[Array, "n h w c"],
    sigma: Any,
    *,
    dtype: Any = jnp.float32,
) -> Float[Array, "n h w c"]:
    """The expected images, given noisy ones of the denoiser's channels, or gray ones with a denoiser of RGB.

    Noise of RGB with deviation sqrt(3) sigma has a mean over channels of deviation sigma. So gray images get the rest
    of such noise, what is left of it without its mean, and the result is the mean of the denoised channels.

    Args:
      key: of that noise.
      config: the denoiser's architecture.
      weights: its weights.
      images: noisy.
      sigma: the noise's standard deviation.
      dtype: in which the convolutions are computed.
    """
    if images.shape[-1] == config.channels:
        return denoise(config, weights, images, sigma, dtype=dtype)
    level = config.channels**0.5 * sigma
    noise = level * jax.random.normal(key, (*images.shape[:-1], config.channels))
    rest = noise - jnp.mean(noise, axis=-1, keepdims=True)
    return jnp.mean(denoise(config, weights, images + rest, level, dtype=dtype), axis=-1, keepdims=True)
