"""SigLIP's image tower in plain PyTorch, with the names of timm's state dict."""

import torch
from support.torch_zoo.vit import Block, Mlp, PatchEmbed, resampled
from torch import nn


class AttentionPool(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.latent = nn.Parameter(torch.zeros(1, 1, width))
        self.q = nn.Linear(width, width)
        self.kv = nn.Linear(width, 2 * width)
        self.proj = nn.Linear(width, width)
        self.norm = nn.LayerNorm(width, eps=1e-6)
        self.mlp = Mlp(width)

    def forward(self, x):
        n, t, c = x.shape
        q = self.q(self.latent.expand(n, -1, -1)).reshape(n, 1, self.heads, -1).transpose(1, 2)
        k, v = self.kv(x).reshape(n, t, 2, self.heads, -1).permute(2, 0, 3, 1, 4)
        weights = (q @ k.transpose(-2, -1) * (c // self.heads) ** -0.5).softmax(-1)
        x = self.proj((weights @ v).transpose(1, 2).reshape(n, 1, c))
        return (x + self.mlp(self.norm(x)))[:, 0]


class SigLip(nn.Module):
    def __init__(self, width=768, heads=12, depth=12, patch=16, trained_side=14):
        super().__init__()
        self.pos_embed = nn.Parameter(torch.zeros(1, trained_side**2, width))
        self.patch_embed = PatchEmbed(patch, width)
        self.blocks = nn.Sequential(*(Block(width, heads, False) for _ in range(depth)))
        self.norm = nn.LayerNorm(width, eps=1e-6)
        self.attn_pool = AttentionPool(width, heads)

    def forward(self, x):
        x = self.patch_embed(x)
        embedding = resampled(self.pos_embed, tuple(x.shape[2:]), first=0)
        x = x.flatten(2).transpose(1, 2) + embedding
        return self.attn_pool(self.norm(self.blocks(x)))
