"""InceptionV1 in plain PyTorch, with the literature's names, lucent's paddings and the graph's normalization."""

import torch
import torch.nn.functional as F
from torch import nn


class InceptionV1(nn.Module):
    def __init__(self, blocks, classes=1008):
        super().__init__()
        self.blocks = dict(blocks)

        def conv(name, inside, outside, size, stride=1):
            self.add_module(f"{name}_pre_relu_conv", nn.Conv2d(inside, outside, size, stride))

        conv("conv2d0", 3, 64, 7, 2)
        conv("conv2d1", 64, 64, 1)
        conv("conv2d2", 64, 192, 3)
        inside = 192
        for name, (one, reduce3, three, reduce5, five, reduce) in self.blocks.items():
            conv(f"{name}_1x1", inside, one, 1)
            conv(f"{name}_3x3_bottleneck", inside, reduce3, 1)
            conv(f"{name}_3x3", reduce3, three, 3)
            conv(f"{name}_5x5_bottleneck", inside, reduce5, 1)
            conv(f"{name}_5x5", reduce5, five, 5)
            conv(f"{name}_pool_reduce", inside, reduce, 1)
            inside = one + three + five + reduce
        self.softmax2_pre_activation_matmul = nn.Linear(inside, classes)

    def conv(self, name, x, pad=0):
        before, after = pad if isinstance(pad, tuple) else (pad, pad)
        x = F.pad(x, (before, after, before, after))
        return torch.relu(getattr(self, f"{name}_pre_relu_conv")(x))

    def forward(self, x):
        def pool(x):
            return F.max_pool2d(F.pad(x, (0, 1, 0, 1), value=float("-inf")), 3, 2)

        def norm(x):
            return F.local_response_norm(x, size=11, alpha=11e-4, beta=0.5, k=2)  # which divides alpha by the size

        x = norm(pool(self.conv("conv2d0", x, (2, 3))))
        x = pool(norm(self.conv("conv2d2", self.conv("conv2d1", x), 1)))
        for name in self.blocks:
            x = pool(x) if name in ("mixed4a", "mixed5a") else x
            branches = [
                self.conv(f"{name}_1x1", x),
                self.conv(f"{name}_3x3", self.conv(f"{name}_3x3_bottleneck", x), 1),
                self.conv(f"{name}_5x5", self.conv(f"{name}_5x5_bottleneck", x), 2),
                self.conv(f"{name}_pool_reduce", F.max_pool2d(x, 3, 1, 1)),
            ]
            x = torch.cat(branches, 1)
        return self.softmax2_pre_activation_matmul(x.mean((2, 3)))
