"""The networks of `natural_pictures.py` in PyTorch, with the weights that featviz reads, for lucent and horama.

    python benchmarks/torch_networks.py --check    # largest differences from the golden logits; at most 1e-3

Needs torch, safetensors, numpy, pillow and for DeiT-tiny timm, not featviz. Layers have their names in featviz with `_`
for `/`, as lucent's hooks call them: `fire6`, `blocks_4_mlp_act`. Weights take no gradient.
"""

import argparse
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import torch
import torch_googlenet
from safetensors.torch import load_file
from torch import nn
from torch.nn.functional import relu
from torch_googlenet import Preprocess, ceil_pool, check_logits

# Channels of each fire module of SqueezeNet 1.1: in, squeeze, each of two branches.
FIRES = {
    "fire2": (64, 16, 64),
    "fire3": (128, 16, 64),
    "fire4": (128, 32, 128),
    "fire5": (256, 32, 128),
    "fire6": (256, 48, 192),
    "fire7": (384, 48, 192),
    "fire8": (384, 64, 256),
    "fire9": (512, 64, 256),
}
POOL_BEFORE = {"fire2": "pool1", "fire4": "pool3", "fire6": "pool5"}
# ImageNet's mean and standard deviation of RGB in [0,1].
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
# Parts of the names of weights in featviz's files -> PyTorch's.
PARTS = {"kernel": "weight", "scale": "weight", "embedding": "weight"}


class Fire(nn.ModuleDict):
    """A squeeze to few channels, then two branches with ReLU, concatenated."""

    def __init__(self, before: int, squeeze: int, width: int) -> None:
        super().__init__(
            {
                "squeeze1x1": nn.Conv2d(before, squeeze, 1),
                "expand1x1": nn.Conv2d(squeeze, width, 1),
                "expand3x3": nn.Conv2d(squeeze, width, 3, padding=1),
            }
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = relu(self["squeeze1x1"](x), inplace=True)
        return torch.cat([relu(self[name](x), inplace=True) for name in ("expand1x1", "expand3x3")], dim=1)


def squeezenet() -> nn.Module:
    """SqueezeNet 1.1: the logits are means of `conv10` after its ReLU."""
    chain: OrderedDict[str, nn.Module] = OrderedDict(conv1=nn.Conv2d(3, 64, 3, stride=2), relu1=nn.ReLU(inplace=True))
    for name, widths in FIRES.items():
        if name in POOL_BEFORE:
            chain[POOL_BEFORE[name]] = ceil_pool()
        chain[name] = Fire(*widths)
    chain["conv10"], chain["relu10"] = nn.Conv2d(512, 1000, 1), nn.ReLU(inplace=True)
    chain["mean"], chain["logits"] = nn.AdaptiveAvgPool2d(1), nn.Flatten()
    return nn.Sequential(chain)


def deit() -> nn.Module:
    import timm

    network: nn.Module = timm.create_model("deit_tiny_patch16_224", pretrained=False)
    return network


def fill(
    network: nn.Module,
    path: Path | str,
    *,
    until: str | None = None,
    memory_format: torch.memory_format = torch.contiguous_format,
) -> nn.Module:
    """Puts the weights of one of featviz's files into a network of the same names, which cannot end before its logits.

    Args:
      until: None; only GoogLeNet can be cut.
    """
    if until is not None:
        raise ValueError(f"no network that ends at `{until}`; expected GoogLeNet")
    weights = {}
    for name, value in load_file(path).items():
        layer, _, part = name.replace("/", ".").rpartition(".")
        order = {4: (3, 2, 0, 1), 2: (1, 0)}.get(value.ndim) if part == "kernel" else None
        weights[f"{layer}.{PARTS.get(part, part)}".lstrip(".")] = value.permute(order).contiguous() if order else value
    network.load_state_dict(weights)
    return network.eval().requires_grad_(False).to(memory_format=memory_format)


def preprocess_rgb(rgb01: torch.Tensor) -> torch.Tensor:
    """RGB in [0,1] less ImageNet's mean, over its standard deviation; (n, 3, h, w) both."""
    mean, std = (torch.tensor(values, dtype=rgb01.dtype)[:, None, None] for values in (MEAN, STD))
    return (rgb01 - mean) / std


class Network(NamedTuple):
    """How a network is loaded, and its input from RGB in [0,1]."""

    load: Callable[..., nn.Module]
    preprocess: Preprocess


NETWORKS = {
    "googlenet": Network(torch_googlenet.load, torch_googlenet.preprocess),
    "squeezenet1_1": Network(lambda path, **options: fill(squeezenet(), path, **options), torch_googlenet.preprocess),
    "deit_tiny": Network(lambda path, **options: fill(deit(), path, **options), preprocess_rgb),
}


def check() -> None:
    """Compares the logits of each network."""
    files = {"googlenet": "googlenet", "squeezenet1_1": "squeezenet_v1_1", "deit_tiny": "deit_tiny_patch16_224"}
    for name, (load, preprocess) in NETWORKS.items():
        check_logits(name, load, preprocess, files[name])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", required=True)
    parser.parse_args()
    check()
