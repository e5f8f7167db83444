"""MACO: the published formula, and what its two kinds of phases look like."""

import numpy as np
import pytest
from support.parameterized import color, draw, sigmoid

from featviz.parameterizations import MACO, Phase, Spectrum, natural_spectrum

SHAPES = [(1, 8, 8, 3), (1, 9, 12, 1), (2, 13, 8, 5)]


@pytest.mark.parametrize("phase", Phase)
@pytest.mark.parametrize("shape", SHAPES)
def test_maco_is_the_published_formula(shape, phase):
    params, image = draw(MACO(phase), shape)
    angle = np.asarray(params, np.float64)
    if phase is Phase.STANDARDIZED:
        angle = (angle - angle.mean((1, 2, 3), keepdims=True)) / angle.std((1, 2, 3), keepdims=True)
    magnitude = natural_spectrum().resample(shape[1:3], shape[3])
    t = np.fft.irfft2(magnitude * np.exp(1j * angle), s=shape[1:3], axes=(1, 2))
    # The published 1e-4 beside the deviation is of photographs' magnitudes, whose deviation is near 1.
    t = (t - t.mean((1, 2, 3), keepdims=True)) / t.std((1, 2, 3), keepdims=True)
    np.testing.assert_allclose(image, sigmoid(color(t)), atol=3e-4)


@pytest.mark.parametrize("size", [64, 512])
@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
def test_a_spectrums_scale_does_not_matter(size, scale):
    """At the published 512 px the shipped spectrum, 1 at most, once left a fifth of the contrast."""
    spectrum = Spectrum.of(natural_spectrum().values * np.float32(scale))
    t = np.log(1 / (1 / draw(MACO(Phase.UNIFORM, spectrum), (1, size, size, 1))[1].astype(np.float64) - 1))
    assert t.std() == pytest.approx(1, rel=1e-3)


def test_a_standardized_phase_begins_with_a_burst_in_the_corner():
    """Fel et al.'s normal phases have a mean direction, so all waves meet at the origin; uniform ones have none."""
    shape = (1, 256, 256, 1)
    shares = []
    for phase in Phase:
        # The burst itself is as bright as a picture can be.
        t = np.log(1 / (1 / np.clip(draw(MACO(phase), shape)[1], 1e-6, 1 - 1e-6) - 1))[0, ..., 0]
        wrapped = np.roll(t - t.mean(), (16, 16), axis=(0, 1))
        shares.append(np.square(wrapped[:32, :32]).sum() / np.square(wrapped).sum())
    # A corner of 32 x 32 is 1/64 of the picture.
    assert shares[0] > 0.1 and shares[1] < 0.04
