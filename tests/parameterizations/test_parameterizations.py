"""The other parameterizations: formulas in numpy, inverses, groups, gradients that reach every parameter."""

from dataclasses import replace
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import featviz as fv
from featviz.errors import FeatvizError
from featviz.optimizers import Adam
from featviz.parameterizations import (
    CPPN,
    MACO,
    Alpha,
    Fourier,
    LaplacianPyramid,
    MultiResolution,
    Phase,
    Pixels,
    RawPixels,
    Shared,
    Spectrum,
    extra_channels,
    load_spectrum,
    natural_spectrum,
)
from featviz.parameterizations.color import COLOR_MATRIX
from featviz.surveys.spectra import measure_spectrum

KEY = jax.random.key(0)
SHAPES = [(1, 8, 8, 3), (1, 9, 12, 1), (2, 13, 8, 5)]
ALL = {
    "pixels": Pixels(sd=0.3),
    "raw": RawPixels(sd=0.1),
    "fourier": Fourier(),
    "maco": MACO(),
    "maco uniform": MACO(Phase.UNIFORM),
    "pyramid": LaplacianPyramid(),
    "stack": MultiResolution(sd=0.1),
    "cppn": CPPN(depth=3, width=6),
    "shared": Shared(Fourier()),
    "alpha": Alpha(),
}
INVERTIBLE = ["pixels", "raw", "fourier", "pyramid", "stack", "shared"]


def sigmoid(t):
    return 1 / (1 + np.exp(-t))


def color(t):
    return t @ COLOR_MATRIX.T if t.shape[-1] == 3 else t


# As in production these are compiled whole: operation by operation, compiling them is most of the tests' time.
@partial(jax.jit, static_argnums=(0, 1))
def start(parameterization, shape, key):
    params = parameterization.init(key, shape)
    return params, parameterization.to_image(params, shape)


@partial(jax.jit, static_argnums=(0, 1))
def to_image(parameterization, shape, params):
    return parameterization.to_image(params, shape)


def draw(parameterization, shape, *, key=KEY):
    params, image = start(parameterization, shape, key)
    return params, np.asarray(image)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", ALL)
def test_images_have_the_shape_and_the_range(name, shape):
    parameterization = ALL[name]
    _, image = draw(parameterization, shape)
    extra = 1 if name == "alpha" else 0
    assert image.shape == (*shape[:3], shape[3] + extra) and image.dtype == np.float32
    assert extra_channels(parameterization) == extra
    if name != "raw":
        assert image.min() > 0 and image.max() < 1
    assert hash(parameterization) == hash(replace(parameterization))


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", ALL)
def test_the_gradient_reaches_the_parameters(name, shape):
    parameterization = ALL[name]
    params, image = draw(parameterization, shape)
    target = np.random.default_rng(0).uniform(size=image.shape).astype(np.float32)
    slopes = jax.jit(jax.grad(lambda p: jnp.mean(jnp.square(parameterization.to_image(p, shape) - target))))(params)
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(slopes))
    # A network whose last layer is 0 learns that layer first.
    reached = [bool(np.any(leaf)) for leaf in jax.tree.leaves(slopes)]
    assert all(reached[-2:]) if name == "cppn" else all(reached)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", INVERTIBLE)
def test_an_image_comes_back(name, shape):
    parameterization = ALL[name]
    image = np.random.default_rng(1).uniform(0.05, 0.95, shape).astype(np.float32)
    again = jax.jit(lambda image: parameterization.to_image(parameterization.from_image(image), shape))(image)
    np.testing.assert_allclose(again, image, atol=2e-4)


@pytest.mark.parametrize("name", ALL)
def test_images_of_a_group_have_their_own_parameters(name):
    shape = (3, 16, 16, 3)
    parameterization = ALL[name]

    @jax.jit
    @jax.grad
    def slopes_of_the_first(params):
        return jnp.sum(jnp.sin(3.0 * parameterization.to_image(params, shape)[0]))

    slopes = slopes_of_the_first(draw(parameterization, shape)[0])
    # Only what is shared lets one image's gradient reach another.
    leaves = [leaf for leaf in jax.tree.leaves(slopes) if leaf.shape[0] == 3]
    assert leaves and all(not np.any(leaf[1:]) for leaf in leaves)


@pytest.mark.parametrize("name", ALL)
def test_lanes_do_not_interact(name):
    shape = (1, 8, 9, 3)
    parameterization = ALL[name]
    keys = jax.random.split(KEY, 3)
    _, together = jax.jit(jax.vmap(lambda key: start(parameterization, shape, key)))(keys)
    for number, key in enumerate(keys):
        np.testing.assert_allclose(together[number], draw(parameterization, shape, key=key)[1], atol=1e-5)


def test_raw_pixels_begin_as_they_are_told():
    image = draw(RawPixels(mean=(0.1, 0.5, 0.9), sd=0.01), (1, 64, 64, 3))[1]
    np.testing.assert_allclose(image.mean((0, 1, 2)), (0.1, 0.5, 0.9), atol=1e-3)
    assert image.std((0, 1, 2)) == pytest.approx(0.01, rel=0.05)
    uniform = draw(RawPixels(low=0.2, high=0.4), (1, 64, 64, 1))[1]
    assert 0.2 <= uniform.min() < 0.201 and 0.399 < uniform.max() < 0.4
    assert draw(RawPixels(mean=(0.1, 0.5, 0.9), sd=0.0), (1, 4, 4, 1))[1] == pytest.approx(0.5)


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


def test_a_pyramid_is_the_sum_of_its_levels():
    shape = (1, 16, 8, 1)
    params, image = draw(LaplacianPyramid(), shape)
    assert [level.shape[1:3] for level in params] == [(16, 8), (8, 4), (4, 2), (2, 1)]
    flat = tuple(np.full_like(level, number) for number, level in enumerate(params))
    assert to_image(LaplacianPyramid(), shape, flat) == pytest.approx(sigmoid(6.0))
    assert np.isfinite(image).all()


def test_a_stack_is_the_sum_of_enlarged_images():
    shape = (1, 9, 12, 2)
    params = np.asarray(MultiResolution(sd=1.0).init(KEY, shape))
    sides = [1, 5, 9, 12]
    total = 0.0
    for number, side in enumerate(sides):
        size = (max(1, round(9 * side / 12)), side)
        part = params[:, number, : size[0], : size[1]]
        total = total + np.asarray(jax.image.resize(jnp.asarray(part), shape, "linear", antialias=False))
    np.testing.assert_allclose(to_image(MultiResolution(), shape, params), (np.tanh(total) + 1) / 2, atol=1e-5)


def test_a_cppn_is_the_published_network():
    cppn, shape = CPPN(depth=2, width=4), (1, 5, 6, 3)
    rng = np.random.default_rng(0)
    params = jax.tree.map(lambda leaf: jnp.asarray(rng.normal(size=leaf.shape), jnp.float32), cppn.init(KEY, shape))
    y, x = np.meshgrid(np.linspace(-(3**0.5), 3**0.5, 5), np.linspace(-(3**0.5), 3**0.5, 6), indexing="ij")
    h = np.stack([x, y], -1)
    params = jax.tree.map(np.asarray, params)
    for weights, biases in params[:-1]:
        bent = np.arctan(h @ weights[0] + biases[0])
        h = np.concatenate([bent / 0.67, bent**2 / 0.6], -1)
    expected = sigmoid(h @ params[-1][0][0] + params[-1][1][0])
    np.testing.assert_allclose(cppn.to_image(jax.tree.map(jnp.asarray, params), shape)[0], expected, atol=1e-5)
    with pytest.raises(FeatvizError, match="no inverse"):
        cppn.from_image(jnp.zeros(shape))


def test_shared_parts_line_a_group_up():
    shape = (4, 32, 32, 3)
    shared = Shared(Fourier(sd=1e-4), sd=1.0)
    images = draw(shared, shape)[1].reshape(4, -1)
    alike = np.corrcoef(images)
    # Neighbors share the parts over two as well.
    assert alike[0, 1] > alike[0, 2] + 0.02 and alike[0, 2] > 0.3


def test_a_cppn_cannot_begin_at_a_photograph(patterns):
    recipe = replace(fv.recipes.default, parameterization=CPPN(), optimizer=Adam(0.005))
    with pytest.raises(FeatvizError, match="`start`"):
        fv.render(patterns, fv.channel("conv1", 0), recipe=recipe, start=np.full((16, 16, 3), 0.5, np.float32))


@pytest.mark.parametrize("name", ["maco uniform", "pyramid", "stack", "cppn", "shared"])
def test_every_parameterization_draws_a_unit(name, patterns):
    recipe = replace(fv.recipes.default, parameterization=ALL[name], optimizer=Adam(0.02))
    picture = fv.render(patterns, fv.channel("conv2", 3), recipe=recipe, size=32, steps=24, progress=False)
    assert picture.score > picture.history[0] and picture.pixels.std() > 0.02


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
