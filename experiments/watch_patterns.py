"""The built-in network watched while it is trained: eight units from random weights to the end.

    python experiments/watch_patterns.py -o film.webp [--steps 400] [--every 20] [--fresh]

Hardware: 2 CPU cores. Takes: 7.8 minutes on a machine that was busy with other work, 2.5 of a processor's.
Expected: 21 looks take 17 % of the training's time, half of that the first, which compiles; the second compiles what
begins at a picture, and no later one anything. The logits' pictures turn from noise into what their classes are
(horizontal gratings, upright plaid, white noise; of scales a diagonal weave), with scores 6 to 24 times those at random
weights; held-out accuracy .66. By the end the pictures are harsh, for each goes on from the one before. With --fresh
they are soft and show the same; five such looks (--every 100) took 19 %, and the first compiled all.

The training is that of `train_patterns.py`, cut short: no adversarial steps and no average of the weights. What is
watched is the network as it will be used, its batch norm folded into the kernels, with running statistics.
"""

import argparse
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import jax
import numpy as np
import optax
from pattern_training import fold, forward, init
from train_patterns import BATCH, CLASSES, DECAY, PEAK_RATE, SMOOTHING, augment, loss_of, make_pool

import featviz as fv

TARGETS = [*fv.channel("mixed3b", [2, 9, 20, 33]), *fv.logit([0, 8, 20, 28])]
MEMORY = 0.9  # of batch norm's running statistics


def batches(images: np.ndarray, labels: np.ndarray, steps: int) -> Iterator[tuple]:
    """Shuffled images with their labels, and noise for the augmentation."""
    rng = np.random.default_rng(1)
    for step in range(steps):
        index = rng.integers(len(images), size=BATCH)
        noise = rng.standard_normal((BATCH, *images.shape[1:]), dtype=np.float32)
        yield jax.random.key(step), images[index], noise, labels[index]


def main() -> None:
    """Trains, watches, writes the film and a sheet of some of its frames."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--every", type=int, default=20)
    parser.add_argument("--images", type=int, default=12_000, help="different images")
    parser.add_argument("--fresh", action="store_true", help="every picture from noise, not from the one before")
    parser.add_argument("-o", "--out", type=Path, required=True)
    given = parser.parse_args()
    images, labels = make_pool((0, 1), given.images)
    test_images, test_labels = make_pool((0, 2), 1180)

    params = init(np.random.default_rng(0))
    solver = optax.adamw(
        optax.cosine_onecycle_schedule(given.steps, PEAK_RATE, 0.15, 10, 100),
        b2=0.99,
        weight_decay=DECAY,
        mask=jax.tree.map(lambda leaf: leaf.ndim > 1, params),
    )

    @partial(jax.jit, donate_argnums=(0, 1, 2))
    def train(params, state, stats, key, batch, noise, labels):
        targets = optax.smooth_labels(jax.nn.one_hot(labels, len(CLASSES)), SMOOTHING)
        (loss, (seen, hits)), grad = jax.value_and_grad(loss_of, has_aux=True)(
            params, augment(key, batch, noise), targets
        )
        update, state = solver.update(grad, state, params)
        stats = jax.tree.map(lambda old, new: MEMORY * old + (1 - MEMORY) * new, stats, seen)
        return optax.apply_updates(params, update), state, stats, loss, hits

    first = next(batches(images, labels, 1))
    stats = jax.jit(lambda x: forward(params, None, x)[1])(augment(*first[:3]))
    state = solver.init(params)

    # What XLA compiles while it is looked at.
    compiled: list[str] = []
    jax.monitoring.register_event_duration_secs_listener(
        lambda name, *_, **__: compiled.append(name) if name.endswith("backend_compile_duration") else None
    )
    model, folded = fv.load("patterns"), jax.jit(fold)
    looks: list[tuple[str, list[fv.Picture]]] = []
    watch = fv.Watch(
        model,
        TARGETS,
        every=given.every,
        warm=not given.fresh,
        warm_steps=24,
        size=64,
        steps=96,
        callback=lambda step, pictures: looks.append((str(step), pictures)),
    )
    counts = []
    began = time.time()
    for step, batch in enumerate(batches(images, labels, given.steps + 1)):
        before = len(compiled)
        if watch(step, lambda: folded(params, stats)):  # noqa: B023
            counts.append(len(compiled) - before)
        params, state, stats, loss, hits = train(params, state, stats, *batch)
        if step % 100 == 0:
            print(
                f"step {step}: loss {loss:.3f}, training accuracy {hits:.3f}, {time.time() - began:.0f} s", flush=True
            )
    report = watch.report()
    weights = {"params": folded(params, stats)}
    apply = jax.jit(lambda weights, images: model.apply(weights, images, layers=["logits"])["logits"])
    guesses = [np.argmax(apply(weights, part / np.float32(255)), axis=1) for part in np.split(test_images, 10)]
    print(f"held-out accuracy {np.mean(np.concatenate(guesses) == test_labels):.3f}")
    print(report)
    print(
        f"programs compiled at the first look: {counts[0]}, at the second: {counts[1]}, "
        f"at all others together: {sum(counts[2:])}"
    )

    steps, columns = zip(*looks, strict=True)
    found = fv.Comparison(steps, tuple(zip(*columns, strict=True)))
    for row in found.pictures:
        print(f"{row[0].name:12} score {row[0].score:8.3f} at random weights, {row[-1].score:8.3f} at the end")
    found.save_film(given.out, rate=6)
    chosen = np.unique(np.linspace(0, len(looks) - 1, 8).astype(int))
    rows = tuple(tuple(row[at] for at in chosen) for row in found.pictures)
    fv.Comparison(tuple(steps[at] for at in chosen), rows).save_sheet(given.out.with_suffix(".png"))


if __name__ == "__main__":
    main()
