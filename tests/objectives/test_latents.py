"""Latents of a sparse autoencoder: where they survive, and encoders that do not fit."""

import numpy as np
import pytest

from featviz.errors import FeatvizError
from featviz.objectives import latent, latent_survives

RANDOM = np.random.default_rng(5)
ENCODER, BIAS, CENTER = (RANDOM.normal(size=shape).astype(np.float32) for shape in ((7, 9), (9,), (7,)))


def test_a_latent_survives_among_the_largest_and_above_a_threshold():
    h = np.random.default_rng(0).normal(size=(3, 5, 7)).astype(np.float32)
    before = (h.reshape(-1, 7) - CENTER) @ ENCODER + BIAS
    rank = (-before).argsort(1).argsort(1)[:, 4]
    options = {"bias": BIAS, "center": CENTER}
    found = latent_survives(h, ENCODER, 4, k=3, threshold=-np.inf, **options)
    assert found == pytest.approx((rank < 3).mean())
    assert latent_survives(h, ENCODER, 4, threshold=0.5, **options) == pytest.approx((before[:, 4] > 0.5).mean())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"bias": np.ones(3)}, "`bias` has shape"),
        ({"center": np.ones(3)}, "`center` has shape"),
        ({"k": 0}, "`k` is 0"),
    ],
)
def test_an_autoencoder_that_does_not_fit_is_refused(options, message):
    with pytest.raises(FeatvizError, match=message):
        latent_survives(np.ones(7), ENCODER, 4, **options)


def test_a_latent_out_of_range_is_refused():
    with pytest.raises(FeatvizError, match="`index` is 9; `encoder` has 9 latents"):
        latent("layer", ENCODER, 9)
