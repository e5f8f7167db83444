"""Whether memory grows with each new size and each new PyTorch network, and comes back when the network goes.

    python benchmarks/program_memory.py [--sizes 12] [--networks 8]

One network is rendered at one size after the other; then networks of PyTorch of the same form and other weights are
adapted, rendered and deleted, one after the other. The kernel reports the memory of the process after each, once
garbage is collected and the allocator has given back what is free. Linux; one CPU core, a minute or two. Expected:
docs/speed.md.
"""

import argparse
import ctypes
import gc
import os
import tempfile
from pathlib import Path

# What is kept on the disk would spare the compilation whose memory is measured.
os.environ["FEATVIZ_CACHE"] = tempfile.mkdtemp()

import numpy as np

import featviz as fv


def resident() -> float:
    """The memory of this process in MB, without garbage."""
    gc.collect()
    ctypes.CDLL("libc.so.6").malloc_trim(0)
    fields = Path("/proc/self/statm").read_text().split()
    return int(fields[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


def draw(model: fv.Model, layer: str, size: int) -> None:
    fv.render(model, fv.channel(layer, 0), size=size, steps=2, progress=False)


def torch_network(seed: int):
    """A network of PyTorch of eight convolutions and batch norms, 4.7 million weights."""
    import torch

    torch.manual_seed(seed)
    parts, before = [], 3
    for width in (32, 64, 128, 128, 256, 256, 512, 512):
        parts += [
            torch.nn.Conv2d(before, width, 3, padding=1, bias=False),
            torch.nn.BatchNorm2d(width),
            torch.nn.ReLU(),
        ]
        parts += [torch.nn.MaxPool2d(2)] if width > before and before > 3 else []
        before = width
    return torch.nn.Sequential(*parts).eval()


def report(title: str, values: list[float]) -> None:
    """Prints the memory after each, and the growth of each but the first two, which bring in libraries."""
    grown = np.diff(values[1:])
    print(f"{title}: {' '.join(f'{value:.0f}' for value in values)} MB; the later ones add {grown.mean():+.1f} each")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, default=12)
    parser.add_argument("--networks", type=int, default=8)
    options = parser.parse_args()

    model = fv.load("patterns")
    values = []
    for index in range(options.sizes):
        draw(model, "conv2", 32 + 8 * index)
        values.append(resident())
    report("sizes of one network", values)
    del model
    print(f"without the network: {resident():.0f} MB")

    values = []
    for seed in range(options.networks):
        model = fv.from_torch(torch_network(seed), input=fv.InputSpec(size=(64, 64), channels_first=True))
        draw(model, model.layers[-1].name, 64)
        del model
        values.append(resident())
    report("networks of PyTorch, each deleted", values)


if __name__ == "__main__":
    main()
