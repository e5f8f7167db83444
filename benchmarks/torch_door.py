"""A network that comes from PyTorch: one gradient step natively, through `from_torch`, and in PyTorch; its adaptation.

    python benchmarks/torch_door.py [--size 128] [--layer layer3] [--repeats 11]

ResNet-50 with the same random weights: as featviz builds it, as a PyTorch module through `fv.from_torch`, in PyTorch
eager, channels first and last, the network cut behind the layer. The step is the gradient of the mean of one
channel for two images; weights take no gradients. The systems take turns in one process; medians are compared, after
the gradients have been. The last line is the time from a module in memory to a Model. Hardware: two CPU cores.
Expected: benchmarks/README.md.
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import torch
from timing import compiled, image_score, in_turns

import featviz as fv
from featviz.gradients.rules import rules_for

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from support.torch_zoo.resnet import ResNet

LAYERS = ("layer1", "layer2", "layer3", "layer4")


def module() -> torch.nn.Module:
    torch.manual_seed(0)
    network = ResNet((3, 4, 6, 3), bottleneck=True)
    for name, buffer in network.named_buffers():
        if "running" in name:
            buffer.copy_(torch.rand_like(buffer) * 0.5 + 0.75 if "var" in name else torch.randn_like(buffer) * 0.1)
    return network.eval().requires_grad_(False)


def eager(network: torch.nn.Module, layer: str, images: np.ndarray, memory_format: torch.memory_format):
    """One step in PyTorch, of the network up to the layer."""
    network = network.to(memory_format=memory_format)
    parts = [getattr(network, name) for name in LAYERS[: LAYERS.index(layer) + 1]]
    start = torch.tensor(images).permute(0, 3, 1, 2).contiguous(memory_format=memory_format)

    def step() -> np.ndarray:
        x = start.clone().requires_grad_()
        y = network.maxpool(torch.relu(network.bn1(network.conv1(x))))
        for part in parts:
            y = part(y)
        y[:, 0].mean((1, 2)).sum().backward()
        assert x.grad is not None
        return x.grad.permute(0, 2, 3, 1).numpy()

    return step


def step_of(score, model: fv.Model, images: np.ndarray, *, normalized: bool):
    """One step in featviz; a network that normalizes its images itself gets them as they were before that."""
    mean, std = np.array([0.485, 0.456, 0.406], np.float32), np.array([0.229, 0.224, 0.225], np.float32)

    def gradient(weights, x):
        return jax.grad(lambda x: score(weights, x * std + mean if normalized else x))(x)

    step = compiled(gradient, model.weights, jnp.asarray(images))
    return lambda: step(model.weights, images)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--layer", choices=LAYERS, default="layer3")
    parser.add_argument("--repeats", type=int, default=11)
    options = parser.parse_args()
    images = np.random.default_rng(0).uniform(size=(2, options.size, options.size, 3)).astype(np.float32)
    network = module()
    spec = fv.InputSpec(size=(options.size, options.size), channels_first=True)
    started = time.perf_counter()
    through = fv.from_torch(network, input=spec)
    adaptation = time.perf_counter() - started
    with tempfile.TemporaryDirectory() as folder:
        torch.save(network.state_dict(), f"{folder}/net.pth")
        native = fv.load("resnet50", weights=f"{folder}/net.pth")
    rules = rules_for(jax.default_backend())
    calls, names = [], []
    for name, model in (("native", native), ("through from_torch", through)):
        last = [layer.name for layer in model.layers if layer.name.startswith(options.layer)][-1]
        score = image_score(model, last, 0, rules=rules)
        calls.append(step_of(score, model, images, normalized=model is native))
        names.append(f"{name}, {last}")
    for kind in (torch.contiguous_format, torch.channels_last):
        names.append(f"PyTorch eager, {kind}".replace("torch.", ""))
        calls.append(eager(module(), options.layer, images, kind))
    gradients = [np.asarray(call()) for call in calls]
    for name, gradient in zip(names, gradients, strict=True):
        print(f"{name}: gradient differs by {np.abs(gradient - gradients[2]).max() / np.abs(gradients[2]).max():.1e}")
    times = in_turns(calls, repeats=options.repeats)
    best = min(times[2:])
    for name, duration in zip(names, times, strict=True):
        print(f"{name}: {1000 * duration:.1f} ms, {duration / best:.2f} of PyTorch's better layout")
    print(f"adaptation at {options.size} px: {adaptation:.1f} s")


if __name__ == "__main__":
    main()
