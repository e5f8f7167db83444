"""GoogLeNet in plain PyTorch, with torchvision's names."""

import torch
from support.torch_zoo.inception_v3 import ConvNorm
from torch import nn


class Inception(nn.Module):
    def __init__(self, inside, one, reduce3, three, reduce5, five, projection):
        super().__init__()
        self.branch1 = ConvNorm(inside, one)
        self.branch2 = nn.Sequential(ConvNorm(inside, reduce3), ConvNorm(reduce3, three, 3, padding=1))
        self.branch3 = nn.Sequential(ConvNorm(inside, reduce5), ConvNorm(reduce5, five, 3, padding=1))
        self.branch4 = nn.Sequential(nn.MaxPool2d(3, 1, 1, ceil_mode=True), ConvNorm(inside, projection))

    def forward(self, x):
        return torch.cat([self.branch1(x), self.branch2(x), self.branch3(x), self.branch4(x)], 1)


class Aux(nn.Module):
    """In the file, for training alone."""

    def __init__(self, inside, classes):
        super().__init__()
        self.conv = ConvNorm(inside, 128)
        self.fc1 = nn.Linear(2048, 1024)
        self.fc2 = nn.Linear(1024, classes)


class GoogLeNet(nn.Module):
    def __init__(self, blocks, classes=1000):
        super().__init__()
        self.blocks = [name for name, _ in blocks]
        self.conv1 = ConvNorm(3, 64, 7, 2, 3)
        self.maxpool1 = nn.MaxPool2d(3, 2, ceil_mode=True)
        self.conv2 = ConvNorm(64, 64)
        self.conv3 = ConvNorm(64, 192, 3, padding=1)
        self.maxpool2 = nn.MaxPool2d(3, 2, ceil_mode=True)
        self.maxpool3 = nn.MaxPool2d(3, 2, ceil_mode=True)
        self.maxpool4 = nn.MaxPool2d(2, 2, ceil_mode=True)
        inside = 192
        for name, widths in blocks:
            self.add_module(name, Inception(inside, *widths))
            inside = widths[0] + widths[2] + widths[4] + widths[5]
            if name in ("inception4a", "inception4d"):
                self.add_module("aux1" if name == "inception4a" else "aux2", Aux(inside, classes))
        self.fc = nn.Linear(inside, classes)

    def forward(self, x):
        x = self.maxpool2(self.conv3(self.conv2(self.maxpool1(self.conv1(x)))))
        for name in self.blocks:
            x = self.maxpool3(x) if name == "inception4a" else x
            x = self.maxpool4(x) if name == "inception5a" else x
            x = getattr(self, name)(x)
        return self.fc(x.mean((2, 3)))
