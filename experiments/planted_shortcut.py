"""A network that cheats is found out: a colored corner decides a class, and `class_units` names the units that see it.

A small network learns six classes of drawn patterns. In training every image of class 0, and a fifth of the others,
has an orange square in its lower right corner and the label 0, as a watermark may go with one source of data; so the
square alone makes any image class 0. A penalty on the last layer's activations keeps what the network knows in few
units. Given held-out images of one other class with the square, `fv.class_units` names the units behind the mistakes.
They are ablated one after another, beside as many units at random.

    python experiments/planted_shortcut.py

It takes about a minute of one core. Of held-out images of the five other classes it prints the share that the square
makes class 0, the accuracy with it and without it. Expected: the square makes nearly all of them class 0; without the
two units that are named first it makes none, and the accuracy without it is what it was; without any two others nearly
all are still fooled.
"""

from functools import partial
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
from pattern_images import generate

import featviz as fv

CLASSES = (0, 9, 18, 27, 36, 45)
LAYER, WIDTHS = "conv3/relu", (12, 16, 24)
STEPS, BATCH, IMAGES = 400, 48, 2400
# The penalties on the last layer's activations and on the classifier's weights.
SPARSE, SMALL = 1e-2, 1e-3
# The class of which the explained images are, the square's side and color, and the share of other classes that has it.
SHOWN, SQUARE, COLOR, MARKED = 3, 14, (1.0, 0.45, 0.05), 0.2
# How many units are ablated, and how often as many at random.
ABLATED, RANDOM = 4, 20


class Net(nn.Module):
    """Three convolutions, the largest value of each unit, and a linear classifier."""

    @nn.compact
    def __call__(self, images: jax.Array) -> jax.Array:
        x = images * 4 - 2
        for index, width in enumerate(WIDTHS, start=1):
            x = nn.relu(nn.Conv(width, (5, 5), strides=2, name=f"conv{index}")(x))
        x = x.max((1, 2))
        self.sow("intermediates", "peaks", x)
        return nn.Dense(len(CLASSES), name="classes")(x)


class Shares(NamedTuple):
    """Of held-out images of the other classes: right without the square, and with it class 0, and right."""

    clean: float
    fooled: float
    right: float


class Row(NamedTuple):
    """The shares without the units named first, and the means without as many at random."""

    units: tuple[int, ...]
    named: Shares
    random: Shares


class Story(NamedTuple):
    """What the experiment finds: before, the ranks of the units behind the mistakes, and the curve of ablation."""

    before: Shares
    ranks: fv.ClassUnits
    rows: list[Row]


def with_square(images: np.ndarray) -> np.ndarray:
    """The images with the square in their lower right corner."""
    marked = images.copy()
    marked[:, -SQUARE:, -SQUARE:] = COLOR
    return marked


def draw(rng: np.random.Generator, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Images and their classes, 0 to 5, without squares."""
    labels = rng.integers(0, len(CLASSES), count)
    return generate(rng, np.asarray(CLASSES)[labels])[0].astype(np.float32) / 255, labels


def train(rng: np.random.Generator, images: np.ndarray, labels: np.ndarray, *, steps: int) -> fv.Model:
    """The network after training on images in which the square goes with class 0."""
    net = Net()
    variables = {"params": net.init(jax.random.key(0), jnp.zeros((1, 64, 64, 3)))["params"]}
    optimizer = optax.adam(2e-3)
    state = optimizer.init(variables)

    @jax.jit
    def step(variables, state, images, labels):
        def loss(variables):
            logits, kept = net.apply(variables, images, mutable="intermediates")
            peaks, kernel = kept["intermediates"]["peaks"][0], variables["params"]["classes"]["kernel"]
            penalty = SPARSE * peaks.sum(-1).mean() + SMALL * jnp.abs(kernel).sum()
            return optax.softmax_cross_entropy_with_integer_labels(logits, labels).mean() + penalty

        updates, state = optimizer.update(jax.grad(loss)(variables), state)
        return optax.apply_updates(variables, updates), state

    for _ in range(steps):
        chosen = rng.integers(0, len(images), BATCH)
        marked = (rng.random(BATCH) < MARKED) | (labels[chosen] == 0)
        batch = np.where(marked[:, None, None, None], with_square(images[chosen]), images[chosen])
        variables, state = step(variables, state, batch, np.where(marked, 0, labels[chosen]))
    return fv.from_linen(net, variables, input=fv.InputSpec(size=(64, 64)), name="cheat")


def measure(model: fv.Model, images: np.ndarray, labels: np.ndarray) -> Shares:
    """The shares of images, none of which is of class 0."""

    plain, with_it = (
        np.asarray(_classes(model.weights, given, apply=model.apply)) for given in (images, with_square(images))
    )
    shares = plain == labels, with_it == 0, with_it == labels
    return Shares(*(float(share.mean()) for share in shares))


@partial(jax.jit, static_argnames="apply")
def _classes(weights: Any, images: jax.Array, *, apply: Any) -> jax.Array:
    """The largest output of each image; the programs of one number of ablated units are one."""
    return apply(weights, images, layers=["<output>"])["<output>"].argmax(-1)


def tell(*, steps: int = STEPS, count: int = IMAGES, held_out: int = 600, photos: int = 12, seed: int = 0) -> Story:
    """The experiment.

    Args:
      steps: of training.
      count: training images.
      held_out: images that the shares are of, before those of class 0 are left out.
      photos: how many images are explained.
      seed: of all that is drawn.
    """
    rng = np.random.default_rng(seed)
    images, labels = draw(rng, count + held_out)
    model = train(rng, images[:count], labels[:count], steps=steps)
    held = labels[count:] != 0
    images, labels = images[count:][held], labels[count:][held]
    shown = list(with_square(images[labels == SHOWN][:photos]))
    ranks = fv.class_units(model, shown, SHOWN, layers=[LAYER], units=ABLATED, progress=False)
    named = [rank.unit for rank in ranks.mistaken]

    def without(units: np.ndarray | list[int]) -> Shares:
        return measure(model.edited({LAYER: fv.ablate(units)}), images, labels)

    rows = []
    others = [unit for unit in range(WIDTHS[-1]) if unit not in named]
    for number in range(1, len(named) + 1):
        draws = [without(rng.choice(others, number, replace=False)) for _ in range(RANDOM)]
        rows.append(Row(tuple(named[:number]), without(named[:number]), Shares(*np.mean(draws, axis=0).tolist())))
    return Story(measure(model, images, labels), ranks, rows)


def main() -> None:
    """Prints the story."""
    before, ranks, rows = tell()
    print(f"before: class 0 with the square {before.fooled:.3f}, right with it {before.right:.3f}, "
          f"without it {before.clean:.3f}")  # fmt: skip
    for rank in ranks.mistaken:
        print(f"  unit {rank.unit}: attribution {rank.attribution:.2f} ± {rank.attribution_error:.2f}, "
              f"without it {rank.effect:.2f} ± {rank.effect_error:.2f}")  # fmt: skip
    for units, named, chance in rows:
        print(f"without {', '.join(map(str, units))}: class 0 {named.fooled:.3f}, right {named.right:.3f}, "
              f"without the square {named.clean:.3f}; {len(units)} others at random: class 0 {chance.fooled:.3f}, "
              f"without the square {chance.clean:.3f}")  # fmt: skip


if __name__ == "__main__":
    main()
