"""What a denoiser leaves of noise: a filter of known strength, which is that of featviz's own on photographs."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from featviz.priors.kept_noise import kept_noise


@pytest.mark.parametrize(("height", "width"), [(32, 32), (33, 20), (1, 1), (1, 7)])
def test_each_wave_is_as_large_as_its_frequency_says(height, width):
    noise = np.random.default_rng(0).normal(size=(2, height, width, 3)).astype(np.float32)
    found = jax.jit(kept_noise)(jnp.asarray(noise), jnp.float32(0.3))
    frequency = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.fftfreq(width)[None])
    share = 1 / (1 + 0.3 * (frequency / 0.016) ** 1.5)
    wanted = np.fft.ifft2(np.fft.fft2(noise, axes=(1, 2)) * share[None, :, :, None], axes=(1, 2)).real
    np.testing.assert_allclose(found, wanted, atol=1e-5)


def test_without_it_less_than_half_of_what_large_shapes_are_moved_by_is_left():
    # Smooth images of photographs' spectrum stand for photographs.
    from featviz.parameterizations import NaturalPixels
    from featviz.priors.loading import load_denoiser

    denoiser, sigma = load_denoiser(None, 3), 0.3
    images = NaturalPixels().init(jax.random.key(0), (2, 64, 64, 3))
    noise = jax.random.normal(jax.random.key(1), images.shape)

    @jax.jit
    def steps(images, noise):
        step = (denoiser(images + sigma * noise, jnp.float32(sigma)) - images) / sigma
        return step, step - kept_noise(noise, sigma)

    def power(step):
        # Shapes of 16 px and more.
        return float((np.asarray(step).reshape(2, 4, 16, 4, 16, 3).mean((2, 4)) ** 2).mean())

    whole, rest = steps(images, noise)
    assert power(rest) < 0.5 * power(whole)
