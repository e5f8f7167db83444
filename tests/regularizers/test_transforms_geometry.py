"""Geometric transforms and Gaussian noise: shapes, numpy's values, the documented ranges, and chains of them."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from featviz.common.compilation import compiler_options
from featviz.regularizers import CenterCrop, GaussianNoise, Jitter, Pad, RandomAffine, Roll, compose
from featviz.regularizers.transforms.resample import affine, reflect

KEY = jax.random.key(0)
# Beyond [0,1] on both sides: nothing may clip it.
IMAGE = np.random.default_rng(0).uniform(-1.0, 2.0, (8, 11, 3)).astype(np.float32)
KINDS = {
    "pad": (Pad(2), (12, 15, 3)),
    "mirror": (Pad(2, fill=None), (12, 15, 3)),
    "jitter": (Jitter(3), (5, 8, 3)),
    "roll": (Roll(3), (8, 11, 3)),
    "affine": (RandomAffine(scales=(0.9, 1.0, 1.1), degrees=(-10.0, 10.0), translation=2.0), (8, 11, 3)),
    "uniform": (RandomAffine(scales=(0.9, 1.1), degrees=(-10.0, 10.0), translation=2.0, uniform=True), (8, 11, 3)),
    "crop": (CenterCrop(2), (4, 7, 3)),
    "noise": (GaussianNoise(0.1, end_sd=0.0), (8, 11, 3)),
}
CHAIN = compose((Pad(2), Jitter(2), RandomAffine(degrees=(0.0, 5.0)), CenterCrop(1), GaussianNoise(0.1)))


def run(transform, *, image=IMAGE, key=KEY, progress=0.0):
    return np.asarray(once(transform, key, image, np.float32(progress)))


def many(transform, image, count=400):
    return np.asarray(each(transform, jax.random.split(jax.random.key(1), count), image))


# As in production these are compiled whole: operation by operation, compiling them is most of the tests' time.
@partial(jax.jit, static_argnums=0)
def once(transform, key, image, progress):
    return transform(key, image, progress)


@partial(jax.jit, static_argnums=0)
def each(transform, keys, image):
    return jax.vmap(lambda key: transform(key, image, jnp.float32(0)))(keys)


def bilinear(image, matrix, shift):
    """out(p) = image(matrix @ (p - c) + c + shift), pixel by pixel, mirrored beyond the edges."""
    h, w, _ = image.shape
    mirrored = np.pad(image, [(2 * h, 2 * h), (2 * w, 2 * w), (0, 0)], mode="symmetric")
    out = np.empty_like(image, np.float64)
    center = np.array([(h - 1) / 2, (w - 1) / 2])
    for p in np.ndindex(h, w):
        y, x = matrix @ (np.array(p) - center) + center + shift
        i, j = int(np.floor(y)), int(np.floor(x))
        a, b = y - i, x - j
        block = mirrored[i + 2 * h : i + 2 * h + 2, j + 2 * w : j + 2 * w + 2]
        out[p] = np.einsum("i,j,ijc->c", [1 - a, a], [1 - b, b], block)
    return out


@pytest.mark.parametrize("kind", KINDS)
def test_shapes_are_the_documented_ones(kind):
    transform, shape = KINDS[kind]
    shaped = jax.eval_shape(transform, KEY, jnp.asarray(IMAGE), jnp.float32(0))
    assert (shaped.shape, shaped.dtype) == (shape, jnp.float32)


def test_a_chain_is_a_transform():
    draws = many(CHAIN, IMAGE, 20)
    assert draws.shape == (20, 8, 11, 3)
    assert np.array_equal(run(CHAIN), run(CHAIN))
    assert any(not np.array_equal(draws[0], draw) for draw in draws[1:])
    assert run(CHAIN, image=np.full_like(IMAGE, 7.0)).max() > 6.5
    assert run(CHAIN, image=np.full_like(IMAGE, -7.0)).min() < -6.5
    gradient = jax.jit(jax.grad(lambda image: jnp.square(CHAIN(KEY, image, jnp.float32(0.5))).sum()))(IMAGE)
    assert np.all(np.isfinite(gradient)) and np.any(np.asarray(gradient) != 0)


def test_pad_fills_with_gray_or_mirrors():
    pads = [(2, 2), (2, 2), (0, 0)]
    assert np.array_equal(run(Pad(2)), np.pad(IMAGE, pads, constant_values=0.5))
    assert np.array_equal(run(Pad(2, fill=0.25)), np.pad(IMAGE, pads, constant_values=0.25))
    assert np.array_equal(run(Pad(2, fill=None)), np.pad(IMAGE, pads, mode="symmetric"))


def test_crop_undoes_pad():
    assert np.array_equal(run(compose((Pad(3), CenterCrop(3)))), IMAGE)
    assert np.array_equal(run(CenterCrop(0)), IMAGE)


@pytest.mark.parametrize("pixels", [1, 3, 4])
def test_jitter_crops_at_every_offset_up_to_its_pixels(pixels):
    h, w = 10, 12
    numbered = np.arange(h * w, dtype=np.float32).reshape(h, w, 1)
    offsets = set()
    for crop in many(Jitter(pixels), numbered)[..., 0]:
        row, column = divmod(int(crop[0, 0]), w)
        assert np.array_equal(crop, numbered[row : row + h - pixels, column : column + w - pixels, 0])
        offsets.add((row, column))
    assert offsets == {(row, column) for row in range(pixels + 1) for column in range(pixels + 1)}


@pytest.mark.parametrize("pixels", [1, 2])
def test_roll_wraps_by_every_shift_up_to_its_pixels(pixels):
    numbered = np.arange(9 * 8, dtype=np.float32).reshape(9, 8, 1)
    shifts = set()
    for rolled in many(Roll(pixels), numbered):
        row, column = (int(n[0]) for n in np.nonzero(rolled[..., 0] == 0))
        shift = ((row + 4) % 9 - 4, (column + 4) % 8 - 4)
        assert np.array_equal(rolled, np.roll(numbered, shift, (0, 1)))
        shifts.add(shift)
    both = range(-pixels, pixels + 1)
    assert shifts == {(row, column) for row in both for column in both}


@pytest.mark.parametrize("size", [4, 5])
def test_reflection_repeats_the_edge_pixel_once(size):
    expected = np.pad(np.arange(size), 2 * size, mode="symmetric")
    assert reflect(jnp.arange(-2 * size, 3 * size), size).tolist() == expected.tolist()


@pytest.mark.parametrize("seed", range(6))
def test_resampling_is_bilinear(seed):
    draw = np.random.default_rng(seed)
    matrix = draw.normal(size=(2, 2)).astype(np.float32) * 0.6
    shift = draw.uniform(-3, 3, 2).astype(np.float32)
    found = jax.jit(affine)(IMAGE, matrix, shift)
    np.testing.assert_allclose(found, bilinear(IMAGE, matrix, shift), atol=2e-4)


def spread(gradient, matrix, shift):
    """The gradient of bilinear resampling: each pixel's goes to the four that it was taken from."""
    h, w, _ = gradient.shape
    y, x = np.mgrid[:h, :w] - np.array([(h - 1) / 2, (w - 1) / 2])[:, None, None]
    positions = [row[0] * y + row[1] * x + (n - 1) / 2 + s for row, n, s in zip(matrix, (h, w), shift, strict=True)]
    floors = [np.floor(position).astype(int) for position in positions]
    rows, columns = (
        [(np.abs(side + floor - position), np.asarray(reflect(jnp.asarray(floor + side), n))) for side in (0, 1)]
        for floor, position, n in zip(floors, positions, (h, w), strict=True)
    )
    out = np.zeros(gradient.shape)
    for far_y, row in rows:
        for far_x, column in columns:
            np.add.at(out, (row, column), ((1 - far_y) * (1 - far_x))[..., None] * gradient)
    return out


@pytest.mark.parametrize("matrix", [[[0.98, -0.1], [0.1, 0.97]], [[0.95, 0.125], [-0.125, 0.95]]])
def test_the_gradient_of_resampling_is_its_transpose_at_every_pixel(matrix):
    # With the values, as in a step: computed twice, a position near a whole number is rounded in two ways.
    draw = np.random.default_rng(2)
    image, gradient = draw.normal(size=(2, 1, 128, 128, 3)).astype(np.float32)
    matrix, shift = np.array(matrix, np.float32), np.array([3.3, -4.1], np.float32)

    def both(image, gradient, matrix, shift):
        values, pull = jax.vjp(lambda image: affine(image, matrix, shift), image)
        return values, pull(gradient)[0]

    lanes = jax.jit(jax.vmap(both, in_axes=(0, 0, None, None))).lower(image, gradient, matrix, shift)
    _, found = lanes.compile(compiler_options=dict(compiler_options("cpu")))(image, gradient, matrix, shift)
    expected = spread(gradient[0].astype(np.float64), matrix.astype(np.float64), shift.astype(np.float64))
    np.testing.assert_allclose(found[0], expected, atol=2e-3)


def test_the_identity_is_exact():
    assert np.array_equal(run(RandomAffine()), IMAGE)
    assert np.array_equal(run(RandomAffine(scales=(1.0, 1.0), degrees=(0.0, 0.0), uniform=True)), IMAGE)


@pytest.mark.parametrize("side", [8, 9])
@pytest.mark.parametrize("quarters", [-1, 1, 2, 3])
def test_quarter_turns_are_clockwise_and_move_pixels_to_pixels(side, quarters):
    image = np.random.default_rng(1).uniform(size=(side, side, 3)).astype(np.float32)
    turned = run(RandomAffine(degrees=(90.0 * quarters,)), image=image)
    np.testing.assert_allclose(turned, np.rot90(image, -quarters), atol=1e-4)


@pytest.mark.parametrize(("scale", "degrees"), [(2.0, 0.0), (0.5, 0.0), (1.1, 10.0), (0.9, -30.0)])
def test_a_scale_above_one_magnifies_and_an_angle_turns(scale, degrees):
    angle = np.deg2rad(degrees)
    matrix = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]) / scale
    found = run(RandomAffine(scales=(scale,), degrees=(degrees,)))
    np.testing.assert_allclose(found, bilinear(IMAGE, matrix, np.zeros(2)), atol=1e-4)


def test_a_disk_scaled_by_two_has_four_times_the_area():
    y, x = np.mgrid[:41, :41] - 20.0
    disk = (np.hypot(y, x) < 6)[..., None].astype(np.float32)
    assert run(RandomAffine(scales=(2.0,)), image=disk).sum() == pytest.approx(4 * disk.sum(), rel=0.1)


def affine_draws(transform):
    """Scale, angle in degrees and shift of many draws, read off a plane of coordinates."""
    y, x = np.mgrid[:41, :41].astype(np.float32) - 20.0
    out = many(transform, np.stack([y, x], axis=-1), 1000)
    center = out[:, 20, 20]
    step = out[:, 21, 20] - center
    return 1 / np.hypot(*step.T), np.rad2deg(np.arctan2(step[:, 1], step[:, 0])), center


def test_discrete_draws_are_of_the_lists():
    scales, degrees, shift = affine_draws(RandomAffine(scales=(0.5, 1.0, 2.0), degrees=(-30.0, 0.0, 45.0)))
    assert np.unique(scales.round(3)).tolist() == [0.5, 1.0, 2.0]
    assert np.unique(degrees.round(2) + 0.0).tolist() == [-30.0, 0.0, 45.0]
    assert not shift.any()
    # All nine pairs: the draws of one key are independent.
    assert len({(round(float(s), 2), round(float(d))) for s, d in zip(scales, degrees, strict=True)}) == 9


def test_uniform_draws_fill_their_ranges():
    scales, degrees, shift = affine_draws(
        RandomAffine(scales=(0.9, 1.1), degrees=(-10.0, 10.0), translation=8.0, uniform=True)
    )
    for values, low, high in ((scales, 0.9, 1.1), (degrees, -10, 10), (shift[:, 0], -8, 8), (shift[:, 1], -8, 8)):
        width = high - low
        assert low - 0.001 * width <= values.min() < low + 0.02 * width
        assert high - 0.02 * width < values.max() <= high + 0.001 * width
        assert values.mean() == pytest.approx((low + high) / 2, abs=0.05 * width)


@pytest.mark.parametrize(("end_sd", "progress", "sd"), [(None, 1.0, 0.2), (0.0, 0.25, 0.15), (0.6, 0.5, 0.4)])
def test_noise_falls_linearly_with_progress(end_sd, progress, sd):
    image = np.full((64, 64, 3), 0.5, np.float32)
    noise = run(GaussianNoise(0.2, end_sd=end_sd), image=image, progress=progress) - image
    assert noise.std() == pytest.approx(sd, rel=0.03)
    assert abs(noise.mean()) < 0.05 * sd
    assert np.array_equal(run(GaussianNoise(0.2, end_sd=0.0), progress=1.0), IMAGE)


def test_equal_transforms_of_a_chain_draw_differently():
    once, twice = run(GaussianNoise(0.1)) - IMAGE, run(compose((GaussianNoise(0.1), GaussianNoise(0.1)))) - IMAGE
    assert not np.allclose(twice, 2 * once, atol=1e-3)
    assert np.array_equal(run(compose(())), IMAGE)


def test_scale_and_angle_fade_away_towards_the_end():
    image = jax.random.uniform(jax.random.key(0), (9, 9, 3))
    turn = RandomAffine(scales=(1.3,), degrees=(30.0,), end_strength=0.0)
    half = RandomAffine(scales=(1.15,), degrees=(15.0,))
    key = jax.random.key(1)
    np.testing.assert_allclose(run(turn, image=image, key=key, progress=1.0), image, atol=1e-6)
    np.testing.assert_allclose(
        run(turn, image=image, key=key, progress=0.5), run(half, image=image, key=key), atol=1e-5
    )
