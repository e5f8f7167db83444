"""The built-in network: how well it does, and the known answers of its pictures."""

import sys
from pathlib import Path

import jax
import numpy as np
import pytest

import featviz as fv
from featviz.model import OUTPUT

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def known_answers():
    sys.path.insert(0, str(ROOT / "experiments"))
    try:
        import known_answers

        return known_answers
    finally:
        sys.path.pop(0)


@pytest.fixture(scope="module")
def pattern_images(known_answers):
    return sys.modules["pattern_images"]


@pytest.fixture(scope="module")
def pictures(patterns, known_answers):
    return known_answers.class_pictures(patterns, size=64)


def test_it_is_small_enough_to_ship_and_to_render_whole(patterns):
    units = {layer.name: layer.units for layer in patterns.layers if "/" not in layer.name}
    assert sum(units.values()) <= 400
    assert len(patterns.classes) >= 48
    assert (ROOT / "featviz" / "zoo" / "patterns.safetensors").stat().st_size <= 2_000_000
    forward = jax.jit(patterns.apply).lower(patterns.weights, np.zeros((1, 64, 64, 3), np.float32))
    assert forward.compile().cost_analysis()["flops"] <= 36e6


@pytest.mark.parametrize(("second", "least"), [(False, 0.97), (True, 0.96)])
def test_it_recognizes_images_that_it_has_not_seen(second, least, patterns, known_answers, pattern_images):
    network = fv.load("patterns", weights=known_answers.SECOND) if second else patterns
    labels = np.arange(1160) % len(network.classes)
    images, _ = pattern_images.generate(np.random.default_rng(987_654), labels)
    images = np.asarray(images, np.float32) / 255
    apply = jax.jit(lambda weights, images: network.apply(weights, images, layers=[OUTPUT])[OUTPUT])
    seen = np.concatenate([apply(network.weights, part).argmax(-1) for part in np.split(images, 8)])
    assert np.mean(seen == labels) >= least


def test_a_second_network_recognizes_the_pictures_of_the_classes(pictures, known_answers):
    judge = fv.load("patterns", weights=known_answers.SECOND)
    seen = known_answers.recognized(pictures, judge)
    assert np.mean(seen == np.arange(len(pictures))) >= 0.8


def test_the_vertical_grating_has_its_spectral_peak_where_its_class_has_it(
    patterns, pictures, known_answers, pattern_images
):
    name = "vertical grating, high frequency"
    cycles, degrees = known_answers.spectral_peak(pictures[patterns.classes.index(name)])
    low, high = pattern_images.FREQUENCY_BANDS["high"]
    assert low - 1 <= cycles <= high + 1
    assert min(degrees, 180 - degrees) <= 15


def test_no_class_gives_a_gray_picture(pictures):
    assert min(picture.pixels.std() for picture in pictures) >= 0.05
    assert {picture.outcome for picture in pictures} == {fv.Outcome.OUT_OF_STEPS}
