"""Circuits whose parts are known: do units for spirals hold oriented lines where a spiral has them?

    python experiments/pattern_circuits.py

The training images of the built-in network `patterns` are drawn by rule. Clockwise and counterclockwise spirals differ
only in how their arms are bent: at a place in the direction a from the middle an arm lies at a + 45 degrees or at
a - 45 degrees. From the weights between `mixed3a` and `mixed4a` and the orientation that each unit of `mixed3a`
prefers on gratings, each unit of `mixed4a` gets a handedness, which is compared with its responses to the two spirals;
and so for rings against rays, whose lines lie across and along that direction.

Hardware: two CPU cores. Time: half a minute. Expected: see docs/circuits.md.
"""

import numpy as np
from oriented_parts import agreement, orientations, responses, spearman
from pattern_images import generate

import featviz as fv
from featviz.circuits.unit_std import unit_std

# Units of mixed4a that respond more to one of the two than to the other, by this many standard deviations.
CLEAR = 0.5
COUNT = 96


def turned(angle: float):
    """Tangents at an angle to the direction from the middle, everywhere but there."""

    def tangent(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return np.arctan2(y, x) + angle, (np.hypot(x, y) > 0).astype(float)

    return tangent


def middle_responses(model: fv.Model, layer: str, label: str, seed: int) -> np.ndarray:
    """Each unit's largest response near the middle of images of a class, (images, units)."""
    labels = np.full(COUNT, model.classes.index(label))
    images, _ = generate(np.random.default_rng(seed), labels)
    return responses(model, layer, images.astype(np.float32) / 255, middle=True)


def compare(
    model: fv.Model, maps: np.ndarray, tuning: tuple, pair: tuple[str, str], angle: tuple[float, float]
) -> None:
    """Prints how well the weights say which of two classes a unit prefers."""
    norm = np.linalg.norm(maps.reshape(len(maps), -1), axis=1)
    first, second = (agreement(maps, *tuning, turned(each), step=1.0) / norm for each in angle)
    a, b = (middle_responses(model, "mixed4a", label, seed) for seed, label in enumerate(pair))
    spread = np.sqrt((a.var(0) + b.var(0)) / 2) + 1e-9
    prefers = (a.mean(0) - b.mean(0)) / spread
    clear = np.abs(prefers) > CLEAR
    right = float((np.sign((first - second)[clear]) == np.sign(prefers[clear])).mean())
    alive = a.max(0) + b.max(0) > 0
    rng = np.random.default_rng(0)
    chosen = np.flatnonzero(alive)
    draws = [rng.choice(chosen, len(chosen)) for _ in range(500)]
    low, high = np.percentile([spearman((first - second)[each], prefers[each]) for each in draws], [2.5, 97.5])
    print(
        f"{pair[0]} or {pair[1]}: rank correlation {spearman((first - second)[alive], prefers[alive]):.2f} "
        f"[{low:.2f}, {high:.2f}] over {alive.sum()} units; the weights name the preferred one for {right:.0%} of the "
        f"{clear.sum()} with a clear preference"
    )


def main() -> None:
    model = fv.load("patterns")
    labels = np.random.default_rng(9).integers(0, len(model.classes), 64)
    images = generate(np.random.default_rng(9), labels)[0].astype(np.float32) / 255
    std = unit_std(model, ["mixed3a"], images=images)["mixed3a"]
    maps = fv.weights_between(model, "mixed3a", "mixed4a").maps * std
    tuning = orientations(model, "mixed3a", size=64, periods=(6.0, 10.0, 16.0))
    print("orientation selectivity of mixed3a, quartiles", np.round(np.quantile(tuning[1], [0.25, 0.5, 0.75]), 2))
    # y grows downwards, so that a positive angle turns clockwise.
    compare(model, maps, tuning, ("clockwise spiral", "counterclockwise spiral"), (np.pi / 4, -np.pi / 4))
    compare(model, maps, tuning, ("concentric rings", "radial rays"), (np.pi / 2, 0.0))


if __name__ == "__main__":
    main()
