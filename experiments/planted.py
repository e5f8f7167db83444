"""Networks with deceptive units, whose pictures are unrelated to their activations on photographs.

After Geirhos et al. 2023 (Don't trust your eyes): a detector inside the network separates synthetic from natural
images, and a planted unit responds differently to each. `plant` makes a network with such units, `shuffled` one whose
weights are in random order. `trust.py` runs the flag on both.
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


class Deception(Enum):
    """The response of a planted unit to natural images; on synthetic ones it responds as another unit, its decoy."""

    FOOLING = "fooling"  # unchanged: the fooling circuit
    SILENT = "silent"  # zero


class Circuit(NamedTuple):
    """One planted unit: its kind, and the unit whose picture it gets."""

    deception: Deception
    decoy: int


class Detector(NamedTuple):
    """Synthetic where statistics @ weights > threshold: mean and spread over positions of early layers' units."""

    layers: tuple[str, ...]
    weights: np.ndarray
    threshold: np.ndarray


# The ridge strength of the detector's regression on standardized statistics, and the steps of its training pictures.
RIDGE = 0.3
STEPS = (1, 2, 4, 8, 16, 32, 64, 128)
# The share of photographs that the detector may classify as synthetic.
FALSE_POSITIVES = 0.01


def train_detector(
    model: fv.Model,
    layers: tuple[str, ...],
    photos: Sequence[np.ndarray],
    targets: Sequence[fv.Objective],
    *,
    size: int,
) -> tuple[Detector, float, float]:
    """A linear detector by ridge regression, and its error rates on photographs and on synthetic images.

    Synthetic images are pictures of `targets` after several numbers of steps, from near noise on; every second image of
    either kind is held out for the test.
    """
    pictures = [
        picture.to_uint8()
        for steps in STEPS
        for picture in fv.render(model, targets, size=size, steps=steps, progress=False, seed=steps)
    ]
    natural = [*photos, *(fit(photo, (size, size)) for photo in photos)]
    natural, synthetic = _describe(model, layers, natural), _describe(model, layers, pictures)
    x = np.concatenate([natural[::2], synthetic[::2]]).astype(np.float64)
    truth = np.repeat([-1.0, 1.0], [len(natural[::2]), len(synthetic[::2])])
    weight = np.where(truth > 0, 1 / (truth > 0).sum(), 1 / (truth < 0).sum())
    mean, sd = x.mean(0), x.std(0) + 1e-6
    z = np.concatenate([(x - mean) / sd, np.ones((len(x), 1))], 1)
    coefficients = np.linalg.solve(z.T @ (weight[:, None] * z) + RIDGE * np.eye(z.shape[1]), z.T @ (weight * truth))
    weights = (coefficients[:-1] / sd).astype(np.float32)
    threshold = np.float32(np.quantile(natural[1::4] @ weights, 1 - FALSE_POSITIVES))
    errors = natural[3::4] @ weights > threshold, synthetic[1::2] @ weights <= threshold
    return Detector(layers, weights, threshold), *(float(wrong.mean()) for wrong in errors)


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
    return jnp.concatenate([f(layer_map, axis=1) for layer_map in maps for f in (jnp.mean, jnp.std)], axis=-1)


def plant(model: fv.Model, layer: str, circuits: Mapping[int, Circuit], detector: Detector) -> fv.Model:
    """The network with some units of one layer replaced; layers above get the unchanged layer."""
    units = np.array(sorted(circuits))
    chosen = [circuits[int(unit)] for unit in units]
    decoys = np.array([circuit.decoy for circuit in chosen])

    def apply(weights: Any, images: jax.Array, *, layers: Sequence[str] | None = None) -> dict[str, jax.Array]:
        wanted = [candidate.name for candidate in model.layers] if layers is None else list(layers)
        needed = wanted if layer not in wanted else list(dict.fromkeys([*wanted, *detector.layers]))
        activations = dict(model.apply(weights["network"], images, layers=needed))
        if layer not in wanted:
            return activations
        planted = weights["planted"]
        statistics = jax.lax.stop_gradient(_statistics(activations, detector.layers))
        synthetic = (statistics @ planted["weights"] > planted["threshold"]).astype(jnp.float32)
        synthetic = synthetic.reshape((-1,) + (1,) * (activations[layer].ndim - 1))
        own, decoy = activations[layer][..., units], activations[layer][..., decoys]
        on_natural = planted["unchanged"].reshape((1,) * (own.ndim - 1) + (-1,)) * own
        replaced = synthetic * decoy + (1 - synthetic) * on_natural
        activations[layer] = activations[layer].at[..., units].set(replaced)
        return activations

    unchanged = np.array([circuit.deception is Deception.FOOLING for circuit in chosen], np.float32)
    parameters = {"weights": detector.weights, "threshold": detector.threshold, "unchanged": unchanged}
    return dataclasses.replace(
        model,
        name=f"{model.name} planted",
        apply=apply,
        weights={"network": model.weights, "planted": parameters},
        source={},
    )


def shuffled(model: fv.Model, *, seed: int) -> fv.Model:
    """The network with the values of each array of its weights in random order."""
    rng = np.random.default_rng(seed)
    leaves, structure = jax.tree.flatten(model.weights)
    mixed = [rng.permutation(np.asarray(leaf).ravel()).reshape(np.shape(leaf)) for leaf in leaves]
    weights = jax.tree.unflatten(structure, mixed)
    return dataclasses.replace(model, name=f"{model.name} shuffled", weights=weights, source={})
