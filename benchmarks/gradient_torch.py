"""PyTorch's side of `gradient.py`: the same gradient step, in the same network, in several ways, on request.

Needs torch, safetensors and numpy, not featviz. Reads a line on stdin, answers with one line of JSON: `list` with the
ways that there are, the name of a way with the seconds of one step, `value NAME` with the gradient's mean absolute
value.

A way is `eager` or `compiled` (torch.compile), `contiguous` or `channels_last`, and how local response normalization is
written: `builtin` is F.local_response_norm, `best` the fastest in this layout of four ways to write it here.
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
    """(1 + alpha / size * sums) ** -0.75, without logarithms."""
    root = torch.rsqrt(1.0 + (ALPHA / SIZE) * sums)
    return root * torch.sqrt(root)


def shifted_sums(x: torch.Tensor) -> torch.Tensor:
    padded = functional.pad(x * x, (0, 0, 0, 0, SIZE // 2, SIZE // 2))
    count = x.shape[1]
    return sum((padded[:, at : at + count] for at in range(1, SIZE)), start=padded[:, :count])


def shifted(x: torch.Tensor) -> torch.Tensor:
    return x * (1.0 + (ALPHA / SIZE) * shifted_sums(x)) ** -0.75


def shifted_roots(x: torch.Tensor) -> torch.Tensor:
    return x * roots(shifted_sums(x))


def pooled_roots(x: torch.Tensor) -> torch.Tensor:
    """The sums by average pooling along the channels, which stand last and make one row a pixel."""
    n, channels, height, width = x.shape
    rows = (x * x).permute(0, 2, 3, 1).reshape(1, n * height * width, channels)
    sums = functional.avg_pool1d(rows, SIZE, stride=1, padding=SIZE // 2) * SIZE
    return x * roots(sums.reshape(n, height, width, channels).permute(0, 3, 1, 2))


NORMS: dict[str, Norm] = {"builtin": builtin, "shifted": shifted, "shifted-roots": shifted_roots,
                          "pooled-roots": pooled_roots}  # fmt: skip


class Norming(nn.Module):
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
    """The name of the way with the fastest forward and gradient."""
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


class Ways:
    """The ways to take one step, each built when it is first asked for."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        shape = (options.batch, 192, options.size // 4, options.size // 4)
        self.best = {layout: fastest_norm(layout, shape) for layout in LAYOUTS}
        self.steps: dict[str, Callable[[], torch.Tensor]] = {}
        self.side = torch.ones(2048, 2048)

    def names(self) -> dict[str, str]:
        """Each way, and how it normalizes."""
        modes = ["eager"] + ["compiled"] * (not self.options.no_compile)
        return {
            f"{mode} {layout} {norm}": self.best[layout] if norm == "best" else norm
            for mode in modes for layout in LAYOUTS for norm in ("builtin", "best")
        }  # fmt: skip

    def build(self, name: str) -> Callable[[], torch.Tensor]:
        if name == "product":
            return lambda: self.side @ self.side
        mode, layout, norm = name.split(" ")
        options, memory_format = self.options, LAYOUTS[layout]
        network = torch_googlenet.load(options.weights, until=options.layer, memory_format=memory_format)
        for place in ("norm1", "norm2"):
            setattr(network, place, Norming(NORMS[self.best[layout] if norm == "best" else norm]))
        drawn = np.random.default_rng(0).uniform(size=(options.batch, 3, options.size, options.size))
        images = torch.from_numpy(drawn).float().contiguous(memory_format=memory_format).requires_grad_()

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
    ways = Ways(parser.parse_args())
    warnings.simplefilter("ignore")
    for line in sys.stdin:
        words, answer = line.strip(), None
        try:
            if words == "list":
                answer = {"ways": ways.names(), "versions": f"torch {torch.__version__}"}
            elif words.startswith("value "):
                answer = float(ways.step(words.removeprefix("value "))().abs().mean())
            else:
                answer = seconds(ways.step(words))
        except Exception as error:  # torch.compile needs a C++ compiler: the others go on without it
            answer = {"failed": str(error).splitlines()[0]}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
