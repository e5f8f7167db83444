"""`Normalize`, which lucent imports; the benchmarks append another transform instead."""

import torch


class Normalize(torch.nn.Module):
    """(image - mean) / std by channel, for (..., channels, height, width)."""

    def __init__(self, mean: list[float], std: list[float]) -> None:
        super().__init__()
        self.mean, self.std = mean, std

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        mean, std = (image.new_tensor(values)[:, None, None] for values in (self.mean, self.std))
        return (image - mean) / std
