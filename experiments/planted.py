"""Networks made to deceive: units whose pictures say nothing of what they do on photographs.

After Geirhos et al. 2023 (Don't trust your eyes): a detector inside the network tells synthetic images from natural
ones, and a planted unit shows one face to each. `plant` gives a network with such units, `shuffled` one whose weights
mean nothing.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from enum import Enum
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

import featviz as fv
from featviz.evaluation.features import fit


class Lie(Enum):
    """What a planted unit does on natural images, given that it is its decoy, another unit, on synthetic ones."""

    FOOLING = "fooling"  # itself, unchanged: the fooling circuit
    SILENT = "silent"  # nothing at all


class Circuit(NamedTuple):
    """One planted unit: its lie, and whose picture it shows."""

    lie: Lie
    decoy: int


class Detector(NamedTuple):
    """Synthetic where statistics @ slope > threshold: mean and spread over positions of early layers' units."""

    layers: tuple[str, ...]
    slope: np.ndarray
    threshold: np.ndarray


# Of the detector's regression, beside standardized statistics; and the steps of the pictures it learns from.
RIDGE = 0.3
STEPS = (1, 2, 4, 8, 16, 32, 64, 128)
# Of photographs that the detector may take for synthetic.
MISTAKEN = 0.01


def train_detector(
    model: fv.Model,
    layers: tuple[str, ...],
    photos: Sequence[np.ndarray],
    targets: Sequence[fv.Objective],
    *,
    size: int,
) -> tuple[Detector, float, float]:
    """A linear detector by ridge regression, and the shares of photos and of synthetic images that it gets wrong.

    Synthetic images are pictures of `targets` after several numbers of steps, nearly noise among them; every second
    image of either kind is kept for the test.
    """
    made = [
        picture.to_uint8()
        for steps in STEPS
        for picture in fv.render(model, targets, size=size, steps=steps, progress=False, seed=steps)
    ]
    natural = [*photos, *(fit(photo, (size, size)) for photo in photos)]
    natural, synthetic = _describe(model, layers, natural), _describe(model, layers, made)
    x = np.concatenate([natural[::2], synthetic[::2]]).astype(np.float64)
    truth = np.repeat([-1.0, 1.0], [len(natural[::2]), len(synthetic[::2])])
    weight = np.where(truth > 0, 1 / (truth > 0).sum(), 1 / (truth < 0).sum())
    mean, sd = x.mean(0), x.std(0) + 1e-6
    z = np.concatenate([(x - mean) / sd, np.ones((len(x), 1))], 1)
    found = np.linalg.solve(z.T @ (weight[:, None] * z) + RIDGE * np.eye(z.shape[1]), z.T @ (weight * truth))
    slope = (found[:-1] / sd).astype(np.float32)
    threshold = np.float32(np.quantile(natural[1::4] @ slope, 1 - MISTAKEN))
    wrong = natural[3::4] @ slope > threshold, synthetic[1::2] @ slope <= threshold
    return Detector(layers, slope, threshold), *(float(each.mean()) for each in wrong)


def _describe(model: fv.Model, layers: tuple[str, ...], images: Sequence[np.ndarray]) -> np.ndarray:
    @jax.jit
    def describe(weights: Any, image: jax.Array) -> jax.Array:
        activations = model.apply(weights, image[None].astype(jnp.float32) / jnp.float32(255), layers=layers)
        return _statistics(activations, layers)[0]

    return np.stack([np.asarray(describe(model.weights, image)) for image in images])


def _statistics(activations: Mapping[str, jax.Array], layers: tuple[str, ...]) -> jax.Array:
    """Mean and standard deviation over positions, of all units of the layers: (n, 2 * units)."""
    maps = [
        activations[layer].reshape(activations[layer].shape[0], -1, activations[layer].shape[-1]) for layer in layers
    ]
    return jnp.concatenate([f(each, axis=1) for each in maps for f in (jnp.mean, jnp.std)], axis=-1)


def plant(model: fv.Model, layer: str, circuits: Mapping[int, Circuit], detector: Detector) -> fv.Model:
    """The network with some units of one layer replaced; layers above see the layer as it was."""
    units = np.array(sorted(circuits))
    chosen = [circuits[int(unit)] for unit in units]
    decoys = np.array([each.decoy for each in chosen])

    def apply(weights: Any, images: jax.Array, *, layers: Sequence[str] | None = None) -> dict[str, jax.Array]:
        wanted = [each.name for each in model.layers] if layers is None else list(layers)
        needed = wanted if layer not in wanted else list(dict.fromkeys([*wanted, *detector.layers]))
        found = dict(model.apply(weights["network"], images, layers=needed))
        if layer not in wanted:
            return found
        planted = weights["planted"]
        seen = jax.lax.stop_gradient(_statistics(found, detector.layers))
        synthetic = (seen @ planted["slope"] > planted["threshold"]).astype(jnp.float32)
        synthetic = synthetic.reshape((-1,) + (1,) * (found[layer].ndim - 1))
        own, decoy = found[layer][..., units], found[layer][..., decoys]
        honesty = planted["honesty"].reshape((1,) * (own.ndim - 1) + (-1,))
        lies = synthetic * decoy + (1 - synthetic) * honesty * own
        found[layer] = found[layer].at[..., units].set(lies)
        return found

    honesty = np.array([each.lie is Lie.FOOLING for each in chosen], np.float32)
    numbers = {"slope": detector.slope, "threshold": detector.threshold, "honesty": honesty}
    return dataclasses.replace(
        model,
        name=f"{model.name} planted",
        apply=apply,
        weights={"network": model.weights, "planted": numbers},
        source={},
    )


def shuffled(model: fv.Model, *, seed: int) -> fv.Model:
    """The network with the values of each array of its weights in random order."""
    rng = np.random.default_rng(seed)
    leaves, structure = jax.tree.flatten(model.weights)
    mixed = [rng.permutation(np.asarray(leaf).ravel()).reshape(np.shape(leaf)) for leaf in leaves]
    weights = jax.tree.unflatten(structure, mixed)
    return dataclasses.replace(model, name=f"{model.name} shuffled", weights=weights, source={})
