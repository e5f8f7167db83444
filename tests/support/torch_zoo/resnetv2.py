"""ResNet v2 in plain PyTorch, with timm's names."""

import torch
from torch import nn


class Downsample(nn.Module):
    def __init__(self, inside, outside, stride):
        super().__init__()
        self.conv = nn.Conv2d(inside, outside, 1, stride, bias=False)

    def forward(self, x):
        return self.conv(x)


class Block(nn.Module):
    def __init__(self, inside, outside, stride, first):
        super().__init__()
        middle = outside // 4
        self.downsample = Downsample(inside, outside, stride) if first else None
        self.norm1 = nn.BatchNorm2d(inside)
        self.conv1 = nn.Conv2d(inside, middle, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(middle)
        self.conv2 = nn.Conv2d(middle, middle, 3, stride, 1, bias=False)
        self.norm3 = nn.BatchNorm2d(middle)
        self.conv3 = nn.Conv2d(middle, outside, 1, bias=False)

    def forward(self, x):
        y = torch.relu(self.norm1(x))
        shortcut = x if self.downsample is None else self.downsample(y)
        y = self.conv2(torch.relu(self.norm2(self.conv1(y))))
        return self.conv3(torch.relu(self.norm3(y))) + shortcut


class Stage(nn.Module):
    def __init__(self, inside, outside, stride, depth):
        super().__init__()
        first = [Block(inside, outside, stride, True)]
        self.blocks = nn.Sequential(*first, *(Block(outside, outside, 1, False) for _ in range(depth - 1)))

    def forward(self, x):
        return self.blocks(x)


class Head(nn.Module):
    """Its dense layer is a convolution of one place."""

    def __init__(self, inside, classes):
        super().__init__()
        self.fc = nn.Conv2d(inside, classes, 1)

    def forward(self, x):
        return self.fc(x.mean((2, 3), keepdim=True)).flatten(1)


class ResNetV2(nn.Module):
    def __init__(self, depths, classes=1000, width=64):
        super().__init__()
        self.stem = nn.Sequential()
        self.stem.add_module("conv", nn.Conv2d(3, width, 7, 2, 3, bias=False))
        self.stem.add_module("pool", nn.MaxPool2d(3, 2, 1))
        outsides = [4 * width * 2**number for number in range(len(depths))]
        insides = [width, *outsides[:-1]]
        self.stages = nn.Sequential(
            *(Stage(insides[at], outsides[at], 2 if at else 1, depth) for at, depth in enumerate(depths))
        )
        self.norm = nn.BatchNorm2d(outsides[-1])
        self.head = Head(outsides[-1], classes)

    def forward(self, x):
        return self.head(torch.relu(self.norm(self.stages(self.stem(x)))))
