"""The noise image of the linearization: its spectrum, and how much of it the receptive field needs."""

import numpy as np
import pytest
from support.connected import Skipping
from support.tiny import build

from featviz.circuits.linearization import middle_position
from featviz.circuits.linearization_point import pink_noise, receptive_field_radius


def test_the_radius_of_a_receptive_field(bottleneck):
    assert receptive_field_radius(bottleneck, "below/relu", "block") == 1
    skipping = build(Skipping(), size=16)
    assert receptive_field_radius(skipping, "first", "third") == 1
    assert receptive_field_radius(skipping, "second", "third") == 0


def test_pink_noise_falls_off_with_frequency():
    made = pink_noise(np.random.default_rng(0), 8, (64, 64), channels=1)[..., 0]
    power = np.square(np.abs(np.fft.rfft2(made - made.mean((1, 2), keepdims=True)))).mean(0)
    assert power[0, 2] / power[0, 16] == pytest.approx(64, rel=0.6)


def test_the_middle_of_a_volume():
    assert middle_position((4, 4, 4, 2), (32, 32)) == 42
