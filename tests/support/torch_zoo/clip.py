"""CLIP's image towers in plain PyTorch, with the names of OpenAI's state dict and one tensor of the tower of texts."""

from collections import OrderedDict

import torch
import torch.nn.functional as F
from support.torch_zoo.vit import resampled
from torch import nn


class Clip(nn.Module):
    """The tower as `visual`, beside what else is in the file."""

    def __init__(self, visual):
        super().__init__()
        self.visual = visual
        self.text_projection = nn.Parameter(torch.zeros(2, 2))
        self.logit_scale = nn.Parameter(torch.zeros(()))

    def forward(self, x):
        return self.visual(x)


class QuickGelu(nn.Module):
    def forward(self, x):
        return x * torch.sigmoid(1.702 * x)


class ResidualAttentionBlock(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.attn = nn.MultiheadAttention(width, heads, batch_first=True)
        self.ln_1, self.ln_2 = nn.LayerNorm(width), nn.LayerNorm(width)
        layers = [nn.Linear(width, 4 * width), QuickGelu(), nn.Linear(4 * width, width)]
        self.mlp = nn.Sequential(OrderedDict(zip(["c_fc", "gelu", "c_proj"], layers, strict=True)))

    def forward(self, x):
        y = self.ln_1(x)
        x = x + self.attn(y, y, y, need_weights=False)[0]
        return x + self.mlp(self.ln_2(x))


class Transformer(nn.Module):
    def __init__(self, width, heads, depth):
        super().__init__()
        self.resblocks = nn.Sequential(*(ResidualAttentionBlock(width, heads) for _ in range(depth)))

    def forward(self, x):
        return self.resblocks(x)


class ClipTransformer(nn.Module):
    def __init__(self, patch, trained_side, width=768, heads=12, depth=12, features=512):
        super().__init__()
        self.class_embedding = nn.Parameter(torch.zeros(width))
        self.positional_embedding = nn.Parameter(torch.zeros(1 + trained_side**2, width))
        self.proj = nn.Parameter(torch.zeros(width, features))
        self.conv1 = nn.Conv2d(3, width, patch, patch, bias=False)
        self.ln_pre, self.ln_post = nn.LayerNorm(width), nn.LayerNorm(width)
        self.transformer = Transformer(width, heads, depth)

    def forward(self, x):
        x = self.conv1(x)
        embedding = resampled(self.positional_embedding[None], tuple(x.shape[2:]), first=1)
        x = torch.cat([self.class_embedding.expand(len(x), 1, -1), x.flatten(2).transpose(1, 2)], 1) + embedding
        return self.ln_post(self.transformer(self.ln_pre(x))[:, 0]) @ self.proj


class Bottleneck(nn.Module):
    def __init__(self, inside, planes, stride):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(inside, planes, 1, bias=False), nn.BatchNorm2d(planes)
        self.conv2, self.bn2 = nn.Conv2d(planes, planes, 3, padding=1, bias=False), nn.BatchNorm2d(planes)
        self.conv3, self.bn3 = nn.Conv2d(planes, 4 * planes, 1, bias=False), nn.BatchNorm2d(4 * planes)
        self.pool = nn.AvgPool2d(stride)
        self.downsample = nn.Identity()
        if stride > 1 or inside != 4 * planes:
            layers = [nn.AvgPool2d(stride), nn.Conv2d(inside, 4 * planes, 1, bias=False), nn.BatchNorm2d(4 * planes)]
            self.downsample = nn.Sequential(OrderedDict(zip(["-1", "0", "1"], layers, strict=True)))

    def forward(self, x):
        y = F.relu(self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x))))))
        return F.relu(self.bn3(self.conv3(self.pool(y))) + self.downsample(x))


class AttentionPool(nn.Module):
    def __init__(self, width, heads, features, trained_side):
        super().__init__()
        self.heads = heads
        self.positional_embedding = nn.Parameter(torch.zeros(1 + trained_side**2, width))
        self.k_proj, self.q_proj, self.v_proj = (nn.Linear(width, width) for _ in range(3))
        self.c_proj = nn.Linear(width, features)

    def forward(self, x):
        embedding = resampled(self.positional_embedding[None], tuple(x.shape[2:]), first=1)[0]
        x = x.flatten(2).permute(2, 0, 1)
        x = torch.cat([x.mean(0, keepdim=True), x]) + embedding[:, None]
        q, k, v = self.q_proj, self.k_proj, self.v_proj
        x, _ = F.multi_head_attention_forward(
            x, x, x, x.shape[-1], self.heads, None, torch.cat([q.bias, k.bias, v.bias]), None, None, False, 0.0,
            self.c_proj.weight, self.c_proj.bias, training=False, need_weights=False, use_separate_proj_weight=True,
            q_proj_weight=q.weight, k_proj_weight=k.weight, v_proj_weight=v.weight,
        )  # fmt: skip
        return x[0]


class ClipResNet(nn.Module):
    def __init__(self, blocks=(3, 4, 6, 3), width=64, heads=32, features=1024, trained_side=7):
        super().__init__()
        half = width // 2
        self.conv1, self.bn1 = nn.Conv2d(3, half, 3, 2, 1, bias=False), nn.BatchNorm2d(half)
        self.conv2, self.bn2 = nn.Conv2d(half, half, 3, 1, 1, bias=False), nn.BatchNorm2d(half)
        self.conv3, self.bn3 = nn.Conv2d(half, width, 3, 1, 1, bias=False), nn.BatchNorm2d(width)
        inside = width
        for number, count in enumerate(blocks):
            planes, layers = width * 2**number, []
            for block in range(count):
                layers.append(Bottleneck(inside, planes, 2 if number and not block else 1))
                inside = 4 * planes
            self.add_module(f"layer{number + 1}", nn.Sequential(*layers))
        self.attnpool = AttentionPool(inside, heads, features, trained_side)

    def forward(self, x):
        for conv, bn in ((self.conv1, self.bn1), (self.conv2, self.bn2), (self.conv3, self.bn3)):
            x = F.relu(bn(conv(x)))
        x = self.layer4(self.layer3(self.layer2(self.layer1(F.avg_pool2d(x, 2)))))
        return self.attnpool(x)
