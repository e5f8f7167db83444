"""Small images of textures and shapes, drawn at random: what the notebooks train and survey networks with."""

import numpy as np

CLASSES = ("horizontal stripes", "vertical stripes", "checks", "disk", "ring", "cross", "dots", "half-plane")


def draw(count, *, size=32, seed=0):
    """`count` images in [0,1], float32 (n, size, size, 3), and the index of each one's class."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(len(CLASSES), size=count)
    return np.stack([draw_one(rng, CLASSES[label], size) for label in labels]), labels


def draw_one(rng, name, size):
    """One image of a class: its mask in one random color on another, and a little noise."""
    y, x = np.mgrid[:size, :size] / size - 0.5
    x, y = x - rng.uniform(-0.15, 0.15), y - rng.uniform(-0.15, 0.15)
    period, phase = rng.uniform(0.15, 0.3), rng.uniform(0, 1)
    radius, width = rng.uniform(0.15, 0.35), rng.uniform(0.05, 0.1)
    distance = np.hypot(x, y)

    def waves(along):
        return np.sin(2 * np.pi * (along / period + phase)) > 0

    mask = {
        "horizontal stripes": waves(y),
        "vertical stripes": waves(x),
        "checks": waves(x) ^ waves(y),
        "disk": distance < radius,
        "ring": np.abs(distance - radius) < width,
        "cross": (np.minimum(np.abs(x), np.abs(y)) < width) & (np.maximum(np.abs(x), np.abs(y)) < 0.35),
        "dots": np.hypot((x / period + phase) % 1 - 0.5, (y / period) % 1 - 0.5) < 0.3,
        "half-plane": (x * np.cos(6.3 * phase) + y * np.sin(6.3 * phase)) > 0,
    }[name]
    ground, figure = rng.random((2, 3))
    # Two colors that differ clearly.
    figure = np.where(abs(figure - ground).max() < 0.4, (ground + 0.5) % 1, figure)
    image = np.where(mask[..., None], figure, ground) + rng.normal(0, 0.03, (size, size, 3))
    return image.clip(0, 1).astype(np.float32)


def train(network, images, labels, *, steps=400, seed=0):
    """Trains a PyTorch classifier of images in [0,1], scaled by mean .5 and standard deviation .25."""
    import torch

    # So small a network is no faster on several threads, and waits for them where other work runs.
    torch.set_num_threads(1)
    torch.manual_seed(seed)
    pixels, classes = to_torch(images), torch.from_numpy(labels)
    optimizer = torch.optim.Adam(network.parameters(), lr=3e-3)
    network.train()
    for _ in range(steps):
        batch = torch.randint(len(pixels), (64,))
        loss = torch.nn.functional.cross_entropy(network(pixels[batch]), classes[batch])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return network.eval()


def to_torch(images):
    """Images in [0,1], (n, h, w, 3), as the networks here take them."""
    import torch

    return (torch.from_numpy(np.ascontiguousarray(images.transpose(0, 3, 1, 2))) - 0.5) / 0.25


def small_network():
    """A convolutional network of three layers for the classes."""
    from torch import nn

    return nn.Sequential(
        nn.Conv2d(3, 16, 5, stride=2, padding=2), nn.ReLU(),
        nn.Conv2d(16, 32, 3, stride=2, padding=1), nn.ReLU(),
        nn.Conv2d(32, 32, 3, padding=1), nn.ReLU(),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(32, len(CLASSES)),
    )  # fmt: skip
