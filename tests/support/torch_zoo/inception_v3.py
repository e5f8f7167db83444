"""Inception v3 in plain PyTorch, with torchvision's names."""

import torch
import torch.nn.functional as F
from torch import nn


class ConvNorm(nn.Module):
    def __init__(self, inside, outside, size=1, stride=1, padding=0):
        super().__init__()
        self.conv = nn.Conv2d(inside, outside, size, stride, padding, bias=False)
        self.bn = nn.BatchNorm2d(outside, eps=0.001)

    def forward(self, x):
        return torch.relu(self.bn(self.conv(x)))


class A(nn.Module):
    def __init__(self, inside, pooled):
        super().__init__()
        self.branch1x1 = ConvNorm(inside, 64)
        self.branch5x5_1 = ConvNorm(inside, 48)
        self.branch5x5_2 = ConvNorm(48, 64, 5, padding=2)
        self.branch3x3dbl_1 = ConvNorm(inside, 64)
        self.branch3x3dbl_2 = ConvNorm(64, 96, 3, padding=1)
        self.branch3x3dbl_3 = ConvNorm(96, 96, 3, padding=1)
        self.branch_pool = ConvNorm(inside, pooled)

    def forward(self, x):
        five = self.branch5x5_2(self.branch5x5_1(x))
        double = self.branch3x3dbl_3(self.branch3x3dbl_2(self.branch3x3dbl_1(x)))
        return torch.cat([self.branch1x1(x), five, double, self.branch_pool(F.avg_pool2d(x, 3, 1, 1))], 1)


class B(nn.Module):
    def __init__(self, inside):
        super().__init__()
        self.branch3x3 = ConvNorm(inside, 384, 3, 2)
        self.branch3x3dbl_1 = ConvNorm(inside, 64)
        self.branch3x3dbl_2 = ConvNorm(64, 96, 3, padding=1)
        self.branch3x3dbl_3 = ConvNorm(96, 96, 3, 2)

    def forward(self, x):
        double = self.branch3x3dbl_3(self.branch3x3dbl_2(self.branch3x3dbl_1(x)))
        return torch.cat([self.branch3x3(x), double, F.max_pool2d(x, 3, 2)], 1)


class C(nn.Module):
    def __init__(self, inside, width):
        super().__init__()
        row, column = {"size": (1, 7), "padding": (0, 3)}, {"size": (7, 1), "padding": (3, 0)}
        self.branch1x1 = ConvNorm(inside, 192)
        self.branch7x7_1 = ConvNorm(inside, width)
        self.branch7x7_2 = ConvNorm(width, width, **row)
        self.branch7x7_3 = ConvNorm(width, 192, **column)
        self.branch7x7dbl_1 = ConvNorm(inside, width)
        self.branch7x7dbl_2 = ConvNorm(width, width, **column)
        self.branch7x7dbl_3 = ConvNorm(width, width, **row)
        self.branch7x7dbl_4 = ConvNorm(width, width, **column)
        self.branch7x7dbl_5 = ConvNorm(width, 192, **row)
        self.branch_pool = ConvNorm(inside, 192)

    def forward(self, x):
        seven = self.branch7x7_3(self.branch7x7_2(self.branch7x7_1(x)))
        double = x
        for number in range(1, 6):
            double = getattr(self, f"branch7x7dbl_{number}")(double)
        return torch.cat([self.branch1x1(x), seven, double, self.branch_pool(F.avg_pool2d(x, 3, 1, 1))], 1)


class D(nn.Module):
    def __init__(self, inside):
        super().__init__()
        self.branch3x3_1 = ConvNorm(inside, 192)
        self.branch3x3_2 = ConvNorm(192, 320, 3, 2)
        self.branch7x7x3_1 = ConvNorm(inside, 192)
        self.branch7x7x3_2 = ConvNorm(192, 192, (1, 7), padding=(0, 3))
        self.branch7x7x3_3 = ConvNorm(192, 192, (7, 1), padding=(3, 0))
        self.branch7x7x3_4 = ConvNorm(192, 192, 3, 2)

    def forward(self, x):
        seven = self.branch7x7x3_4(self.branch7x7x3_3(self.branch7x7x3_2(self.branch7x7x3_1(x))))
        return torch.cat([self.branch3x3_2(self.branch3x3_1(x)), seven, F.max_pool2d(x, 3, 2)], 1)


class E(nn.Module):
    def __init__(self, inside):
        super().__init__()
        row, column = {"size": (1, 3), "padding": (0, 1)}, {"size": (3, 1), "padding": (1, 0)}
        self.branch1x1 = ConvNorm(inside, 320)
        self.branch3x3_1 = ConvNorm(inside, 384)
        self.branch3x3_2a = ConvNorm(384, 384, **row)
        self.branch3x3_2b = ConvNorm(384, 384, **column)
        self.branch3x3dbl_1 = ConvNorm(inside, 448)
        self.branch3x3dbl_2 = ConvNorm(448, 384, 3, padding=1)
        self.branch3x3dbl_3a = ConvNorm(384, 384, **row)
        self.branch3x3dbl_3b = ConvNorm(384, 384, **column)
        self.branch_pool = ConvNorm(inside, 192)

    def forward(self, x):
        three, double = self.branch3x3_1(x), self.branch3x3dbl_2(self.branch3x3dbl_1(x))
        forks = [self.branch3x3_2a(three), self.branch3x3_2b(three)]
        forks += [self.branch3x3dbl_3a(double), self.branch3x3dbl_3b(double)]
        return torch.cat([self.branch1x1(x), *forks, self.branch_pool(F.avg_pool2d(x, 3, 1, 1))], 1)


class Aux(nn.Module):
    """In the file, for training alone."""

    def __init__(self, classes):
        super().__init__()
        self.conv0 = ConvNorm(768, 128)
        self.conv1 = ConvNorm(128, 768, 5)
        self.fc = nn.Linear(768, classes)


class InceptionV3(nn.Module):
    def __init__(self, classes=1000):
        super().__init__()
        self.Conv2d_1a_3x3 = ConvNorm(3, 32, 3, 2)
        self.Conv2d_2a_3x3 = ConvNorm(32, 32, 3)
        self.Conv2d_2b_3x3 = ConvNorm(32, 64, 3, padding=1)
        self.Conv2d_3b_1x1 = ConvNorm(64, 80)
        self.Conv2d_4a_3x3 = ConvNorm(80, 192, 3)
        self.Mixed_5b, self.Mixed_5c, self.Mixed_5d = A(192, 32), A(256, 64), A(288, 64)
        self.Mixed_6a = B(288)
        self.Mixed_6b, self.Mixed_6c, self.Mixed_6d, self.Mixed_6e = C(768, 128), C(768, 160), C(768, 160), C(768, 192)
        self.AuxLogits = Aux(classes)
        self.Mixed_7a = D(768)
        self.Mixed_7b, self.Mixed_7c = E(1280), E(2048)
        self.fc = nn.Linear(2048, classes)

    def forward(self, x):
        x = F.max_pool2d(self.Conv2d_2b_3x3(self.Conv2d_2a_3x3(self.Conv2d_1a_3x3(x))), 3, 2)
        x = F.max_pool2d(self.Conv2d_4a_3x3(self.Conv2d_3b_1x1(x)), 3, 2)
        for name in ("5b", "5c", "5d", "6a", "6b", "6c", "6d", "6e", "7a", "7b", "7c"):
            x = getattr(self, f"Mixed_{name}")(x)
        return self.fc(x.mean((2, 3)))
