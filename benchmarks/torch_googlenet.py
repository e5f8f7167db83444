"""BVLC GoogLeNet in plain PyTorch, the same weights as `fv.load("googlenet")`, for comparisons with featviz.

    python benchmarks/torch_googlenet.py --check    # largest difference from the golden logits; at most 1e-3

Needs torch, safetensors, numpy and pillow, not featviz. The layers are a sequence with the names of BVLC's prototxt,
with `_` or `.` for `/`: lucent's hooks call them `inception_4c` and `inception_4c_3x3_reduce`. The modules are
PyTorch's: `nn.MaxPool2d`, `nn.LocalResponseNorm`, ReLU in place. The weights take no gradient, which saves a third of
the backward pass.
"""

import argparse
import sys
from collections import OrderedDict
from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import nn
from torch.nn.functional import relu

# Channels of each block: 1x1, 3x3 reduce, 3x3, 5x5 reduce, 5x5, pool projection.
BLOCKS = {
    "inception_3a": (192, (64, 96, 128, 16, 32, 32)),
    "inception_3b": (256, (128, 128, 192, 32, 96, 64)),
    "inception_4a": (480, (192, 96, 208, 16, 48, 64)),
    "inception_4b": (512, (160, 112, 224, 24, 64, 64)),
    "inception_4c": (512, (128, 128, 256, 24, 64, 64)),
    "inception_4d": (512, (112, 144, 288, 32, 64, 64)),
    "inception_4e": (528, (256, 160, 320, 32, 128, 128)),
    "inception_5a": (832, (256, 160, 320, 32, 128, 128)),
    "inception_5b": (832, (384, 192, 384, 48, 128, 128)),
}
POOL_BEFORE = {"inception_4a": "pool3", "inception_5a": "pool4"}
MEAN_BGR = (104.0, 117.0, 123.0)
Preprocess = Callable[[torch.Tensor], torch.Tensor]


class Stem(nn.ModuleDict):
    """A sequence of convolutions with ReLU."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for convolution in self.values():
            x = relu(convolution(x), inplace=True)
        return x


class Inception(nn.ModuleDict):
    """Four parallel branches with ReLU, concatenated."""

    def __init__(self, before: int, widths: tuple[int, ...]) -> None:
        one, reduce3, three, reduce5, five, projection = widths
        super().__init__(
            {
                "1x1": nn.Conv2d(before, one, 1),
                "3x3_reduce": nn.Conv2d(before, reduce3, 1),
                "3x3": nn.Conv2d(reduce3, three, 3, padding=1),
                "5x5_reduce": nn.Conv2d(before, reduce5, 1),
                "5x5": nn.Conv2d(reduce5, five, 5, padding=2),
                "pool": nn.MaxPool2d(3, stride=1, padding=1),
                "pool_proj": nn.Conv2d(before, projection, 1),
            }
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        def conv(name: str, x: torch.Tensor) -> torch.Tensor:
            return relu(self[name](x), inplace=True)

        branch3 = conv("3x3", conv("3x3_reduce", x))
        branch5 = conv("5x5", conv("5x5_reduce", x))
        return torch.cat([conv("1x1", x), branch3, branch5, conv("pool_proj", self["pool"](x))], dim=1)


def ceil_pool() -> nn.MaxPool2d:
    return nn.MaxPool2d(3, stride=2, ceil_mode=True)


def norm() -> nn.LocalResponseNorm:
    return nn.LocalResponseNorm(5, alpha=1e-4, beta=0.75, k=1.0)


def layers(classes: int = 1000) -> "OrderedDict[str, nn.Module]":
    """Name -> layer, in sequence; the names are prefixes of the names of the weights."""
    chain: OrderedDict[str, nn.Module] = OrderedDict()
    chain["conv1"] = Stem({"7x7_s2": nn.Conv2d(3, 64, 7, stride=2, padding=3)})
    chain["pool1"], chain["norm1"] = ceil_pool(), norm()
    chain["conv2"] = Stem({"3x3_reduce": nn.Conv2d(64, 64, 1), "3x3": nn.Conv2d(64, 192, 3, padding=1)})
    chain["norm2"], chain["pool2"] = norm(), ceil_pool()
    for name, (before, widths) in BLOCKS.items():
        if name in POOL_BEFORE:
            chain[POOL_BEFORE[name]] = ceil_pool()
        chain[name] = Inception(before, widths)
    chain["mean"], chain["flat"] = nn.AdaptiveAvgPool2d(1), nn.Flatten()
    chain["loss3"] = nn.Sequential(OrderedDict(classifier=nn.Linear(1024, classes)))
    return chain


def load(
    path: Path | str, *, until: str | None = None, memory_format: torch.memory_format = torch.contiguous_format
) -> nn.Module:
    """The network with its weights: preprocessed (n, 3, h, w) -> logits, or the activation of the layer `until`.

    Args:
      path: googlenet.safetensors, kernels HWIO.
      until: the last layer, such as `inception_4c`.
      memory_format: of the kernels, and thus of the activations.
    """
    chain = layers()
    if until is not None and until not in chain:
        raise ValueError(f"no layer `{until}`; expected one of {', '.join(chain)}")
    kept = list(chain)[: list(chain).index(until) + 1] if until else list(chain)
    network = nn.Sequential(OrderedDict((name, chain[name]) for name in kept))
    stored = load_file(path)
    weights = {}
    for name in network.state_dict():
        layer, _, part = name.rpartition(".")
        value = stored[f"{layer.replace('.', '/')}/{'kernel' if part == 'weight' else 'bias'}"]
        order = {4: (3, 2, 0, 1), 2: (1, 0), 1: (0,)}[value.ndim]
        weights[name] = value.permute(order).contiguous()
    network.load_state_dict(weights)
    return network.eval().requires_grad_(False).to(memory_format=memory_format)


def preprocess(rgb01: torch.Tensor) -> torch.Tensor:
    """RGB in [0,1] -> the network's input, BGR in 0..255 minus the mean color; (n, 3, h, w) both."""
    mean = torch.tensor(MEAN_BGR, dtype=rgb01.dtype, device=rgb01.device)[:, None, None]
    return rgb01.flip(1) * 255 - mean


def check_logits(what: str, load: Callable[[Path], nn.Module], preprocess: Preprocess, name: str) -> None:
    """Compares a network's logits with those of an independent implementation; exits where they differ.

    Args:
      what: of what a line is printed.
      load: the network from its file of weights.
      preprocess: its input from RGB in [0,1].
      name: of the file of weights and of the golden logits.
    """
    import numpy as np

    sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "experiments"))
    from data import FOLDER, network

    golden = FOLDER / "networks" / "golden"
    images = torch.from_numpy(np.load(golden / "inputs.npy")).permute(0, 3, 1, 2).float() / 255
    with torch.no_grad():
        logits = load(network(name))(preprocess(images)).numpy()
    worst = float(np.abs(logits - np.load(golden / f"{name}_logits.npy")).max())
    print(f"{what}: largest difference {worst:.2e}, classes {logits.argmax(1).tolist()}")
    if not worst <= 1e-3:
        sys.exit("expected at most 1e-3")


def check() -> None:
    """Compares the logits in both memory formats."""
    for memory_format in (torch.contiguous_format, torch.channels_last):
        check_logits(str(memory_format), partial(load, memory_format=memory_format), preprocess, "googlenet")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", required=True)
    parser.parse_args()
    check()
