"""A prior's file for a network's channels; gray images under a denoiser of RGB."""

import os

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from support.denoisers import make_denoiser, write_denoiser

from featviz.errors import FeatvizError
from featviz.priors.denoiser import denoise
from featviz.priors.loading import denoise_channels, load_denoiser


def test_a_file_that_changes_is_read_anew(tmp_path):
    path = write_denoiser(tmp_path)
    first = load_denoiser(path, 3)
    assert load_denoiser(path, 3) is first
    write_denoiser(tmp_path, seed=1)
    os.utime(path, ns=(1, 1))
    second = load_denoiser(path, 3)
    assert not np.array_equal(first.weights["last/kernel"], second.weights["last/kernel"])


@pytest.mark.parametrize(("known", "wanted"), [(3, 2), (3, 5), (1, 3), (4, 3)])
def test_other_channels_are_refused(tmp_path, known, wanted):
    with pytest.raises(FeatvizError, match=f"for images of {known} channels, the network takes {wanted}"):
        load_denoiser(write_denoiser(tmp_path, channels=known), wanted)


def test_a_missing_file_is_one_line(tmp_path):
    with pytest.raises(FeatvizError, match="which does not exist") as caught:
        load_denoiser(tmp_path / "none.safetensors", 3)
    assert "\n" not in str(caught.value)


def test_gray_images_get_noise_as_rgb_has_it():
    own = make_denoiser()
    images = np.random.default_rng(0).uniform(size=(1, 6, 7, 1)).astype(np.float32)
    key = jax.random.key(2)
    found = jax.jit(lambda images: denoise_channels(key, own.config, own.weights, images, 0.2))(images)
    noise = np.sqrt(3) * 0.2 * np.asarray(jax.random.normal(key, (1, 6, 7, 3)))
    rest = noise - noise.mean(-1, keepdims=True)
    level = jnp.float32(np.sqrt(3) * 0.2)
    wanted = jax.jit(lambda images: denoise(own.config, own.weights, images, level))((images + rest).astype(np.float32))
    np.testing.assert_allclose(found, np.asarray(wanted).mean(-1, keepdims=True), atol=1e-5)
    # With the noise of the image itself, each channel has noise of the level, independent of the others.
    gray = 0.2 * np.random.default_rng(1).normal(size=(1, 300, 300, 1))
    draws = level * np.random.default_rng(2).normal(size=(1, 300, 300, 3))
    whole = (gray + draws - draws.mean(-1, keepdims=True)).reshape(-1, 3)
    np.testing.assert_allclose(np.cov(whole.T), 0.12 * np.eye(3), atol=0.002)
