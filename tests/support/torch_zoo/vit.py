"""Vision transformers in plain PyTorch, with the names of timm's and of DINOv2's state dicts."""

import torch
import torch.nn.functional as F
from torch import nn


class Attention(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)

    def forward(self, x):
        n, t, c = x.shape
        q, k, v = self.qkv(x).reshape(n, t, 3, self.heads, c // self.heads).permute(2, 0, 3, 1, 4)
        weights = (q @ k.transpose(-2, -1) * (c // self.heads) ** -0.5).softmax(-1)
        return self.proj((weights @ v).transpose(1, 2).reshape(n, t, c))


class Mlp(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.fc1 = nn.Linear(width, 4 * width)
        self.act = nn.GELU()
        self.fc2 = nn.Linear(4 * width, width)

    def forward(self, x):
        return self.fc2(self.act(self.fc1(x)))


class LayerScale(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.gamma = nn.Parameter(torch.ones(width))

    def forward(self, x):
        return x * self.gamma


class Block(nn.Module):
    def __init__(self, width, heads, scaled):
        super().__init__()
        self.norm1, self.norm2 = (nn.LayerNorm(width, eps=1e-6) for _ in range(2))
        self.attn = Attention(width, heads)
        self.mlp = Mlp(width)
        self.ls1, self.ls2 = (LayerScale(width) if scaled else nn.Identity() for _ in range(2))

    def forward(self, x):
        x = x + self.ls1(self.attn(self.norm1(x)))
        return x + self.ls2(self.mlp(self.norm2(x)))


class PatchEmbed(nn.Module):
    def __init__(self, patch, width):
        super().__init__()
        self.proj = nn.Conv2d(3, width, patch, patch)

    def forward(self, x):
        return self.proj(x)


def resampled(embedding, shape, *, first):
    """As timm does: (1, t, c) -> (1, t', c), the `first` tokens' unchanged."""
    side = int((embedding.shape[1] - first) ** 0.5)
    square = embedding[:, first:].reshape(1, side, side, -1).permute(0, 3, 1, 2)
    if shape != (side, side):
        square = F.interpolate(square, size=shape, mode="bicubic", antialias=True)
    return torch.cat([embedding[:, :first], square.flatten(2).transpose(1, 2)], 1)


class VisionTransformer(nn.Module):
    """timm's."""

    def __init__(self, width=192, heads=3, depth=12, patch=16, trained_side=14, classes=1000):
        super().__init__()
        self.cls_token = nn.Parameter(torch.zeros(1, 1, width))
        self.pos_embed = nn.Parameter(torch.zeros(1, 1 + trained_side**2, width))
        self.patch_embed = PatchEmbed(patch, width)
        self.blocks = nn.Sequential(*(Block(width, heads, False) for _ in range(depth)))
        self.norm = nn.LayerNorm(width, eps=1e-6)
        self.head = nn.Linear(width, classes)

    def forward(self, x):
        x = self.patch_embed(x)
        embedding = resampled(self.pos_embed, tuple(x.shape[2:]), first=1)
        x = torch.cat([self.cls_token.expand(len(x), -1, -1), x.flatten(2).transpose(1, 2)], 1) + embedding
        return self.head(self.norm(self.blocks(x))[:, 0])


class DinoV2(nn.Module):
    """Meta's."""

    def __init__(self, width=384, heads=6, depth=12, patch=14, trained_side=37):
        super().__init__()
        self.cls_token = nn.Parameter(torch.zeros(1, 1, width))
        self.pos_embed = nn.Parameter(torch.zeros(1, 1 + trained_side**2, width))
        self.mask_token = nn.Parameter(torch.zeros(1, width))
        self.patch_embed = PatchEmbed(patch, width)
        self.blocks = nn.ModuleList(Block(width, heads, True) for _ in range(depth))
        self.norm = nn.LayerNorm(width, eps=1e-6)
        self.trained_side = trained_side

    def positions(self, rows, columns):
        if (rows, columns) == (self.trained_side, self.trained_side):
            return self.pos_embed
        square = self.pos_embed[:, 1:].reshape(1, self.trained_side, self.trained_side, -1).permute(0, 3, 1, 2)
        scale = ((rows + 0.1) / self.trained_side, (columns + 0.1) / self.trained_side)
        square = F.interpolate(square, scale_factor=scale, mode="bicubic")
        return torch.cat([self.pos_embed[:, :1], square.flatten(2).transpose(1, 2)], 1)

    def forward(self, x):
        x = self.patch_embed(x)
        embedding = self.positions(*x.shape[2:])
        x = torch.cat([self.cls_token.expand(len(x), -1, -1), x.flatten(2).transpose(1, 2)], 1) + embedding
        for block in self.blocks:
            x = block(x)
        return self.norm(x)[:, 0]
