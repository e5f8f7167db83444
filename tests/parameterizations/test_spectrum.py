"""Natural spectra: their slopes, their resampling, and what is refused."""

import numpy as np
import pytest

from featviz.errors import FeatvizError
from featviz.parameterizations import Spectrum, load_spectrum, natural_spectrum
from featviz.surveys.spectra import measure_spectrum


class TestSpectrum:
    def noise(self, exponent, *, count=6, size=64, channels=3):
        rng = np.random.default_rng(0)
        f = np.hypot(np.fft.fftfreq(size)[:, None], np.fft.rfftfreq(size)[None])[..., None]
        f[0, 0] = np.inf
        for _ in range(count):
            wave = f**-exponent * np.exp(2j * np.pi * rng.random((size, size // 2 + 1, channels)))
            image = np.fft.irfft2(wave, s=(size, size), axes=(0, 1))
            yield (0.5 + 0.1 * image / image.std()).clip(0, 1).astype(np.float32)

    @pytest.mark.parametrize("exponent", [0.5, 1.0, 1.5])
    def test_its_slope_is_that_of_the_photographs(self, exponent):
        spectrum, faults = measure_spectrum(self.noise(exponent), size=64, progress=False)
        assert not faults and slope(spectrum, 0.05, 0.4) == pytest.approx(-exponent, abs=0.1)

    def test_the_one_that_is_shipped_is_natural(self):
        """Photographs' amplitudes fall as 1 / f to 1 / f^1.2 (Field 1987), and faster where scaling has blurred."""
        spectrum = natural_spectrum()
        assert -1.5 < slope(spectrum, 0.01, 0.05) < -1.0 and -2.5 < slope(spectrum, 0.25, 0.45) < -1.2

    def test_below_its_own_frequencies_it_is_that_of_photographs(self):
        f = np.hypot(np.fft.fftfreq(64)[:, None], np.fft.rfftfreq(64)[None])
        spectrum = Spectrum.of((1 / np.maximum(f, 1e-9) * (f > 0))[None].astype(np.float32))
        # Of a picture twice as large: half of the table's lowest frequency, along an axis and across.
        found = spectrum.resample((128, 128), 1)[..., 0]
        np.testing.assert_allclose([found[0, 1], found[1, 0], found[1, 1]], [128, 128, 128 / 2**0.5], rtol=0.05)

    def test_it_is_resampled_along_frequencies(self):
        rows = np.hypot(np.fft.fftfreq(64)[:, None] * 64, np.arange(33)[None])
        spectrum = Spectrum.of(np.stack([rows, 2 * rows]).astype(np.float32))
        found = spectrum.resample((32, 48), 2)
        expected = 64 * np.hypot(np.fft.fftfreq(32)[:, None], np.fft.rfftfreq(48)[None])
        # The mean's own place, and what lies nearest, is filled from its neighbors.
        np.testing.assert_allclose(found[2:-2, 2:, 0], expected[2:-2, 2:], rtol=0.02)
        np.testing.assert_allclose(found[..., 1], 2 * found[..., 0], rtol=1e-5)
        assert found[0, 0, 0] == 0 and spectrum.resample((8, 8), 1).shape == (8, 5, 1)

    @pytest.mark.parametrize(
        "values, reason",
        [
            (np.ones((3, 8, 8)), "shape"),
            (-np.ones((3, 8, 5)), "no magnitudes"),
            (np.full((3, 8, 5), np.nan), "no magnitudes"),
        ],
    )
    def test_what_is_none_is_refused(self, values, reason, tmp_path):
        with pytest.raises(FeatvizError, match=reason):
            Spectrum.of(values)
        np.save(tmp_path / "bad.npy", values)
        with pytest.raises(FeatvizError, match=f"`bad.npy`: .*{reason}"):
            load_spectrum(tmp_path / "bad.npy")
        with pytest.raises(FeatvizError, match="cannot be read"):
            load_spectrum(tmp_path / "absent.safetensors")


def slope(spectrum, low, high):
    size = spectrum.values.shape[1]
    f = np.hypot(np.fft.fftfreq(size)[:, None], np.fft.rfftfreq(size)[None])
    chosen = (f > low) & (f < high)
    return np.polyfit(np.log(f[chosen]), np.log(spectrum.values.mean(0)[chosen]), 1)[0]
