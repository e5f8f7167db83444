"""The pattern network during training: with batch norm, and with convolutions that are fast on a CPU.

The parameters are {layer: {"6x6": kernel, ..., "scale", "bias"}, "logits": {"kernel", "bias"}}.
`fold` turns them into those of `featviz.zoo.architectures.patterns.Patterns`, which has no batch norm. The
strided convolutions are computed on images folded to half the side and four times the channels
(XLA's gradient of a strided convolution with few channels takes several times as long on a CPU),
which gives the same numbers.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from featviz.zoo.architectures.patterns import BRANCHES, CLASSES, STRIDES

Params = dict[str, Any]
EPSILON = 1e-3  # added to the variance by batch norm
AXES = ("NHWC", "HWIO", "NHWC")


def init(rng: np.random.Generator) -> Params:
    """He-normal kernels, unit scales, a linear classifier."""
    params: Params = {}
    channels = 3
    for name, branches in BRANCHES.items():
        layer = {}
        for side, units in branches:
            sd = np.sqrt(2 / (side * side * channels))
            kernel = sd * rng.standard_normal((side, side, channels, units))
            layer[f"{side}x{side}"] = jnp.asarray(kernel, jnp.float32)
        channels = sum(units for _, units in branches)
        params[name] = {**layer, "scale": jnp.ones(channels), "bias": jnp.zeros(channels)}
    kernel = rng.standard_normal((channels, len(CLASSES))) / np.sqrt(channels)
    params["logits"] = {"kernel": jnp.asarray(kernel, jnp.float32), "bias": jnp.zeros(len(CLASSES))}
    return params


def _halve(x: jax.Array) -> jax.Array:
    """(..., h, w, c) to (..., h / 2, w / 2, 4 c): each 2x2 square's pixels become channels."""
    *lead, h, w, c = x.shape
    x = x.reshape(*lead, h // 2, 2, w // 2, 2, c)
    return jnp.moveaxis(x, -4, -3).reshape(*lead, h // 2, w // 2, 4 * c)


def _halve_kernel(kernel: jax.Array) -> jax.Array:
    """The kernel (k, k, c, d) of stride 2 as (k / 2, k / 2, 4 c, d) of stride 1."""
    return jnp.moveaxis(_halve(jnp.moveaxis(kernel, -1, 0)), 0, -1)


def _conv(x: jax.Array, kernel: jax.Array, padding: str | int) -> jax.Array:
    pads = padding if isinstance(padding, str) else ((padding, padding),) * 2
    return jax.lax.conv_general_dilated(x, kernel, (1, 1), pads, dimension_numbers=AXES)


def _pad(x: jax.Array, pad: int) -> jax.Array:
    """Zeros around the images."""
    return jnp.pad(x, ((0, 0), (pad, pad), (pad, pad), (0, 0)))


@partial(jax.custom_vjp, nondiff_argnums=(2,))
def _tap_convolve(x: jax.Array, kernel: jax.Array, pad: int) -> jax.Array:
    """A convolution of stride 1 whose kernel's gradient is one matrix product per tap.

    That is up to five times as fast as XLA's own on a CPU.
    """
    return _conv(x, kernel, pad)


def _tap_forward(x: jax.Array, kernel: jax.Array, pad: int) -> tuple:
    return _conv(x, kernel, pad), (x, kernel)


def _tap_backward(pad: int, saved: tuple, grad: jax.Array) -> tuple[jax.Array, jax.Array]:
    x, kernel = saved
    side, (_, h, w, _) = kernel.shape[0], grad.shape
    to_x = _conv(grad, kernel[::-1, ::-1].swapaxes(2, 3), side - 1 - pad)
    padded, flat = _pad(x, pad), grad.reshape(-1, grad.shape[-1]).T
    taps = [flat @ padded[:, i : i + h, j : j + w].reshape(-1, x.shape[-1]) for i in range(side) for j in range(side)]
    return to_x, jnp.stack(taps).swapaxes(1, 2).reshape(kernel.shape)


_tap_convolve.defvjp(_tap_forward, _tap_backward)


def _convolve(x: jax.Array, kernel: jax.Array, stride: int) -> jax.Array:
    """A convolution with "SAME" padding; an even kernel has stride 2."""
    side = kernel.shape[0]
    if stride == 2:
        # 2x2 squares of padding can be added after the folding, a single pixel cannot.
        squares, pixels = divmod(side // 2 - 1, 2)
        return _tap_convolve(_halve(_pad(x, pixels)), _halve_kernel(kernel), squares)
    return _tap_convolve(x, kernel, 1) if side == 3 else _conv(x, kernel, "SAME")


def forward(params: Params, stats: Params | None, x: jax.Array) -> tuple[jax.Array, Params]:
    """Logits of normalized images (n, 64, 64, 3), and the batch's {layer: (mean, variance)}.

    With `stats` None the batch's own mean and variance are used, as in training.
    """
    batch_stats: Params = {}
    for name, branches in BRANCHES.items():
        layer = params[name]
        if name == "mixed4a":
            n, h, w, c = x.shape
            x = x.reshape(n, h // 2, 2, w // 2, 2, c).max(axis=(2, 4))
        x = jnp.concatenate(
            [_convolve(x, layer[f"{side}x{side}"], STRIDES.get(name, 1)) for side, _ in branches], axis=-1
        )
        mean = x.mean(axis=(0, 1, 2))
        batch_stats[name] = (mean, jnp.maximum((x * x).mean(axis=(0, 1, 2)) - mean**2, 0))
        mean, variance = batch_stats[name] if stats is None else stats[name]
        gain = layer["scale"] * jax.lax.rsqrt(variance + EPSILON)
        x = jax.nn.relu(x * gain + (layer["bias"] - mean * gain))
    return x.mean(axis=(1, 2)) @ params["logits"]["kernel"] + params["logits"]["bias"], batch_stats


def fold(params: Params, stats: Params) -> Params:
    """Parameters of the plain network: batch norm goes into the kernels and biases."""
    plain: Params = {"logits": dict(params["logits"])}
    for name, branches in BRANCHES.items():
        mean, variance = stats[name]
        gain = params[name]["scale"] / jnp.sqrt(variance + EPSILON)
        bias = params[name]["bias"] - mean * gain
        plain[name], start = {}, 0
        for side, units in branches:
            part = slice(start, start + units)
            kernel = params[name][f"{side}x{side}"] * gain[part]
            plain[name][f"{side}x{side}"] = {"kernel": kernel, "bias": bias[part]}
            start += units
    return plain
