"""SqueezeNet 1.0 in plain PyTorch, with torchvision's names."""

import torch
from torch import nn


class Fire(nn.Module):
    def __init__(self, inside, squeeze, expand):
        super().__init__()
        self.squeeze = nn.Conv2d(inside, squeeze, 1)
        self.expand1x1 = nn.Conv2d(squeeze, expand, 1)
        self.expand3x3 = nn.Conv2d(squeeze, expand, 3, padding=1)

    def forward(self, x):
        x = torch.relu(self.squeeze(x))
        return torch.relu(torch.cat([self.expand1x1(x), self.expand3x3(x)], 1))


class SqueezeNet(nn.Module):
    def __init__(self, classes=1000):
        super().__init__()
        self.features = nn.Sequential(
            *(nn.Conv2d(3, 96, 7, 2), nn.ReLU(), nn.MaxPool2d(3, 2, ceil_mode=True)),
            *(Fire(96, 16, 64), Fire(128, 16, 64), Fire(128, 32, 128), nn.MaxPool2d(3, 2, ceil_mode=True)),
            *(Fire(256, 32, 128), Fire(256, 48, 192), Fire(384, 48, 192), Fire(384, 64, 256)),
            *(nn.MaxPool2d(3, 2, ceil_mode=True), Fire(512, 64, 256)),
        )
        final = nn.Conv2d(512, classes, 1)
        self.classifier = nn.Sequential(nn.Dropout(), final, nn.ReLU(), nn.AdaptiveAvgPool2d(1))

    def forward(self, x):
        return self.classifier(self.features(x)).flatten(1)
