"""DenseNet in plain PyTorch, with torchvision's names."""

import re

import torch
from torch import nn


class DenseLayer(nn.Module):
    def __init__(self, inside, growth):
        super().__init__()
        self.norm1 = nn.BatchNorm2d(inside)
        self.conv1 = nn.Conv2d(inside, 4 * growth, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(4 * growth)
        self.conv2 = nn.Conv2d(4 * growth, growth, 3, padding=1, bias=False)

    def forward(self, x):
        return self.conv2(torch.relu(self.norm2(self.conv1(torch.relu(self.norm1(x))))))


class DenseBlock(nn.ModuleDict):
    def __init__(self, inside, growth, depth):
        super().__init__({f"denselayer{i + 1}": DenseLayer(inside + i * growth, growth) for i in range(depth)})

    def forward(self, x):
        for layer in self.values():
            x = torch.cat([x, layer(x)], 1)
        return x


class Transition(nn.Module):
    def __init__(self, inside):
        super().__init__()
        self.norm = nn.BatchNorm2d(inside)
        self.conv = nn.Conv2d(inside, inside // 2, 1, bias=False)
        self.pool = nn.AvgPool2d(2, 2)

    def forward(self, x):
        return self.pool(self.conv(torch.relu(self.norm(x))))


class DenseNet(nn.Module):
    def __init__(self, depths, classes=1000, growth=32, width=64):
        super().__init__()
        self.features = nn.Sequential()
        self.features.add_module("conv0", nn.Conv2d(3, width, 7, 2, 3, bias=False))
        self.features.add_module("norm0", nn.BatchNorm2d(width))
        self.features.add_module("relu0", nn.ReLU())
        self.features.add_module("pool0", nn.MaxPool2d(3, 2, 1))
        for number, depth in enumerate(depths, 1):
            self.features.add_module(f"denseblock{number}", DenseBlock(width, growth, depth))
            width += depth * growth
            if number < len(depths):
                self.features.add_module(f"transition{number}", Transition(width))
                width //= 2
        self.features.add_module("norm5", nn.BatchNorm2d(width))
        self.classifier = nn.Linear(width, classes)

    def forward(self, x):
        return self.classifier(torch.relu(self.features(x)).mean((2, 3)))


def file_names(state):
    """The tensors as torchvision's file names them, which is older than its network."""
    return {re.sub(r"(denselayer\d+\.(?:norm|conv))([12])", r"\1.\2", name): value for name, value in state.items()}
