"""The PyTorch side of `networks.py`: networks with random weights that carry a signal, and their gradient step."""

from collections.abc import Callable
from contextlib import suppress

import numpy as np
import timm
import torch
import torchvision

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
# A gain that small or zero, as networks start with, would hide the block behind it.
SMALL_GAIN = 1e-3


class LayerReachedError(Exception):
    """Ends a pass behind the layer."""


def create(name: str, images: np.ndarray) -> torch.nn.Module:
    """A network of timm, or of torchvision as `torchvision/NAME`, its batch norms with the statistics of the images."""
    torch.manual_seed(0)
    library, _, model = name.rpartition("/")
    network = torchvision.models.get_model(model) if library else timm.create_model(model, pretrained=False)
    network = network.eval().requires_grad_(False)
    for parameter in network.parameters():
        if (
            parameter.ndim == 1
            and len(parameter) > 0
            and torch.all(parameter == parameter[0])
            and (parameter[0].abs() < SMALL_GAIN)
        ):
            parameter.normal_(0.0, 0.2)
    norms = [module for module in network.modules() if isinstance(module, torch.nn.BatchNorm2d | torch.nn.BatchNorm1d)]
    for norm in norms:
        norm.momentum = 1.0
        norm.train()
    network(torch.tensor(images).permute(0, 3, 1, 2))
    return network.eval()


def step(
    network: torch.nn.Module,
    layer: str,
    images: np.ndarray,
    memory_format: torch.memory_format,
    *,
    units_last: bool,
    normalized: bool,
    compile: bool = False,
) -> Callable[[], np.ndarray]:
    """The gradient of the first unit's mean activations with respect to the images, the pass cut behind the layer.

    Args:
      network: the network.
      layer: one of its modules.
      images: (n, h, w, 3).
      memory_format: of images and weights.
      units_last: whether the layer has its units in its last axis, or else behind the images'.
      normalized: whether images are normalized first, as ImageNet's.
      compile: by `torch.compile`, which cannot end a pass but removes what the gradient does not need.
    """
    network = network.to(memory_format=memory_format)
    start = torch.tensor(images).permute(0, 3, 1, 2).contiguous(memory_format=memory_format)
    mean, std = (torch.tensor(numbers)[:, None, None] for numbers in (MEAN, STD))
    reached: list[torch.Tensor] = []

    def keep(module: torch.nn.Module, inputs: object, output: torch.Tensor) -> None:
        reached.append(output)
        if not compile:
            raise LayerReachedError

    def score(x: torch.Tensor) -> torch.Tensor:
        reached.clear()
        with suppress(LayerReachedError):
            network((x - mean) / std if normalized else x)
        y = reached[0][..., 0] if units_last else reached[0][:, 0]
        return y.mean(tuple(range(1, y.ndim))).sum() if y.ndim > 1 else y.sum()

    function = torch.compile(score) if compile else score

    def run() -> np.ndarray:
        hook = network.get_submodule(layer).register_forward_hook(keep)
        x = start.clone().requires_grad_()
        try:
            function(x).backward()
        finally:
            hook.remove()
        assert x.grad is not None
        return x.grad.permute(0, 2, 3, 1).numpy()

    return run
