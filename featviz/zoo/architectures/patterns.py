"""`patterns`: a small convolutional network that tells textures and shapes apart.

It is trained on images that the project draws itself (experiments/train_patterns.py). Every unit
can be seen: a layer's output is its units after the ReLU, and no layer is hidden inside another.

    conv1 6x6 / 2, conv2 4x4 / 2, mixed3a, mixed3b, max pool, mixed4a, mixed4b, mean, logits

Kernels of the strided layers are a multiple of their stride wide, so the gradient reaches all
pixels evenly and pictures made by it show no checkerboard.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
from flax import linen as nn

CLASSES: tuple[str, ...] = (
    "horizontal grating, low frequency",
    "horizontal grating, high frequency",
    "vertical grating, low frequency",
    "vertical grating, high frequency",
    "rising diagonal grating, low frequency",
    "rising diagonal grating, high frequency",
    "falling diagonal grating, low frequency",
    "falling diagonal grating, high frequency",
    "upright plaid",
    "upright checks",
    "diagonal plaid",
    "diagonal checks",
    "horizontal waves",
    "horizontal zigzag",
    "vertical waves",
    "vertical zigzag",
    "grid lines",
    "bricks",
    "basket weave",
    "honeycomb",
    "scales",
    "concentric rings",
    "radial rays",
    "clockwise spiral",
    "counterclockwise spiral",
    "sparse dots",
    "dense dots",
    "rings of dots",
    "white noise",
    "pink noise",
    "brown noise",
    "band-pass noise",
    "horizontal fur",
    "vertical fur",
    "rising diagonal fur",
    "falling diagonal fur",
    "marble",
    "flames",
    "Voronoi cells",
    "triangle",
    "square",
    "pentagon",
    "hexagon",
    "four-point star",
    "five-point star",
    "six-point star",
    "plus",
    "diagonal cross",
    "curve, open to the right",
    "curve, open upwards",
    "curve, open to the left",
    "curve, open downwards",
    "ring",
    "crescent",
    "heart",
    "eye",
    "leaf",
    "flower",
)


def class_names() -> tuple[str, ...]:
    """The names of the network's classes, in the order of its logits."""
    return CLASSES


# Per layer, the branches: (side of the square kernel, units).
BRANCHES: dict[str, tuple[tuple[int, int], ...]] = {
    "conv1": ((6, 20),),
    "conv2": ((4, 32),),
    "mixed3a": ((1, 8), (3, 32), (5, 8)),
    "mixed3b": ((1, 16), (3, 32)),
    "mixed4a": ((1, 16), (3, 48), (5, 16)),
    "mixed4b": ((1, 16), (3, 56), (5, 16)),
}
STRIDES: dict[str, int] = {"conv1": 2, "conv2": 2}


class Block(nn.Module):
    """Parallel convolutions of several sizes; their units are concatenated, branch by branch."""

    branches: tuple[tuple[int, int], ...]
    stride: int = 1

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """Units (n, h / stride, w / stride, sum of the branches) from (n, h, w, c)."""
        outputs = [
            nn.relu(nn.Conv(units, (side, side), self.stride, name=f"{side}x{side}")(x))
            for side, units in self.branches
        ]
        return jnp.concatenate(outputs, axis=-1)


class Patterns(nn.Module):
    """The network; `apply` maps normalized NHWC images, at least 32 px per side, to logits."""

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """Logits (n, classes) from images (n, h, w, 3), which are (RGB in [0, 1] - 0.5) / 0.25."""
        for name, branches in BRANCHES.items():
            if name == "mixed4a":
                x = nn.max_pool(x, (2, 2), strides=(2, 2), padding="SAME")
            x = Block(branches, STRIDES.get(name, 1), name=name)(x)
        return nn.Dense(len(CLASSES), name="logits")(x.mean(axis=(1, 2)))
