"""MobileNet v2 in plain PyTorch, with torchvision's names."""

from torch import nn


def conv_norm(inside, outside, size, stride=1, groups=1):
    conv = nn.Conv2d(inside, outside, size, stride, size // 2, groups=groups, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(outside), nn.ReLU6())


class InvertedResidual(nn.Module):
    def __init__(self, inside, expansion, outside, stride):
        super().__init__()
        hidden = inside * expansion
        self.same = stride == 1 and inside == outside
        self.conv = nn.Sequential(
            *([conv_norm(inside, hidden, 1)] if expansion != 1 else []),
            conv_norm(hidden, hidden, 3, stride, groups=hidden),
            *(nn.Conv2d(hidden, outside, 1, bias=False), nn.BatchNorm2d(outside)),
        )

    def forward(self, x):
        return x + self.conv(x) if self.same else self.conv(x)


class MobileNetV2(nn.Module):
    def __init__(self, groups, classes=1000, first=32, last=1280):
        super().__init__()
        steps, inside = [conv_norm(3, first, 3, 2)], first
        for expansion, width, count, stride in groups:
            for number in range(count):
                steps.append(InvertedResidual(inside, expansion, width, 1 if number else stride))
                inside = width
        self.features = nn.Sequential(*steps, conv_norm(inside, last, 1))
        self.classifier = nn.Sequential(nn.Dropout(0.2), nn.Linear(last, classes))

    def forward(self, x):
        return self.classifier(self.features(x).mean((2, 3)))
