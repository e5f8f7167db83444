"""Trains the built-in network `patterns` from random weights on images drawn by rule.

    python experiments/train_patterns.py --seed 0 --out featviz/zoo/patterns.safetensors
    python experiments/train_patterns.py --seed 1 --out tests/data/patterns_seed1.safetensors \\
        --images 240000 --pool 60000

Hardware: two CPU cores (AVX-512), 6 GB of memory. Time: 37.5 minutes for seed 0 beside other work and with pauses,
11.3 minutes for seed 1. Expected: held-out accuracy 0.992 (seed 0) and 0.975 (seed 1) on 5,900 fresh images.

AdamW with a one-cycle schedule and batch norm, which is folded into the kernels at the end; the weights are an
exponential moving average. For clean pictures of units, the training images are recolored, blurred and noisy, and in
the last third of the training half of each batch takes an adversarial step.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import sys
import time
from functools import partial
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import optax
from pattern_images import CLASS_NAMES, generate
from pattern_training import fold, forward, init
from safetensors.numpy import save_file

from featviz.zoo.architectures.patterns import CLASSES, Patterns

# Keeping large buffers instead of returning them to the system makes XLA a fifth faster.
ALLOCATOR = {
    "MALLOC_MMAP_THRESHOLD_": "4294967296",
    "MALLOC_TRIM_THRESHOLD_": "17179869184",
    "MALLOC_TOP_PAD_": "268435456",
    "GLIBC_TUNABLES": "glibc.malloc.hugetlb=1",
}
BATCH = 64
PEAK_RATE, DECAY, SMOOTHING, AVERAGE = 3e-3, 0.03, 0.05, 0.9995
NOISE_SD = 0.15  # maximum, of images in [0, 1]
ATTACK_NORM = 0.6  # maximum L2 norm of an adversarial step, of images in [0, 1]
MEAN, SD = 0.5, 0.25  # of the network's input
POOL_STREAM, TEST_STREAM, TRAIN_STREAM = 1, 2, 3  # second words of the seeds, so that all streams differ


def make_pool(seed: tuple[int, ...], count: int) -> tuple[np.ndarray, np.ndarray]:
    """`count` images (uint8) with labels, the classes as evenly as possible."""
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.arange(count) % len(CLASS_NAMES))
    return generate(rng, labels)[0], labels


def augment(key: jax.Array, images: jax.Array, noise: jax.Array) -> jax.Array:
    """Normalized images (n, 64, 64, 3) from uint8: recolored, some blurred, some with noise."""
    n = len(images)
    keys = jax.random.split(key, 5)
    x = (images.astype(jnp.float32) / 255 - MEAN) / SD
    # A random order of channels, sign and contrast.
    order = jax.vmap(lambda k: jnp.eye(3)[jax.random.permutation(k, 3)])(jax.random.split(keys[0], n))
    sign = jax.random.rademacher(keys[1], (n, 1, 1), jnp.float32)
    gain = jax.random.uniform(keys[2], (n, 1, 1), minval=0.75, maxval=1.1)
    x = jnp.einsum("nhwc,ncd->nhwd", x, order * sign * gain)
    weight = jnp.maximum(jax.random.uniform(keys[3], (n, 1, 1, 1), minval=-0.6, maxval=0.25), 0)
    for axis in (1, 2):
        around = jnp.roll(x, 1, axis) + jnp.roll(x, -1, axis)
        x = x + weight * (around - 2 * x)
    sd = jax.random.uniform(keys[4], (n, 1, 1, 1), minval=-NOISE_SD, maxval=NOISE_SD)
    return x + jnp.maximum(sd, 0) / SD * noise


def loss_of(params, x, targets):
    """Mean cross-entropy, batch statistics and accuracy."""
    logits, stats = forward(params, None, x)
    hits = (logits.argmax(axis=1) == targets.argmax(axis=1)).mean()
    return optax.softmax_cross_entropy(logits, targets).mean(), (stats, hits)


def attack(key: jax.Array, params, x: jax.Array, targets: jax.Array) -> jax.Array:
    """Half of the images, moved along the loss's gradient by up to ATTACK_NORM (L2)."""
    half = len(x) // 2
    grad = jax.grad(lambda x: loss_of(params, x, targets[:half])[0])(x[:half])
    size = jnp.sqrt((grad**2).sum(axis=(1, 2, 3), keepdims=True)) + 1e-12
    norm = jax.random.uniform(key, (half, 1, 1, 1), maxval=ATTACK_NORM / SD)
    return jnp.concatenate([x[:half] + norm * grad / size, x[half:]])


def train(seed: int, images: np.ndarray, labels: np.ndarray, steps: int):
    """Averaged parameters and their batch norm statistics."""
    rng = np.random.default_rng((seed, TRAIN_STREAM))
    params = init(rng)
    rate = optax.cosine_onecycle_schedule(steps, PEAK_RATE, 0.15, 10, 100)
    decayed = jax.tree.map(lambda p: p.ndim > 1, params)
    solver = optax.adamw(rate, b2=0.99, weight_decay=DECAY, mask=decayed)
    bank = rng.standard_normal(8_000_000, dtype=np.float32)  # sampling new noise would cost more

    @partial(jax.jit, static_argnames="attacked", donate_argnums=(0, 1, 2))
    def step(params, state, average, key, batch, noise, labels, count, *, attacked):
        x = augment(jax.random.fold_in(key, 0), batch, noise)
        targets = optax.smooth_labels(jax.nn.one_hot(labels, len(CLASSES)), SMOOTHING)
        if attacked:
            x = attack(jax.random.fold_in(key, 1), params, x, targets)
        (loss, (_, hits)), grad = jax.value_and_grad(loss_of, has_aux=True)(params, x, targets)
        update, state = solver.update(grad, state, params)
        params = optax.apply_updates(params, update)
        keep = jnp.minimum(AVERAGE, (1 + count) / (10 + count))
        average = jax.tree.map(lambda a, p: keep * a + (1 - keep) * p, average, params)
        return params, state, average, loss, hits

    def batches(count):
        for k in range(count):
            if k % (len(images) // BATCH) == 0:
                order = rng.permutation(len(images))
            index = order[k * BATCH % (len(images) // BATCH * BATCH) :][:BATCH]
            start = rng.integers(len(bank) - BATCH * images[0].size)
            noise = bank[start : start + BATCH * images[0].size]
            yield (
                jax.random.key(rng.integers(2**31)),
                images[index],
                noise.reshape(BATCH, *images.shape[1:]),
                labels[index],
            )

    state, average = solver.init(params), jax.tree.map(jnp.copy, params)
    started, losses, accuracy = time.time(), [], []
    for k, (key, batch, noise, label) in enumerate(batches(steps)):
        params, state, average, loss, hits = step(
            params, state, average, key, batch, noise, label, k, attacked=3 * k >= 2 * steps
        )
        losses.append(loss)
        accuracy.append(hits)
        if (k + 1) % 500 == 0 or k + 1 == steps:
            pace = (k + 1) * BATCH / (time.time() - started)
            print(
                f"step {k + 1}/{steps}: loss {np.mean(losses):.3f}, training accuracy "
                f"{np.mean(accuracy):.3f}, {pace:.0f} images/s",
                flush=True,
            )
            losses, accuracy = [], []
    # Batch statistics of the averaged weights, on mildly noisy images.
    stats = []
    stats_of = jax.jit(lambda params, key, batch, noise: forward(params, None, augment(key, batch, noise * 0.5))[1])
    for key, batch, noise, _ in batches(150):
        stats.append(stats_of(average, key, batch, noise))
    return average, jax.tree.map(lambda *parts: sum(parts) / len(parts), *stats)


def evaluate(plain, images: np.ndarray, labels: np.ndarray) -> float:
    """Prints accuracies, the most frequent confusions and the share of silent units; returns the accuracy."""
    network = Patterns()
    rng = np.random.default_rng(0)

    @jax.jit
    def run(x):
        logits, trace = network.apply({"params": plain}, x, capture_intermediates=True)
        layers = {
            name: layer["__call__"][0]
            for name, layer in trace["intermediates"].items()
            if name not in ("__call__", "logits")
        }
        return logits.argmax(axis=1), jax.tree.map(lambda a: a.max(axis=(0, 1, 2)), layers)

    guesses, noisy, peaks = [], [], []
    for start in range(0, len(images), 100):
        x = (images[start : start + 100].astype(np.float32) / 255 - MEAN) / SD
        guess, peak = run(x)
        guesses.append(guess)
        peaks.append(peak)
        noise = 0.1 / SD * rng.standard_normal(x.shape, dtype=np.float32)
        noisy.append(run(x + noise)[0])
    guess = np.concatenate(guesses)
    pairs, counts = np.unique(np.stack([labels, guess])[:, guess != labels], axis=1, return_counts=True)
    for k in np.argsort(-counts)[:12]:
        print(f"  {counts[k]:3d} x {CLASSES[pairs[0, k]]} classified as {CLASSES[pairs[1, k]]}")
    for name in peaks[0]:
        peak = np.max([p[name] for p in peaks], axis=0)
        print(f"  {name}: {(peak <= 0).mean():.1%} of {len(peak)} units never fire")
    print(f"with noise of sd 0.1: accuracy {(np.concatenate(noisy) == labels).mean():.4f}")
    return float((guess == labels).mean())


def flatten(tree, prefix: str = "") -> dict[str, np.ndarray]:
    """{"mixed3a/3x3/kernel": array, ...}."""
    if not isinstance(tree, dict):
        return {prefix: np.asarray(tree, np.float32)}
    return {
        name: leaf
        for key, branch in tree.items()
        for name, leaf in flatten(branch, f"{prefix}/{key}" if prefix else key).items()
    }


def main() -> None:
    """Generates images, trains, folds batch norm, evaluates and saves."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--images", type=int, default=600_000, help="images seen in training")
    parser.add_argument("--pool", type=int, default=120_000, help="different images")
    parser.add_argument("--test", type=int, default=5_900, help="fresh images for the evaluation")
    args = parser.parse_args()
    if "MALLOC_TOP_PAD_" not in os.environ:  # the allocator reads these when a process starts
        os.execve(sys.executable, [sys.executable, *sys.argv], {**os.environ, **ALLOCATOR})
    if CLASSES != CLASS_NAMES:
        raise SystemExit("featviz.zoo.architectures.patterns.CLASSES differs from the generator's classes")
    started = time.time()
    jobs = [((args.seed, POOL_STREAM, k), args.pool // 8) for k in range(8)]
    jobs.append(((args.seed, TEST_STREAM), args.test))
    with multiprocessing.get_context("spawn").Pool(2) as workers:
        *parts, (test_images, test_labels) = workers.starmap(make_pool, jobs, chunksize=1)
    images, labels = (np.concatenate(column) for column in zip(*parts, strict=True))
    del parts
    print(f"{len(images)} images after {time.time() - started:.0f} s", flush=True)
    average, stats = train(args.seed, images, labels, args.images // BATCH)
    plain = jax.device_get(fold(average, stats))
    accuracy = evaluate(plain, test_images, test_labels)
    minutes = (time.time() - started) / 60
    cost = jax.jit(Patterns().apply).lower({"params": plain}, jnp.zeros((1, 64, 64, 3)))
    flops = cost.compile().cost_analysis()["flops"]
    tensors = flatten(plain)
    units = sum(len(value) for name, value in tensors.items() if name.endswith("bias"))
    print(
        f"{flops / 1e6:.1f} MFLOP at 64x64, {units} units, "
        f"{sum(value.size for value in tensors.values())} parameters, {minutes:.1f} minutes"
    )
    save_file(
        tensors,
        args.out,
        {
            "accuracy": f"{accuracy:.4f}",
            "test_images": str(args.test),
            "seed": str(args.seed),
            "images": str(args.images),
            "format": "featviz patterns",
        },
    )
    print(f"HELD-OUT accuracy {accuracy:.4f} on {args.test} fresh images; wrote {args.out}")


if __name__ == "__main__":
    main()
