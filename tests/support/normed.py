"""A small network with batch norms that have seen images by a given specification, and such images."""

from dataclasses import replace
from functools import partial

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from featviz.diagnosis.input_candidates import COLORED

SIDE = 24
CAFFE = replace(COLORED["0..255 less Caffe's mean, BGR"], size=(SIDE, SIDE))


def make_scenes():
    """Images whose colors and contrast are about those of photographs: smooth, warm, each with its own light."""
    draw = np.random.default_rng(0)
    coarse = draw.normal(size=(96, 4, 4, 1)) * 0.12 + draw.normal(size=(96, 4, 4, 3)) * 0.08
    smooth = jax.image.resize(jnp.asarray(coarse), (96, SIDE, SIDE, 3), "cubic")
    fine = draw.normal(size=(96, SIDE, SIDE, 1)) * 0.06
    light = draw.normal(size=(96, 1, 1, 1)) * 0.12
    return np.clip(np.asarray(smooth) + fine + light + (0.49, 0.46, 0.41), 0, 1).astype(np.float32)


class Normed(nn.Module):
    """Two convolutions with batch norms behind them, and classes of which nothing is known."""

    @nn.compact
    def __call__(self, x):
        for _ in range(2):
            x = nn.relu(nn.BatchNorm(use_running_average=True)(nn.Conv(12, (3, 3))(x)))
        return nn.Dense(5)(jnp.mean(x, axis=(1, 2)))


def trained(spec, images):
    """The weights of a network whose batch norms have stored the statistics of images that it took by `spec`."""
    variables = jax.jit(Normed().init)(jax.random.key(0), jnp.zeros((1, SIDE, SIDE, 3)))
    apply = jax.jit(partial(Normed().apply, capture_intermediates=True))
    for number in range(2):
        _, state = apply(variables, spec.encode(jnp.asarray(images)))
        (x,) = state["intermediates"][f"Conv_{number}"]["__call__"]
        stored = {"mean": jnp.mean(x, (0, 1, 2)), "var": jnp.var(x, (0, 1, 2))}
        statistics = {**variables["batch_stats"], f"BatchNorm_{number}": stored}
        variables = {**variables, "batch_stats": statistics}
    return variables
