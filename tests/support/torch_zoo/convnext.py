"""ConvNeXt in plain PyTorch, with torchvision's names."""

import torch
from torch import nn


class Permute(nn.Module):
    def __init__(self, *axes):
        super().__init__()
        self.axes = axes

    def forward(self, x):
        return x.permute(*self.axes)


class LayerNorm2d(nn.LayerNorm):
    def forward(self, x):
        return super().forward(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class Block(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.block = nn.Sequential(
            *(nn.Conv2d(width, width, 7, padding=3, groups=width), Permute(0, 2, 3, 1), nn.LayerNorm(width, eps=1e-6)),
            *(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width), Permute(0, 3, 1, 2)),
        )
        self.layer_scale = nn.Parameter(torch.ones(width, 1, 1))

    def forward(self, x):
        return x + self.layer_scale * self.block(x)


class ConvNeXt(nn.Module):
    def __init__(self, depths, width, classes=1000):
        super().__init__()
        steps = [nn.Sequential(nn.Conv2d(3, width, 4, 4), LayerNorm2d(width, eps=1e-6))]
        for number, depth in enumerate(depths):
            if number:
                steps.append(nn.Sequential(LayerNorm2d(width, eps=1e-6), nn.Conv2d(width, 2 * width, 2, 2)))
                width *= 2
            steps.append(nn.Sequential(*(Block(width) for _ in range(depth))))
        self.features = nn.Sequential(*steps)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Sequential(LayerNorm2d(width, eps=1e-6), nn.Flatten(1), nn.Linear(width, classes))

    def forward(self, x):
        return self.classifier(self.avgpool(self.features(x)))
