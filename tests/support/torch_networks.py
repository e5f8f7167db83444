"""Four kinds of networks in plain PyTorch, small and untrained, with statistics and biases that are not trivial."""

import torch
import torch.nn.functional as F
from torch import nn


class Basic(nn.Module):
    """One ReLU module for both places, in place."""

    def __init__(self, inside, outside, stride=1):
        super().__init__()
        self.conv1 = nn.Conv2d(inside, outside, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outside)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(outside, outside, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outside)
        self.downsample = None
        if stride != 1:
            self.downsample = nn.Sequential(nn.Conv2d(inside, outside, 1, stride, bias=False), nn.BatchNorm2d(outside))

    def forward(self, x):
        y = self.bn2(self.conv2(self.relu(self.bn1(self.conv1(x)))))
        y += x if self.downsample is None else self.downsample(x)
        return self.relu(y)


class Residual(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 8, 5, 2, 2, bias=False)
        self.bn1 = nn.BatchNorm2d(8)
        self.maxpool = nn.MaxPool2d(3, 2, 1)
        self.layer1 = nn.Sequential(Basic(8, 8), Basic(8, 8))
        self.layer2 = nn.Sequential(Basic(8, 16, 2), Basic(16, 16))
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(16, 5)

    def forward(self, x):
        x = self.maxpool(F.relu(self.bn1(self.conv1(x)), inplace=True))
        return self.fc(torch.flatten(self.avgpool(self.layer2(self.layer1(x))), 1))


class DenseLayer(nn.Module):
    def __init__(self, inside, growth):
        super().__init__()
        self.norm = nn.BatchNorm2d(inside)
        self.conv = nn.Conv2d(inside, growth, 3, padding=1, bias=False)

    def forward(self, features):
        return self.conv(F.relu(self.norm(torch.cat(features, 1))))


class DenseBlock(nn.ModuleDict):
    def __init__(self, inside, growth, count):
        super().__init__({f"denselayer{i + 1}": DenseLayer(inside + i * growth, growth) for i in range(count)})

    def forward(self, x):
        features = [x]
        for layer in self.values():
            features.append(layer(features))
        return torch.cat(features, 1)


class Dense(nn.Module):
    def __init__(self):
        super().__init__()
        self.features = nn.Sequential()
        self.features.add_module("conv0", nn.Conv2d(3, 8, 3, 2, 1))
        self.features.add_module("denseblock1", DenseBlock(8, 4, 3))
        transition = [nn.BatchNorm2d(20), nn.ReLU(inplace=True), nn.Conv2d(20, 10, 1), nn.AvgPool2d(2, 2)]
        self.features.add_module("transition1", nn.Sequential(*transition))
        self.features.add_module("denseblock2", DenseBlock(10, 4, 2))
        self.features.add_module("norm5", nn.BatchNorm2d(18))
        self.classifier = nn.Linear(18, 5)

    def forward(self, x):
        x = F.relu(self.features(x), inplace=True)
        return self.classifier(F.adaptive_avg_pool2d(x, (1, 1)).flatten(1))


class Squeeze(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.fc1 = nn.Conv2d(width, width // 4, 1)
        self.fc2 = nn.Conv2d(width // 4, width, 1)

    def forward(self, x):
        return x * F.hardsigmoid(self.fc2(F.relu(self.fc1(x.mean((2, 3), keepdim=True)))))


class Inverted(nn.Module):
    def __init__(self, inside, hidden, outside, stride, activation):
        super().__init__()
        self.add = stride == 1 and inside == outside
        self.block = nn.Sequential(
            nn.Conv2d(inside, hidden, 1, bias=False), nn.BatchNorm2d(hidden), activation(inplace=True),
            nn.Conv2d(hidden, hidden, 3, stride, 1, groups=hidden, bias=False), nn.BatchNorm2d(hidden),
            activation(inplace=True), Squeeze(hidden),
            nn.Conv2d(hidden, outside, 1, bias=False), nn.BatchNorm2d(outside),
        )  # fmt: skip

    def forward(self, x):
        return x + self.block(x) if self.add else self.block(x)


class InvertedResidual(nn.Module):
    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(
            nn.Sequential(nn.Conv2d(3, 8, 3, 2, 1, bias=False), nn.BatchNorm2d(8), nn.ReLU6(inplace=True)),
            Inverted(8, 16, 8, 1, nn.ReLU6),
            Inverted(8, 16, 12, 2, nn.Hardswish),
            Inverted(12, 24, 12, 1, nn.SiLU),
        )
        self.classifier = nn.Sequential(nn.Dropout(0.2), nn.Linear(12, 5))

    def forward(self, x):
        return self.classifier(self.features(x).mean([2, 3]))


class Attention(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)

    def forward(self, x):
        n, tokens, width = x.shape
        q, k, v = self.qkv(x).reshape(n, tokens, 3, self.heads, width // self.heads).permute(2, 0, 3, 1, 4).unbind(0)
        x = F.scaled_dot_product_attention(q, k, v)
        return self.proj(x.transpose(1, 2).reshape(n, tokens, width))


class Encoder(nn.Module):
    """A block of a vision transformer; its attention is PyTorch's own module, or written by hand."""

    def __init__(self, width, own):
        super().__init__()
        self.norm1 = nn.LayerNorm(width)
        self.attn = Attention(width, 2) if own else nn.MultiheadAttention(width, 2, batch_first=True)
        self.norm2 = nn.LayerNorm(width)
        self.mlp = nn.Sequential(nn.Linear(width, 2 * width), nn.GELU(), nn.Dropout(0.1), nn.Linear(2 * width, width))

    def forward(self, x):
        y = self.norm1(x)
        x = x + (self.attn(y) if isinstance(self.attn, Attention) else self.attn(y, y, y)[0])
        return x + self.mlp(self.norm2(x))


class VisionTransformer(nn.Module):
    def __init__(self, width=12, patch=8, size=32):
        super().__init__()
        self.conv_proj = nn.Conv2d(3, width, patch, patch)
        self.class_token = nn.Parameter(torch.zeros(1, 1, width))
        self.pos_embedding = nn.Parameter(torch.zeros(1, 1 + (size // patch) ** 2, width))
        self.blocks = nn.ModuleList([Encoder(width, False), Encoder(width, True)])
        self.norm = nn.LayerNorm(width, eps=1e-6)
        self.head = nn.Linear(width, 5)

    def forward(self, x):
        x = self.conv_proj(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.class_token.expand(x.shape[0], -1, -1), x], 1) + self.pos_embedding
        for block in self.blocks:
            x = block(x)
        return self.head(self.norm(x)[:, 0])


NETWORKS = {each.__name__: each for each in (Residual, Dense, InvertedResidual, VisionTransformer)}


def make(kind):
    """A network of a kind; its biases, statistics and tokens are drawn as well."""
    generator = torch.Generator().manual_seed(0)
    torch.manual_seed(0)
    network = kind()
    with torch.no_grad():
        for name, tensor in (*network.named_parameters(), *network.named_buffers()):
            if tensor.is_floating_point() and tensor.ndim != 4:
                noise = torch.rand(tensor.shape, generator=generator)
                wide = "running_var" in name or ("norm" in name and name.endswith("weight")) or "bn" in name
                tensor.copy_(0.5 + noise if wide and "mean" not in name and "bias" not in name else noise - 0.5)
    return network
