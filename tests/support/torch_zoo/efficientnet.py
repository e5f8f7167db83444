"""EfficientNet in plain PyTorch, with torchvision's names."""

import math

from torch import nn

# Table 1 of the paper: expansion, kernel, stride, width, number of blocks.
B0 = (
    *((1, 3, 1, 16, 1), (6, 3, 2, 24, 2), (6, 5, 2, 40, 2), (6, 3, 2, 80, 3)),
    *((6, 5, 1, 112, 3), (6, 5, 2, 192, 4), (6, 3, 1, 320, 1)),
)


def to_eights(value):
    """As in MobileNet's code: to the nearest multiple of 8, by no more than a tenth down."""
    rounded = max(8, math.floor(value / 8 + 0.5) * 8)
    return rounded + 8 if rounded < 0.9 * value else rounded


def conv_norm(inside, outside, size, stride=1, groups=1, *, silu=True):
    conv = nn.Conv2d(inside, outside, size, stride, (size - 1) // 2, groups=groups, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(outside), *([nn.SiLU()] if silu else []))


class SqueezeExcitation(nn.Module):
    def __init__(self, width, squeezed):
        super().__init__()
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc1 = nn.Conv2d(width, squeezed, 1)
        self.fc2 = nn.Conv2d(squeezed, width, 1)
        self.activation, self.scale_activation = nn.SiLU(), nn.Sigmoid()

    def forward(self, x):
        return x * self.scale_activation(self.fc2(self.activation(self.fc1(self.avgpool(x)))))


class MBConv(nn.Module):
    def __init__(self, inside, expansion, size, stride, outside):
        super().__init__()
        hidden = to_eights(inside * expansion)
        self.same = stride == 1 and inside == outside
        self.block = nn.Sequential(
            *([conv_norm(inside, hidden, 1)] if hidden != inside else []),
            conv_norm(hidden, hidden, size, stride, groups=hidden),
            SqueezeExcitation(hidden, max(1, inside // 4)),
            conv_norm(hidden, outside, 1, silu=False),
        )

    def forward(self, x):
        return x + self.block(x) if self.same else self.block(x)


class EfficientNet(nn.Module):
    def __init__(self, width=1.0, depth=1.0, classes=1000, stages=B0, first=32):
        super().__init__()
        inside = to_eights(first * width)
        steps = [conv_norm(3, inside, 3, 2)]
        for expansion, size, stride, wide, count in stages:
            blocks = []
            for number in range(math.ceil(count * depth)):
                blocks.append(MBConv(inside, expansion, size, 1 if number else stride, to_eights(wide * width)))
                inside = to_eights(wide * width)
            steps.append(nn.Sequential(*blocks))
        self.features = nn.Sequential(*steps, conv_norm(inside, 4 * inside, 1))
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Sequential(nn.Dropout(0.2), nn.Linear(4 * inside, classes))

    def forward(self, x):
        return self.classifier(self.avgpool(self.features(x)).flatten(1))
