"""One step of a denoiser's training computed by PyTorch: on CPUs its convolutions take half of XLA's time.

The same crops, noise, loss, optimizer and mean of weights as `featviz.priors.training_step.fit_step`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import torch
from torch.nn import functional

from featviz.priors.crops import CropSource
from featviz.priors.training_step import BETAS, FitSettings, FitState, draw_batches, learning_rate, unet_task
from featviz.priors.unet import FREQUENCIES, STEM, DenoiserConfig

Tensors = dict[str, torch.Tensor]


def torch_step(config: DenoiserConfig, settings: FitSettings) -> Callable[..., tuple[FitState, float]]:
    """A function that does what `fit_step` does; the arrays of its state are numpy's.

    Args:
      config: the architecture.
      settings: of the training.
    """

    @jax.jit
    def draw(sources: tuple[CropSource, ...], place: Any) -> list[tuple[Any, Any, Any]]:
        batches = draw_batches(sources, place, config, settings)
        return [(*unet_task(config, images, noise, sigma), sigma) for images, noise, sigma in batches]

    def step(sources: tuple[CropSource, ...], total: Any, state: FitState) -> tuple[FitState, float]:
        batches = draw(sources, jnp.int32(state.step))
        weights = {name: torch.tensor(np.asarray(array)).requires_grad_() for name, array in state.weights.items()}
        losses = [_loss(config, weights, *(torch.tensor(np.asarray(part)) for part in batch)) for batch in batches]
        loss = torch.stack(losses).mean()
        loss.backward()
        gradient = {name: weight.grad.numpy() for name, weight in weights.items()}
        rate = float(learning_rate(float(state.step), float(total), settings))
        return _adam(state, gradient, rate, settings), loss.item()

    return step


def _adam(state: FitState, gradient: dict[str, Any], rate: float, settings: FitSettings) -> FitState:
    done = float(state.step) + 1
    norm = np.sqrt(sum(float(np.sum(np.square(leaf))) for leaf in gradient.values()))
    if not np.isfinite(norm):
        return state._replace(step=state.step + 1)
    cut = np.float32(min(1.0, settings.norm / (norm + 1e-12)))
    keep = np.float32(min(settings.average, done / (9 + done)))
    weights, average, moments = {}, {}, ({}, {})
    for name, leaf in gradient.items():
        for own, old, beta, power in zip(moments, state.moments, BETAS, (1, 2), strict=True):
            own[name] = np.float32(beta) * np.asarray(old[name]) + np.float32(1 - beta) * (cut * leaf) ** power
        update = moments[0][name] / np.float32(1 - BETAS[0] ** done)
        update /= np.sqrt(moments[1][name] / np.float32(1 - BETAS[1] ** done)) + np.float32(1e-8)
        old = np.asarray(state.weights[name])
        decay = settings.decay if old.ndim > 1 else 0.0
        weights[name] = old - np.float32(rate) * (update + np.float32(decay) * old)
        average[name] = keep * np.asarray(state.average[name]) + (1 - keep) * weights[name]
    return FitState(np.int32(done), weights, moments, average)


def _loss(config: DenoiserConfig, weights: Tensors, inputs: Any, target: Any, sigma: Any) -> torch.Tensor:
    raw = _unet(config, weights, inputs.permute(0, 3, 1, 2), sigma)
    return torch.mean((raw - target.permute(0, 3, 1, 2)) ** 2)


def _unet(config: DenoiserConfig, weights: Tensors, inputs: torch.Tensor, sigma: torch.Tensor) -> torch.Tensor:
    angles = 2 * torch.pi * (torch.log(sigma) / 4)[:, None] * 2 ** torch.linspace(-2, 2, FREQUENCIES)[None]
    condition = torch.cat([torch.cos(angles), torch.sin(angles)], dim=-1)
    for name in ("noise/first", "noise/second"):
        condition = functional.silu(_dense(weights, name, condition))
    # Channels of a pixel of the stem are ordered by row, column, color.
    n, c, height, width = inputs.shape
    parts = inputs.reshape(n, c, height // STEM, STEM, width // STEM, STEM)
    x = parts.permute(0, 3, 5, 1, 2, 4).reshape(n, -1, height // STEM, width // STEM)
    x = _conv(weights, "stem", x.contiguous(memory_format=torch.channels_last))
    kept = []
    for level in range(len(config.widths)):
        x = functional.avg_pool2d(x, 2) if level else x
        for block in range(config.blocks):
            x = _block(config, weights, f"down/{level}/{block}", x, condition)
        kept.append(x)
    for block in range(config.middle):
        x = _block(config, weights, f"middle/{block}", x, condition)
    for level in reversed(range(len(config.widths))):
        x = torch.cat([x, kept[level]], dim=1)
        for block in range(config.blocks):
            x = _block(config, weights, f"up/{level}/{block}", x, condition)
        x = functional.interpolate(x, scale_factor=2.0, mode="nearest") if level else x
    x = _conv(weights, "last", functional.silu(_norm(config, weights, "last/before", x)))
    parts = x.reshape(n, STEM, STEM, c, height // STEM, width // STEM)
    return parts.permute(0, 3, 4, 1, 5, 2).reshape(n, c, height, width)


def _block(config: DenoiserConfig, weights: Tensors, name: str, x: torch.Tensor, condition: torch.Tensor) -> Any:
    gain, shift = _dense(weights, f"{name}/film", condition)[:, :, None, None].chunk(2, dim=1)
    h = _conv(weights, f"{name}/first", functional.silu(_norm(config, weights, f"{name}/before", x)))
    h = _norm(config, weights, f"{name}/between", h) * (1 + gain) + shift
    h = _conv(weights, f"{name}/second", functional.silu(h))
    return h + (_conv(weights, f"{name}/skip", x) if f"{name}/skip/kernel" in weights else x)


def _norm(config: DenoiserConfig, weights: Tensors, name: str, x: torch.Tensor) -> torch.Tensor:
    return functional.group_norm(x, config.groups, weights[f"{name}/scale"], weights[f"{name}/bias"], 1e-5)


def _conv(weights: Tensors, name: str, x: torch.Tensor) -> torch.Tensor:
    kernel = weights[f"{name}/kernel"]
    own = kernel.permute(3, 2, 0, 1).contiguous(memory_format=torch.channels_last)
    return functional.conv2d(x, own, weights[f"{name}/bias"], padding=kernel.shape[0] // 2)


def _dense(weights: Tensors, name: str, x: torch.Tensor) -> torch.Tensor:
    return x @ weights[f"{name}/kernel"] + weights[f"{name}/bias"]
