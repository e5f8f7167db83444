"""PyTorch's own values: hooks on every module, on a network whose weights are none that could hide an error."""

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import torch
from torch import nn

import featviz as fv
from door_networks.comparison import Case, Value
from featviz.model import OUTPUT

# Where modules of these classes have their units; all whose names end in 2d have them behind the batch.
UNITS = {nn.Conv2d: 1, nn.ConvTranspose2d: 1, nn.BatchNorm2d: 1, nn.GroupNorm: 1, nn.Linear: -1, nn.LayerNorm: -1}


# What MLP-Mixer, ResMLP and gMLP call the linear maps over positions, behind which the units are channels still.
OVER_POSITIONS = ("mlp_tokens.", ".linear_tokens", ".gate.proj")


def units_axis(path: str, module: nn.Module) -> int | None:
    """The axis of a module's units, None where its class does not say.

    >>> units_axis("pool", nn.MaxPool2d(2)), units_axis("fc", nn.Linear(1, 1)), units_axis("act", nn.ReLU())
    (1, -1, None)
    """
    if any(part in f".{path}" for part in OVER_POSITIONS):
        return None
    return 1 if type(module).__name__.lower().endswith("2d") else UNITS.get(type(module))


def torch_case(make: Callable[[], nn.Module], size: int | tuple[int, int], *, channels: int = 3) -> Case:
    """A network of PyTorch, its weights drawn at random, and what its modules return."""
    torch.manual_seed(0)
    module = make().eval()
    randomize(module)
    sides = (size, size) if isinstance(size, int) else size
    spec = fv.InputSpec(size=sides, channels=channels, channels_first=True)
    return Case(sides, lambda: fv.from_torch(module, input=spec), lambda images: run(module, images), channels)


class Fixed(nn.Module):
    """A network all of whose inputs but the image have fixed values, the same for all images."""

    def __init__(self, network: nn.Module, **inputs: torch.Tensor) -> None:
        super().__init__()
        self.network, self.inputs = network, inputs

    def forward(self, images: torch.Tensor) -> Any:
        inputs = {name: value.expand(len(images), *value.shape[1:]) for name, value in self.inputs.items()}
        return self.network(images, **inputs)


def randomize(module: nn.Module) -> None:
    """Draws what is trivial in a fresh network: statistics, biases, branches that begin at zero, tiny weights."""
    with torch.no_grad():
        for name, buffer in module.named_buffers():
            if name.endswith("running_mean"):
                buffer.normal_(0, 0.1)
            elif name.endswith("running_var"):
                buffer.uniform_(0.75, 1.25)
        for parameter in module.parameters():
            if not parameter.is_floating_point() or parameter.numel() < 2:
                continue
            fan_in = parameter.numel() // len(parameter)
            if (parameter == parameter.flatten()[0]).all():
                small = bool(parameter.flatten()[0].abs() < 0.01)
                noise = torch.randn_like(parameter) * 0.1
                parameter.add_(noise) if small else parameter.mul_(1 + noise)
            elif parameter.ndim > 1 and parameter.std() < 0.5 / fan_in**0.5:
                parameter.normal_(0, fan_in**-0.5)


def run(module: nn.Module, images: np.ndarray) -> dict[str, Value]:
    """What all modules return for images (n, h, w, c): calls in their order, containers by their entries."""
    values: dict[str, Value] = {}

    def record(path: str) -> Callable[..., None]:
        def hook(each: nn.Module, args: Any, output: Any) -> None:
            found = list(_arrays(output))
            for entry, array in found:
                name = path if len(found) == 1 else f"{path}/{entry}"
                unique, repeats = name, 0
                while unique in values:
                    repeats += 1
                    unique = f"{name}[{repeats}]"
                values[unique] = Value(array.detach().cpu().clone().numpy(), units_axis(path, each))

        return hook

    handles = [each.register_forward_hook(record(path)) for path, each in module.named_modules() if path]
    fast = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with torch.no_grad():
            output = module(torch.tensor(images).permute(0, 3, 1, 2).contiguous())
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)
        for handle in handles:
            handle.remove()
    _, first = next(_arrays(output))
    return {**values, OUTPUT: Value(first.numpy())}


def _arrays(output: Any, path: str = "") -> Iterator[tuple[str, torch.Tensor]]:
    parts: Mapping[Any, Any] = {}
    if isinstance(output, torch.Tensor):
        yield path, output
    elif isinstance(output, Mapping):
        parts = output
    elif isinstance(output, tuple) and hasattr(output, "_fields"):
        parts = output._asdict()
    elif isinstance(output, list | tuple):
        parts = dict(enumerate(output))
    elif dataclasses.is_dataclass(output):
        parts = vars(output)
    for name, part in parts.items():
        yield from _arrays(part, f"{path}/{name}" if path else str(name))
