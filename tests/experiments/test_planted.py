"""Planted units respond to natural images in one way and to synthetic ones as their decoys."""

import sys
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "experiments"))

from planted import Circuit, Deception, Detector, plant, shuffled

LAYER = "mixed3b"


@pytest.fixture(scope="module")
def planted(patterns):
    """A network with two planted units and a detector that classifies bright images as synthetic."""
    probes = jnp.asarray(np.stack([np.full((64, 64, 3), level, np.float32) for level in (0.2, 0.8)]))
    maps = patterns.apply(patterns.weights, probes, layers=["conv1"])["conv1"].reshape(2, -1, 16 + 4)
    statistics = np.concatenate([np.asarray(maps.mean(1)), np.asarray(maps.std(1))], 1)
    weights = statistics[1] - statistics[0]
    detector = Detector(("conv1",), weights, np.float32((statistics @ weights).mean()))
    circuits = {5: Circuit(Deception.FOOLING, 9), 2: Circuit(Deception.SILENT, 7)}
    return plant(patterns, LAYER, circuits, detector)


@pytest.mark.parametrize("level, synthetic", [(0.2, False), (0.8, True)])
def test_a_planted_unit_is_its_decoy_on_synthetic_images_alone(planted, patterns, level, synthetic):
    rng = np.random.default_rng(0)
    images = jnp.asarray(np.clip(level + 0.02 * rng.standard_normal((2, 64, 64, 3)), 0, 1).astype(np.float32))
    own = np.asarray(patterns.apply(patterns.weights, images, layers=[LAYER])[LAYER])
    responses = np.asarray(planted.apply(planted.weights, images, layers=[LAYER])[LAYER])
    expected = own.copy()
    expected[..., 5] = own[..., 9] if synthetic else own[..., 5]
    expected[..., 2] = own[..., 7] if synthetic else 0
    np.testing.assert_allclose(responses, expected, rtol=1e-5, atol=1e-6)


def test_layers_above_are_unchanged(planted, patterns):
    images = jnp.full((1, 64, 64, 3), 0.8, jnp.float32)
    for model in (planted, patterns):
        assert set(model.apply(model.weights, images, layers=["mixed4a"])) >= {"mixed4a"}
    a, b = (np.asarray(m.apply(m.weights, images, layers=["mixed4a"])["mixed4a"]) for m in (planted, patterns))
    np.testing.assert_array_equal(a, b)


def test_shuffled_weights_are_the_same_values_in_another_order(patterns):
    import jax

    mixed = shuffled(patterns, seed=0)
    for a, b in zip(jax.tree.leaves(patterns.weights), jax.tree.leaves(mixed.weights), strict=True):
        np.testing.assert_array_equal(np.sort(np.ravel(a)), np.sort(np.ravel(b)))
    kernels = [np.asarray(m.weights["params"]["conv1"]["6x6"]["kernel"]) for m in (patterns, mixed)]
    assert not np.array_equal(*kernels)
