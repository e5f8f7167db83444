"""Step rules against numpy, scipy and the published formulas."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from scipy import ndimage

from featviz.errors import FeatvizError
from featviz.optimizers import (
    SGD,
    Adam,
    Chain,
    Constant,
    Cosine,
    Linear,
    Nadam,
    Normalize,
    NormalizeStd,
    ProgressSGD,
    ScaleBySchedule,
)
from featviz.regularizers import (
    BilateralFilter,
    BlurGradient,
    BlurImage,
    ClipRange,
    ClipSmallContributions,
    ClipSmallNorms,
    Decay,
    NormalizeLaplacian,
    NormBall,
    filters,
)

# As in production these are compiled whole: operation by operation, compiling them is most of the tests' time.
bilateral = jax.jit(filters.bilateral, static_argnames=("sigma_spatial", "sigma_color", "radius"))
gaussian_blur = jax.jit(filters.gaussian_blur, static_argnames="radius")
laplacian_merge = jax.jit(filters.laplacian_merge)
laplacian_split = jax.jit(filters.laplacian_split, static_argnums=1)

GENERATOR = np.random.default_rng(0)
IMAGE = GENERATOR.uniform(size=(2, 13, 16, 3)).astype(np.float32)
GRADIENT = GENERATOR.normal(size=IMAGE.shape).astype(np.float32)


def step(rule, *, image=IMAGE, gradient=GRADIENT, progress=0.0, steps=1):
    """The image after steps along `gradient`, which raises the objective."""
    x, state = jnp.asarray(image), optax.with_extra_args_support(rule()).init(jnp.asarray(image))
    for _ in range(steps):
        x, state = advance(rule, x, state, -gradient, np.float32(progress))
    return np.asarray(x)


@partial(jax.jit, static_argnums=0)
def advance(rule, x, state, descent, progress):
    transformation = optax.with_extra_args_support(rule())
    # optax's own rules mix dtypes.
    with jax.numpy_dtype_promotion("standard"):
        updates, state = transformation.update(descent, state, x, progress=progress, gradient=descent)
        return optax.apply_updates(x, updates), state


def test_a_step_goes_up_the_gradient():
    np.testing.assert_allclose(step(SGD(0.1)), IMAGE + 0.1 * GRADIENT, rtol=1e-6)
    for rule in (Adam(0.1), Nadam(0.1)):
        assert (np.sign(step(rule) - IMAGE) == np.sign(GRADIENT)).all()


def test_gradients_are_normalized_over_each_image():
    axes = (1, 2, 3)
    mean = np.abs(GRADIENT).mean(axes, keepdims=True)
    root = np.sqrt(np.square(GRADIENT).mean(axes, keepdims=True))
    for rule, size in (
        (Normalize(), mean),
        (Normalize(order=2), root),
        (NormalizeStd(), GRADIENT.std(axes, keepdims=True)),
    ):
        np.testing.assert_allclose(step(Chain((rule, SGD(0.5)))), IMAGE + 0.5 * GRADIENT / size, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("rule", [Normalize(), NormalizeStd(), ProgressSGD(1.0, 10.0), NormalizeLaplacian(2)])
def test_no_gradient_no_step(rule):
    assert (step(Chain((rule, SGD(1.0))), gradient=np.zeros_like(IMAGE)) == IMAGE).all()


def test_progress_sgd_promises_the_same_rise():
    size = float(np.square(GRADIENT).sum())
    moved = step(ProgressSGD(2.0, 100.0)) - IMAGE
    assert float((moved * GRADIENT).sum()) == pytest.approx(2.0, rel=1e-3)
    capped = step(ProgressSGD(2.0, 1e-5)) - IMAGE
    assert float((capped * GRADIENT).sum()) == pytest.approx(1e-5 * size, rel=1e-2)


def test_a_schedule_scales_what_comes_before():
    full, half = (step(Chain((SGD(0.1), ScaleBySchedule(Cosine()))), progress=at) - IMAGE for at in (0.0, 0.5))
    np.testing.assert_allclose(half, full / 2, atol=1e-6)


@pytest.mark.parametrize("sigma", [0.3, 0.7, 2.5])
def test_blur_is_scipys(sigma):
    expected = ndimage.gaussian_filter(IMAGE, (0, sigma, sigma, 0), mode="reflect")
    np.testing.assert_allclose(gaussian_blur(IMAGE, sigma, radius=int(4 * sigma + 0.5)), expected, atol=2e-6)
    arrived = IMAGE + 0.1 * GRADIENT
    expected = ndimage.gaussian_filter(arrived, (0, sigma, sigma, 0), mode="reflect")
    np.testing.assert_allclose(step(Chain((SGD(0.1), BlurImage(Constant(sigma))))), expected, atol=3e-6)
    expected = ndimage.gaussian_filter(GRADIENT, (0, sigma, sigma, 0), mode="reflect")
    np.testing.assert_allclose(step(Chain((BlurGradient(Constant(sigma)), SGD(1.0)))) - IMAGE, expected, atol=1e-5)


def test_blur_follows_its_schedule_and_its_steps():
    spread = [step(Chain((SGD(0.0), BlurImage(Linear(2.5, 0.5)))), progress=at).std() for at in (0.0, 0.5, 1.0)]
    assert spread == sorted(spread)
    often = step(Chain((SGD(0.0), BlurImage(Constant(1.0)))), steps=4)
    seldom = step(Chain((SGD(0.0), BlurImage(Constant(1.0), every=4))), steps=4)
    once = step(Chain((SGD(0.0), BlurImage(Constant(1.0)))))
    np.testing.assert_array_equal(seldom, once)
    assert often.std() < once.std()


def test_bilateral_keeps_edges_and_takes_grain():
    edge = np.where(np.arange(16) < 8, 0.2, 0.8)[None, None, :, None] * np.ones((1, 12, 1, 3))
    grainy = (edge + 0.02 * GENERATOR.normal(size=edge.shape)).astype(np.float32)
    clean = np.asarray(bilateral(jnp.asarray(grainy), sigma_spatial=1.5, sigma_color=0.1, radius=2))
    assert np.abs(clean - edge).mean() < 0.5 * np.abs(grainy - edge).mean()
    assert clean[:, :, 8].mean() - clean[:, :, 7].mean() > 0.55
    weights = 0.0
    total = 0.0
    middle = IMAGE[0, 6, 8]
    for y in range(4, 9):
        for x in range(6, 11):
            near = np.exp(-((y - 6) ** 2 + (x - 8) ** 2) / (2 * 1.5**2))
            weight = near * np.exp(-np.square(IMAGE[0, y, x] - middle).sum() / (2 * 0.1**2))
            weights, total = weights + weight, total + weight * IMAGE[0, y, x]
    found = step(Chain((SGD(0.0), BilateralFilter())))[0, 6, 8]
    np.testing.assert_allclose(found, total / weights, rtol=1e-4)


@pytest.mark.parametrize("size", [(16, 16), (13, 16), (7, 5)])
def test_laplacian_bands_sum_to_the_image(size):
    image = jnp.asarray(GENERATOR.normal(size=(1, *size, 3)), jnp.float32)
    bands = laplacian_split(image, 3)
    assert [band.shape[1] for band in bands] == [size[0], -(-size[0] // 2), -(-size[0] // 4), -(-size[0] // 8)]
    np.testing.assert_allclose(laplacian_merge(bands), image, atol=1e-5)


def test_laplacian_bands_are_those_of_a_strided_convolution():
    """The published ones: a 5 x 5 kernel from [1, 4, 6, 4, 1], stride 2, SAME, and its transpose times 4."""
    line = np.array([1.0, 4.0, 6.0, 4.0, 1.0], np.float32)
    kernel = jnp.asarray(np.outer(line, line) / 256)[:, :, None, None]
    for size in ((16, 12), (13, 9)):
        image = jnp.asarray(GENERATOR.normal(size=(1, *size, 1)), jnp.float32)
        numbers = ("NHWC", "HWIO", "NHWC")

        def down(x, numbers=numbers):
            return jax.lax.conv_general_dilated(x, kernel, (2, 2), "SAME", dimension_numbers=numbers)

        low, transpose = jax.vjp(down, image)
        bands = laplacian_split(image, 1)
        np.testing.assert_allclose(bands[1], low, atol=1e-6)
        np.testing.assert_allclose(bands[0], image - 4 * transpose(low)[0], atol=1e-5)


def test_laplacian_normalization_evens_the_bands():
    # A gradient of low frequencies that drowns the rest.
    steep = GRADIENT * 0.01 + 100 * ndimage.gaussian_filter(GRADIENT, (0, 3, 3, 0), mode="wrap")
    before, after = (
        [float(jnp.sqrt(jnp.mean(jnp.square(band)))) for band in laplacian_split(jnp.asarray(x), 2)]
        for x in (steep, step(Chain((NormalizeLaplacian(2), SGD(1.0))), gradient=steep) - IMAGE)
    )
    assert max(after) / min(after) < 1.6 < 2.0 < max(before) / min(before)


def test_decay_goes_to_the_center():
    center = (0.1, 0.5, 0.9)
    arrived = IMAGE + 0.1 * GRADIENT
    found = step(Chain((SGD(0.1), Decay(0.25, center=center))))
    np.testing.assert_allclose(found, np.array(center) + 0.75 * (arrived - np.array(center)), rtol=1e-5, atol=1e-6)


def test_small_norms_and_contributions_go_to_the_center():
    arrived = IMAGE + np.float32(0.1) * GRADIENT
    for i, image in enumerate(arrived):
        for rule, size in (
            (ClipSmallNorms(40.0), np.sqrt(np.square(image - 0.5).sum(-1))),
            (ClipSmallContributions(40.0), np.abs(((image - 0.5) * GRADIENT[i]).sum(-1))),
        ):
            small = size < np.percentile(size, 40.0)
            found = step(Chain((SGD(0.1), rule)))[i]
            expected = np.where(small[..., None], np.float32(0.5), image)
            np.testing.assert_allclose(found, expected, atol=1e-5)
            assert small.mean() == pytest.approx(0.4, abs=0.01)


def test_range_and_norm_hold_the_image():
    assert step(Chain((SGD(10.0), ClipRange()))).min() == 0.0 and step(Chain((SGD(10.0), ClipRange()))).max() == 1.0
    held = step(Chain((SGD(1.0), NormBall(0.2))))
    np.testing.assert_allclose(np.sqrt(np.square(held - 0.5).mean((1, 2, 3))), 0.2, rtol=1e-4)
    inside = step(Chain((SGD(0.001), NormBall(5.0))))
    np.testing.assert_allclose(inside, IMAGE + 0.001 * GRADIENT, atol=1e-6)


def test_rules_on_pixels_refuse_a_spectrum():
    spectrum = np.zeros((1, 8, 5, 3, 2), np.float32)
    with pytest.raises(FeatvizError, match="BlurImage, which works on pixels"):
        step(Chain((SGD(0.1), BlurImage(Constant(1.0)))), image=spectrum, gradient=spectrum)


@pytest.mark.parametrize(
    "rule",
    [
        Chain((BlurGradient(Linear(2.0, 0.5)), Normalize(), SGD(0.1), BlurImage(Constant(0.5), every=2), ClipRange())),
        Chain((NormalizeLaplacian(2), NormalizeStd(), SGD(0.1), Decay(0.1), ClipSmallNorms(20.0), BilateralFilter())),
        Chain((ProgressSGD(1.0, 1.0), ClipSmallContributions(20.0), NormBall(0.2))),
    ],
)
def test_images_of_a_group_do_not_touch_one_another(rule):
    alone = step(rule, image=IMAGE[:1], gradient=GRADIENT[:1], steps=3)
    other = GRADIENT.copy()
    # The rise that a step promises is that of the whole group.
    other[1] = GRADIENT[0] if "ProgressSGD" in repr(rule) else -other[1]
    beside = step(rule, gradient=other, steps=3)
    if "ProgressSGD" not in repr(rule):
        np.testing.assert_allclose(beside[:1], alone, atol=1e-5)
    together = jax.jit(jax.vmap(partial(rule_once, rule)))(IMAGE[:, None], GRADIENT[:, None])
    for i in range(2):
        np.testing.assert_allclose(together[i], rule_once(rule, IMAGE[i][None], GRADIENT[i][None]), atol=1e-5)


@partial(jax.jit, static_argnums=0)
def rule_once(rule, image, gradient):
    transformation = optax.with_extra_args_support(rule())
    image = jnp.asarray(image)
    updates, _ = transformation.update(
        -jnp.asarray(gradient),
        transformation.init(image),
        image,
        progress=jnp.float32(0.5),
        gradient=-jnp.asarray(gradient),
    )
    return image + updates
