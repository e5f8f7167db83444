"""The PyTorch side of `gradient.py`: the same gradient step of the same network, in several variants, on request.

Needs torch, safetensors and numpy, not featviz. Reads lines from stdin and answers each with one line of JSON: `list`
with the variants, the name of a variant with the seconds of one step, `value NAME` with the gradient's mean absolute
value.

A variant is `eager` or `compiled` (torch.compile), `contiguous` or `channels_last`, with one local response
normalization: `builtin` is F.local_response_norm, `best` the fastest of four implementations in this layout.
"""

import argparse
import json
import sys
import time
import warnings
from collections.abc import Callable

import numpy as np
import torch
import torch_googlenet
from torch import nn
from torch.nn import functional

LAYOUTS = {"contiguous": torch.contiguous_format, "channels_last": torch.channels_last}
Norm = Callable[[torch.Tensor], torch.Tensor]
ALPHA, SIZE = 1e-4, 5


def builtin(x: torch.Tensor) -> torch.Tensor:
    return functional.local_response_norm(x, SIZE, alpha=ALPHA, beta=0.75, k=1.0)


def roots(sums: torch.Tensor) -> torch.Tensor:
    """(1 + alpha / size * sums) ** -0.75, by roots instead of logarithms."""
    root = torch.rsqrt(1.0 + (ALPHA / SIZE) * sums)
    return root * torch.sqrt(root)


def shifted_sums(x: torch.Tensor) -> torch.Tensor:
    padded = functional.pad(x * x, (0, 0, 0, 0, SIZE // 2, SIZE // 2))
    count = x.shape[1]
    return sum((padded[:, offset : offset + count] for offset in range(1, SIZE)), start=padded[:, :count])


def shifted(x: torch.Tensor) -> torch.Tensor:
    return x * (1.0 + (ALPHA / SIZE) * shifted_sums(x)) ** -0.75


def shifted_roots(x: torch.Tensor) -> torch.Tensor:
    return x * roots(shifted_sums(x))


def pooled_roots(x: torch.Tensor) -> torch.Tensor:
    """The sums by average pooling along the channels, moved to the last axis, with one row for each pixel."""
    n, channels, height, width = x.shape
    rows = (x * x).permute(0, 2, 3, 1).reshape(1, n * height * width, channels)
    sums = functional.avg_pool1d(rows, SIZE, stride=1, padding=SIZE // 2) * SIZE
    return x * roots(sums.reshape(n, height, width, channels).permute(0, 3, 1, 2))


NORMS: dict[str, Norm] = {"builtin": builtin, "shifted": shifted, "shifted-roots": shifted_roots,
                          "pooled-roots": pooled_roots}  # fmt: skip


class Normalization(nn.Module):
    def __init__(self, norm: Norm) -> None:
        super().__init__()
        self.norm = norm

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.norm(x)


def seconds(function: Callable[[], object]) -> float:
    started = time.perf_counter()
    function()
    return time.perf_counter() - started


def fastest_norm(layout: str, shape: tuple[int, ...]) -> str:
    """The name of the implementation with the fastest forward and gradient."""
    x = torch.randn(shape).to(memory_format=LAYOUTS[layout]).requires_grad_()
    expected = builtin(x).detach()

    def step(norm: Norm) -> None:
        torch.autograd.grad(norm(x).sum(), x)

    times: dict[str, list[float]] = {name: [] for name in NORMS}
    for norm in NORMS.values():
        torch.testing.assert_close(norm(x).detach(), expected, rtol=1e-4, atol=1e-5)
    for _ in range(4):
        for name, norm in NORMS.items():
            times[name].append(seconds(lambda norm=norm: step(norm)))
    return min(NORMS, key=lambda name: min(times[name]))


class Variants:
    """The variants of one step, each built on first use."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        shape = (options.batch, 192, options.size // 4, options.size // 4)
        self.best = {layout: fastest_norm(layout, shape) for layout in LAYOUTS}
        self.steps: dict[str, Callable[[], torch.Tensor]] = {}
        self.matrix = torch.ones(2048, 2048)

    def names(self) -> dict[str, str]:
        """Variant -> its normalization."""
        modes = ["eager"] + ["compiled"] * (not self.options.no_compile)
        return {
            f"{mode} {layout} {norm}": self.best[layout] if norm == "best" else norm
            for mode in modes for layout in LAYOUTS for norm in ("builtin", "best")
        }  # fmt: skip

    def build(self, name: str) -> Callable[[], torch.Tensor]:
        if name == "product":
            return lambda: self.matrix @ self.matrix
        mode, layout, norm = name.split(" ")
        options, memory_format = self.options, LAYOUTS[layout]
        network = torch_googlenet.load(options.weights, until=options.layer, memory_format=memory_format)
        for layer in ("norm1", "norm2"):
            setattr(network, layer, Normalization(NORMS[self.best[layout] if norm == "best" else norm]))
        values = np.random.default_rng(0).uniform(size=(options.batch, 3, options.size, options.size))
        images = torch.from_numpy(values).float().contiguous(memory_format=memory_format).requires_grad_()

        def score(images: torch.Tensor) -> torch.Tensor:
            return network(torch_googlenet.preprocess(images))[:, options.unit].mean(dim=(1, 2)).sum()

        called = torch.compile(score) if mode == "compiled" else score
        return lambda: torch.autograd.grad(called(images), images)[0]

    def step(self, name: str) -> Callable[[], torch.Tensor]:
        if name not in self.steps:
            self.steps[name] = self.build(name)
        return self.steps[name]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weights", required=True)
    parser.add_argument("--layer", required=True)
    parser.add_argument("--unit", type=int, required=True)
    parser.add_argument("--size", type=int, required=True)
    parser.add_argument("--batch", type=int, required=True)
    parser.add_argument("--no-compile", action="store_true")
    variants = Variants(parser.parse_args())
    warnings.simplefilter("ignore")
    for line in sys.stdin:
        request, answer = line.strip(), None
        try:
            if request == "list":
                answer = {"variants": variants.names(), "versions": f"torch {torch.__version__}"}
            elif request.startswith("value "):
                answer = float(variants.step(request.removeprefix("value "))().abs().mean())
            else:
                answer = seconds(variants.step(request))
        except Exception as error:  # torch.compile needs a C++ compiler; the other variants run without it
            answer = {"failed": str(error).splitlines()[0]}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
