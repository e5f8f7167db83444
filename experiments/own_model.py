"""A network of 32 px gray images in Flax nnx, from training to atlas.

    python experiments/own_model.py -o own_model/

Trains three convolutions on drawn shapes and textures, adapts the network in one line, checks that featviz computes
what the network computes, and renders every unit; the last convolution and the classes get full pages. Open
own_model/atlas/site/index.html.

Hardware: two CPU cores. Time: 4 minutes beside other work, one of them for training. Expected: held-out accuracy .735
of twelve classes; 108 units, of which one (`norms/1/relu:27`) never rises.
"""

import argparse
import time
from itertools import pairwise
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx
from pattern_images import CLASS_NAMES, generate

import featviz as fv

CLASSES = (
    "horizontal grating, low frequency",
    "vertical grating, low frequency",
    "upright checks",
    "concentric rings",
    "radial rays",
    "sparse dots",
    "triangle",
    "square",
    "five-point star",
    "plus",
    "ring",
    "crescent",
)
SIDE, BATCH = 32, 64
MEAN, STD = 0.5, 0.25


class Network(nnx.Module):
    """Three convolutions of stride 2 with batch norm, and a dense layer."""

    def __init__(self, rngs: nnx.Rngs):
        widths = (1, 16, 32, 48)
        self.convolutions = nnx.List([nnx.Conv(a, b, (4, 4), strides=2, rngs=rngs) for a, b in pairwise(widths)])
        self.norms = nnx.List([nnx.BatchNorm(width, rngs=rngs) for width in widths[1:]])
        self.head = nnx.Linear(widths[-1], len(CLASSES), rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        """Logits (n, classes) from images (n, 32, 32, 1), (gray in [0,1] - .5) / .25."""
        for convolution, norm in zip(self.convolutions, self.norms, strict=True):
            x = nnx.relu(norm(convolution(x)))
        return self.head(x.mean(axis=(1, 2)))


def draw(seed: int, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Gray images (count, 32, 32, 1) in [0,1] and their classes."""
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.arange(count) % len(CLASSES))
    indices = np.array([CLASS_NAMES.index(name) for name in CLASSES])
    images = generate(rng, indices[labels])[0].astype(np.float32) / 255
    halved = images.reshape(count, SIDE, 2, SIDE, 2, 3).mean(axis=(2, 4, 5))
    return halved[..., None], labels


@nnx.jit
def step(network: Network, optimizer: nnx.Optimizer, images: jax.Array, labels: jax.Array) -> jax.Array:
    def loss(network: Network) -> jax.Array:
        logits = network((images - MEAN) / STD)
        return optax.softmax_cross_entropy_with_integer_labels(logits, labels).mean()

    value, gradient = nnx.value_and_grad(loss)(network)
    optimizer.update(network, gradient)
    return value


def train(network: Network, *, images: int, epochs: int) -> float:
    """Trains the network and returns its accuracy on held-out images."""
    x, y = draw(0, images)
    steps = epochs * (images // BATCH)
    rate = optax.cosine_onecycle_schedule(steps, 5e-3)
    optimizer = nnx.Optimizer(network, optax.adamw(rate, weight_decay=1e-2), wrt=nnx.Param)
    rng = np.random.default_rng(1)
    for _ in range(epochs):
        for rows in rng.permutation(images)[: images // BATCH * BATCH].reshape(-1, BATCH):
            step(network, optimizer, jnp.asarray(x[rows]), jnp.asarray(y[rows]))
    network.eval()
    x, y = draw(2, 1200)
    return float(jnp.mean(jnp.argmax(network((jnp.asarray(x) - MEAN) / STD), axis=-1) == jnp.asarray(y)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", "--out", type=Path, required=True)
    parser.add_argument("--images", type=int, default=6000)
    parser.add_argument("--epochs", type=int, default=8)
    options = parser.parse_args()
    start = time.perf_counter()
    network = Network(nnx.Rngs(0))
    accuracy = train(network, images=options.images, epochs=options.epochs)
    print(f"trained in {time.perf_counter() - start:.0f} s, held-out accuracy {accuracy:.3f}")

    # What the network takes: gray images of 32 px, with this mean and standard deviation.
    spec = fv.InputSpec(size=(SIDE, SIDE), channels=1, mean=(MEAN,), std=(STD,))
    model = fv.from_nnx(network, input=spec, name="shapes", classes=CLASSES)
    images = jnp.asarray(draw(3, 8)[0])
    logits = model.apply(model.weights, images, layers=["head"])["head"]
    print(f"largest difference from the network's logits: {np.abs(logits - network((images - MEAN) / STD)).max():.1e}")

    atlas = fv.build_atlas(
        model,
        out=options.out / "atlas",
        layers=["norms/0/relu", "norms/1/relu", "norms/2/relu", "head"],
        full=["norms/2/relu", "head"],
        size=SIDE,
    )
    print(*atlas.report(), sep="\n")
    print(f"total {time.perf_counter() - start:.0f} s")


if __name__ == "__main__":
    main()
