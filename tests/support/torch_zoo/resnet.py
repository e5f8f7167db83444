"""ResNet in plain PyTorch, with torchvision's names."""

import torch
from torch import nn


class Block(nn.Module):
    def __init__(self, inside, convolutions):
        super().__init__()
        self.count = len(convolutions)
        width = inside
        for number, (outside, size, stride) in enumerate(convolutions, 1):
            self.add_module(f"conv{number}", nn.Conv2d(width, outside, size, stride, size // 2, bias=False))
            self.add_module(f"bn{number}", nn.BatchNorm2d(outside))
            width = outside
        stride = max(stride for _, _, stride in convolutions)
        self.downsample = None
        if stride != 1 or inside != width:
            self.downsample = nn.Sequential(nn.Conv2d(inside, width, 1, stride, bias=False), nn.BatchNorm2d(width))

    def forward(self, x):
        y = x
        for number in range(1, self.count + 1):
            y = getattr(self, f"bn{number}")(getattr(self, f"conv{number}")(y))
            y = torch.relu(y) if number < self.count else y
        return torch.relu(y + (x if self.downsample is None else self.downsample(x)))


class ResNet(nn.Module):
    def __init__(self, depths, bottleneck, classes=1000, width=64):
        super().__init__()
        self.conv1 = nn.Conv2d(3, width, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.maxpool = nn.MaxPool2d(3, 2, 1)
        inside = width
        for number, depth in enumerate(depths):
            blocks, middle = [], width * 2**number
            for at in range(depth):
                stride = 2 if number and at == 0 else 1
                plain = [(middle, 3, stride), (middle, 3, 1)]
                steps = [(middle, 1, 1), (middle, 3, stride), (4 * middle, 1, 1)] if bottleneck else plain
                blocks.append(Block(inside, steps))
                inside = steps[-1][0]
            self.add_module(f"layer{number + 1}", nn.Sequential(*blocks))
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(inside, classes)

    def forward(self, x):
        x = self.maxpool(torch.relu(self.bn1(self.conv1(x))))
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return self.fc(self.avgpool(x).flatten(1))
