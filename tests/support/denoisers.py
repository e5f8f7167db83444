"""Denoisers small enough to compile in a second, in files."""

import jax
import numpy as np

from featviz.priors.denoiser import Denoiser
from featviz.priors.prior_files import PriorRecord, write_prior
from featviz.priors.unet import DenoiserConfig, init_weights


def make_denoiser(*, channels=3, seed=0):
    """Random weights, the last ones too, so that every part of it counts."""
    config = DenoiserConfig(channels, (8,), 1, 1, 8, mean=0.45, deviation=0.27)
    shapes = jax.eval_shape(lambda key: init_weights(key, config), jax.random.key(0))
    rng = np.random.default_rng(seed)
    weights = {name: rng.normal(0, 0.2, leaf.shape).astype(np.float16) for name, leaf in shapes.items()}
    return Denoiser(config, {name: array.astype(np.float32) for name, array in weights.items()})


def write_denoiser(folder, **options):
    """Its file."""
    return str(write_prior(folder / "own.safetensors", make_denoiser(**options), PriorRecord("noise", 1, None)))
