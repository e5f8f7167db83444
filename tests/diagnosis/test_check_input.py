"""`check_input`: wrong inputs and other silent faults are reported, and nothing is concluded from unsuitable photos."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image
from support.drawn import drawn_patterns
from support.normed import CAFFE, SIDE, Normed, trained

from featviz.adapters.function import from_function
from featviz.adapters.linen import from_linen
from featviz.diagnosis.check_input import check_input, read_photos, value_ranges
from featviz.errors import FeatvizError
from featviz.model import InputSpec


def test_the_suggestion_corrects_the_network(scenes):
    weights = trained(CAFFE, scenes[:48])
    wrong = from_linen(Normed(), weights, input=InputSpec(size=(SIDE, SIDE)), name="net")
    found = check_input(wrong, [np.uint8(255 * image) for image in scenes[48:]])
    assert found.conclusion.wrong and found.faults == (found.conclusion.reason,)
    mended = eval(found.suggestion, {"InputSpec": InputSpec})
    again = check_input(from_linen(Normed(), weights, input=mended), [np.uint8(255 * image) for image in scenes[48:]])
    assert not again.faults and not again.conclusion.wrong


def test_photos_unlike_the_training_images_are_inconclusive(scenes):
    model = from_linen(Normed(), trained(CAFFE, scenes[:48]), input=CAFFE)
    shifted = {**model.weights, "batch_stats": jax.tree.map(lambda x: 0.01 * x, model.weights["batch_stats"])}
    found = check_input(replace(model, weights=shifted), list(scenes[48:]))
    assert not found.conclusion.plausible and not found.conclusion.wrong
    assert "no candidate fits the batch norms' statistics" in found.conclusion.reason


def test_without_photos_it_says_what_photos_are_needed_for(tiny):
    found = check_input(tiny, None)
    assert found.conclusion is None and found.measurements == () and found.faults == ()
    assert "PHOTOS" in found.lines[-1]
    assert found.lines[0].startswith(f"tiny: {len(tiny.layers)} layers")


def test_other_faults_are_reported():
    def network(weights, images):
        x = jnp.einsum("nhwc,cd->nhwd", images, weights)
        return jnp.mean(jax.nn.relu(x - 9.0), axis=(1, 2))

    spec = InputSpec(size=(8, 8))
    images = np.random.default_rng(0).integers(0, 256, (9, 8, 8, 3)).astype(np.uint8)
    dead = check_input(from_function(network, jnp.ones((3, 4)), input=spec), list(images))
    assert any("gradient with respect to the image is zero" in fault for fault in dead.faults)
    assert "silent on all 9 photos: 4 of 8 units (50.0%): relu 100%" in dead.lines
    broken = check_input(from_function(network, jnp.full((3, 4), jnp.inf), input=spec), None)
    assert broken.faults[0].startswith("not finite on gray: dot")


def test_smallest_and_largest_values_are_over_all_photos(tiny):
    images = np.random.default_rng(0).uniform(size=(19, 16, 16, 3)).astype(np.float32)
    low, high = value_ranges(tiny, images)
    found = tiny.apply(tiny.weights, images)
    for layer in tiny.layers:
        values = np.asarray(found[layer.name]).reshape(-1, layer.units)
        np.testing.assert_allclose(low[layer.name], values.min(0), rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(high[layer.name], values.max(0), rtol=1e-4, atol=1e-5)


def test_photos_are_taken_from_the_whole_folder(tiny, tmp_path):
    for number in range(130):
        Image.new("RGB", (4, 4), (number, 0, 0)).save(tmp_path / f"{number:03d}.png")
    found = read_photos(tiny, tmp_path)
    assert found.shape == (64, 16, 16, 3)
    assert (found[0, 0, 0, 0], found[-1, 0, 0, 0]) == pytest.approx((0, 129 / 255))
    assert len(read_photos(tiny, (np.zeros((9, 9, 3), np.uint8) for _ in range(100)))) == 64
    (tmp_path / "only").mkdir()
    (tmp_path / "only" / "bad.png").write_bytes(b"no image")
    with pytest.raises(FeatvizError, match="no image that can be read: bad.png"):
        read_photos(tiny, tmp_path / "only")


def test_the_built_in_network_on_what_it_was_trained_on(patterns):
    found = check_input(patterns, list(drawn_patterns(64)))
    assert not found.conclusion.wrong
    assert found.measurements[0] in found.conclusion.plausible
    # It was trained on recolored images, with about ImageNet's mean and spread.
    assert "indistinguishable from" in found.conclusion.reason
    labels = [measurement.candidate.label for measurement in found.conclusion.plausible]
    assert not any(label.startswith(("[0,1]", "0..255")) for label in labels)


def test_photos_are_inconclusive_for_a_network_of_drawn_patterns(patterns, photos):
    found = check_input(patterns, photos[::12])
    assert not found.conclusion.wrong and not found.conclusion.plausible
    assert "expected photos of its classes" in found.conclusion.reason
