"""featviz's own prior: what its file says, and that it knows photographs that it was not trained on."""

import jax
import numpy as np
import pytest

from featviz.common.photograph import read_photograph
from featviz.priors.denoiser import Denoiser
from featviz.priors.loading import load_denoiser, prior_path
from featviz.priors.prior_files import read_prior


def test_it_says_on_what_it_was_trained():
    denoiser, record = read_prior(prior_path(None))
    assert "CC BY-SA 4.0" in record.trained_on and record.steps > 5000 and record.loss < 0.21
    assert prior_path(None).stat().st_size < 4e6 and denoiser.config.channels == 3
    assert "CC BY-SA 4.0" in prior_path(None).with_suffix(".txt").read_text()


@pytest.mark.parametrize(("sigma", "share"), [(0.05, 0.5), (0.1, 0.35), (0.3, 0.2)])
def test_it_removes_noise_from_a_photograph(sigma, share, shared):
    photo = np.asarray(read_photograph(shared / "photos_open" / "chelsea.jpg", 3).resize((128, 96)), np.float32) / 255
    noise = np.random.default_rng(0).normal(0, sigma, photo.shape).astype(np.float32)
    denoised = np.asarray(jax.jit(Denoiser.__call__)(load_denoiser(None, 3), photo + noise, sigma))
    # The share of the noise's power that is left.
    assert np.mean((denoised - photo) ** 2) < share * sigma**2
