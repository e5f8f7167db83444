"""Eight units of the built-in network during its training, from random weights to the end.

    python experiments/watch_patterns.py -o film.webp [--steps 400] [--every 20] [--fresh]

Hardware: two CPU cores. Time: 7.8 minutes beside other work, 2.5 of processor time. Expected: 21 snapshots take 17 % of
the training time, half of that for the first, which compiles; the second compiles the programs that start from a
picture, the later ones nothing. The pictures of the logits turn from noise into the patterns of their classes
(horizontal gratings, upright plaid, white noise; a diagonal weave for scales), with scores 6 to 24 times those at
random weights; held-out accuracy .66. The last pictures are harsh, since each starts from the one before. With --fresh
they are soft and show the same; five such snapshots (--every 100) took 19 %, and the first compiled everything.

The training is a shorter one than that of `train_patterns.py`, without adversarial steps and weight averaging. The
snapshots show the deployed network, with running statistics of batch norm folded into the kernels.
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
MOMENTUM = 0.9  # of the running statistics of batch norm


def batches(images: np.ndarray, labels: np.ndarray, steps: int) -> Iterator[tuple]:
    """Keys, random images, noise for the augmentation, and labels."""
    rng = np.random.default_rng(1)
    for step in range(steps):
        index = rng.integers(len(images), size=BATCH)
        noise = rng.standard_normal((BATCH, *images.shape[1:]), dtype=np.float32)
        yield jax.random.key(step), images[index], noise, labels[index]


def main() -> None:
    """Trains the network, and writes a film of the snapshots and a sheet of eight of them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--every", type=int, default=20)
    parser.add_argument("--images", type=int, default=12_000, help="number of different images")
    parser.add_argument("--fresh", action="store_true", help="render from noise, not from the picture before")
    parser.add_argument("-o", "--out", type=Path, required=True)
    options = parser.parse_args()
    images, labels = make_pool((0, 1), options.images)
    test_images, test_labels = make_pool((0, 2), 1180)

    params = init(np.random.default_rng(0))
    solver = optax.adamw(
        optax.cosine_onecycle_schedule(options.steps, PEAK_RATE, 0.15, 10, 100),
        b2=0.99,
        weight_decay=DECAY,
        mask=jax.tree.map(lambda leaf: leaf.ndim > 1, params),
    )

    @partial(jax.jit, donate_argnums=(0, 1, 2))
    def train(params, state, stats, key, batch, noise, labels):
        targets = optax.smooth_labels(jax.nn.one_hot(labels, len(CLASSES)), SMOOTHING)
        (loss, (batch_stats, hits)), grad = jax.value_and_grad(loss_of, has_aux=True)(
            params, augment(key, batch, noise), targets
        )
        update, state = solver.update(grad, state, params)
        stats = jax.tree.map(lambda old, new: MOMENTUM * old + (1 - MOMENTUM) * new, stats, batch_stats)
        return optax.apply_updates(params, update), state, stats, loss, hits

    first = next(batches(images, labels, 1))
    stats = jax.jit(lambda x: forward(params, None, x)[1])(augment(*first[:3]))
    state = solver.init(params)

    # Programs that XLA compiles.
    compiled: list[str] = []
    jax.monitoring.register_event_duration_secs_listener(
        lambda name, *_, **__: compiled.append(name) if name.endswith("backend_compile_duration") else None
    )
    model, folded = fv.load("patterns"), jax.jit(fold)
    snapshots: list[tuple[str, list[fv.Picture]]] = []
    watch = fv.Watch(
        model,
        TARGETS,
        every=options.every,
        warm=not options.fresh,
        warm_steps=24,
        size=64,
        steps=96,
        callback=lambda step, pictures: snapshots.append((str(step), pictures)),
    )
    counts = []
    started = time.time()
    for step, batch in enumerate(batches(images, labels, options.steps + 1)):
        before = len(compiled)
        if watch(step, lambda: folded(params, stats)):  # noqa: B023
            counts.append(len(compiled) - before)
        params, state, stats, loss, hits = train(params, state, stats, *batch)
        if step % 100 == 0:
            print(
                f"step {step}: loss {loss:.3f}, training accuracy {hits:.3f}, {time.time() - started:.0f} s", flush=True
            )
    report = watch.report()
    weights = {"params": folded(params, stats)}
    apply = jax.jit(lambda weights, images: model.apply(weights, images, layers=["logits"])["logits"])
    guesses = [np.argmax(apply(weights, part / np.float32(255)), axis=1) for part in np.split(test_images, 10)]
    print(f"held-out accuracy {np.mean(np.concatenate(guesses) == test_labels):.3f}")
    print(report)
    print(
        f"programs compiled at the first snapshot: {counts[0]}, at the second: {counts[1]}, "
        f"at all others: {sum(counts[2:])}"
    )

    steps, columns = zip(*snapshots, strict=True)
    comparison = fv.Comparison(steps, tuple(zip(*columns, strict=True)))
    for row in comparison.pictures:
        print(f"{row[0].name:12} score {row[0].score:8.3f} at random weights, {row[-1].score:8.3f} at the end")
    comparison.save_film(options.out, rate=6)
    chosen = np.unique(np.linspace(0, len(snapshots) - 1, 8).astype(int))
    rows = tuple(tuple(row[k] for k in chosen) for row in comparison.pictures)
    fv.Comparison(tuple(steps[k] for k in chosen), rows).save_sheet(options.out.with_suffix(".png"))


if __name__ == "__main__":
    main()
