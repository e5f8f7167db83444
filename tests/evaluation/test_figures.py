"""The figures E0 to E5 against plain numpy and scipy, and the damage of E3."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import spearmanr

from featviz.evaluation import figures
from featviz.evaluation.corruptions import TRANSFORMS, blur, fade, jpeg, shrink

RNG = np.random.default_rng(0)
NAN = float("nan")


def same(found, expected):
    return np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-9, equal_nan=True)


# E0


def test_alive_by_hand():
    sample = RNG.normal(size=50).astype(np.float32)
    z, percentile = figures.alive(0.3, sample)
    wide = sample.astype(np.float64)
    same(z, (0.3 - wide.mean()) / wide.std())
    same(percentile, 100 * sum(v < 0.3 for v in wide) / 50)


def test_alive_counts_a_tie_as_half_and_a_constant_unit_as_nothing():
    assert figures.alive(1.0, np.array([0.0, 1.0, 1.0, 2.0]))[1] == 50
    assert figures.alive(9.0, np.zeros(5)) == (np.inf, 100) and figures.alive(-9.0, np.zeros(5)) == (-np.inf, 0)
    z, percentile = figures.alive(0.0, np.zeros(5))
    assert np.isnan(z) and percentile == 50


# E1


def cosine(a, b):
    return a @ b / (np.linalg.norm(a) * np.linalg.norm(b))


def test_predicts_is_the_double_loop_over_pairs():
    picture, high, low = RNG.normal(size=8), RNG.normal(size=(11, 8)) + 0.4, RNG.normal(size=(7, 8))
    m = np.mean([(p + q) / 2 for p in high for q in low], 0)
    won = [cosine(picture - m, p - m) > cosine(picture - m, q - m) for p in high for q in low]
    assert 0.5 < np.mean(won) < 1
    same(figures.predicts(picture, high, low), np.mean(won))
    # Of several pictures the mean of their directions.
    pictures = np.stack([picture, RNG.normal(size=8)])
    guess = np.mean([(p - m) / np.linalg.norm(p - m) for p in pictures], 0)
    won = [cosine(guess, p - m) > cosine(guess, q - m) for p in high for q in low]
    same(figures.predicts(pictures, high, low), np.mean(won))


features = st.integers(0, 2**32 - 1).map(lambda seed: np.random.default_rng(seed).normal(size=(3, 6, 5)))


@given(features, st.sampled_from([1 / 64, 0.5, 2, 1024]))
def test_predicts_knows_no_scale_is_bounded_and_is_turned_around(values, scale):
    (picture, *_), high, low = values
    found = figures.predicts(picture, high, low)
    assert 0 <= found <= 1
    assert figures.predicts(scale * picture, scale * high, scale * low) == found
    assert figures.predicts(picture, low, high) == pytest.approx(1 - found)


def test_predicts_where_there_is_nothing_to_tell_apart():
    same_photos = np.ones((4, 3))
    assert figures.predicts(np.ones(3), same_photos, same_photos) == 0.5
    assert figures.predicts(np.zeros(3), np.ones((2, 3)), -np.ones((2, 3))) == 0.5
    assert np.isnan(figures.predicts(np.ones(3), np.ones((0, 3)), same_photos))
    assert np.isnan(figures.predicts(np.ones(3), same_photos, np.ones((0, 3))))


# E2


def test_selective_is_the_place_in_the_sorted_row():
    values, mean, sd = RNG.normal(size=30), RNG.normal(size=30), RNG.random(30) + 0.1
    order = np.argsort(-(values - mean) / sd)
    assert [figures.selective(values, mean, sd, unit) for unit in order] == list(range(1, 31))


def test_selective_leaves_out_what_does_not_vary_or_is_nan():
    values, sd = np.array([1.0, 2.0, 9.0, np.nan]), np.array([1.0, 1.0, 0.0, 1.0])
    assert [figures.selective(values, np.zeros(4), sd, unit) for unit in range(4)] == [2, 1, 3, 3]


# E3


@given(arrays(float, 4, elements=st.floats(-9, 9)), st.floats(-9, 9), st.floats(0.01, 9))
def test_survives_is_one_for_no_loss_and_nought_for_all_of_it(after, rest, gain):
    before = rest + gain
    assert figures.survives(before, np.full(4, before), rest) == pytest.approx(1)
    assert figures.survives(before, np.full(4, rest), rest) == pytest.approx(0)
    by_hand = sum((a - rest) / (before - rest) for a in after) / 4
    assert figures.survives(before, after, rest) == pytest.approx(by_hand)


def test_survives_where_there_was_nothing_to_lose():
    assert np.isnan(figures.survives(0.0, np.zeros(4), 0.0)) and np.isnan(figures.survives(-1.0, np.zeros(4), 0.0))


# E4


def off_diagonal(rows):
    return np.mean([spearmanr(a, b).statistic for i, a in enumerate(rows) for j, b in enumerate(rows) if i != j])


@pytest.mark.parametrize("kind", ["real", "ties"])
def test_path_is_that_of_scipy(kind):
    base = RNG.normal(size=40)
    tops, others = base + RNG.normal(size=(5, 40)), RNG.normal(size=(7, 40))
    picture = base + 2 * RNG.normal(size=40)
    if kind == "ties":  # as of rectified units: most are 0
        picture, tops, others = (np.maximum(np.round(x), 0) for x in (picture, tops, others))
    own = np.mean([spearmanr(picture, top).statistic for top in tops])
    chance = off_diagonal(others)
    expected = (own - chance) / (off_diagonal(tops) - chance)
    assert 0 < expected < 2
    same(figures.path(picture, tops, others), expected)
    # Ranks see nothing of a monotonic change.
    same(figures.path(np.exp(picture), np.exp(tops), np.exp(others)), expected)


def test_path_of_a_top_photo_and_of_any_photo():
    base = RNG.normal(size=2000)
    tops, others = base + RNG.normal(size=(9, 2000)), RNG.normal(size=(9, 2000))
    assert abs(figures.path(base + RNG.normal(size=2000), tops, others) - 1) < 0.1
    assert abs(figures.path(RNG.normal(size=2000), tops, others)) < 0.1


def test_path_without_meaning_is_nan():
    rows = RNG.normal(size=(6, 10))
    for tops, others in [
        (rows[:1], rows), (rows[:0], rows), (rows, rows[:1]), (rows, rows[:0]), (rows, rows),
        (np.zeros((3, 10)), np.zeros((3, 10))),
    ]:  # fmt: skip
        assert np.isnan(figures.path(rows[0], tops, others))
    # A dead picture is like no photo: its correlation with each is 0.
    same(figures.path(np.zeros(10), np.tile(rows[0], (3, 1)), rows), -off_diagonal(rows) / (1 - off_diagonal(rows)))


@pytest.mark.parametrize("kind", ["real", "ties"])
def test_company_is_that_of_scipy(kind):
    base = RNG.normal(size=40)
    tops, others = base + RNG.normal(size=(5, 40)), RNG.normal(size=(7, 40))
    picture = base + 2 * RNG.normal(size=40)
    if kind == "ties":
        picture, tops, others = (np.maximum(np.round(x), 0) for x in (picture, tops, others))
    near, far = ([spearmanr(picture, other).statistic for other in rows] for rows in (tops, others))
    same(figures.company(picture, tops, others), (np.mean(near) - np.mean(far)) / np.std(far))


def test_company_without_meaning_is_nan():
    rows = RNG.normal(size=(6, 10))
    assert np.isnan(figures.company(rows[0], rows, np.tile(rows[1], (4, 1))))
    assert np.isnan(figures.company(np.zeros(10), rows, rows))


# E5


def plain_ridge(x, y, strength):
    """Slope and intercept; the intercept is not held back."""
    middle = x.mean(0)
    slope = np.linalg.solve((x - middle).T @ (x - middle) + strength * np.eye(x.shape[1]), (x - middle).T @ y)
    return slope, y.mean() - middle @ slope


@pytest.mark.parametrize(("photos", "width", "noise"), [(30, 5, 0.3), (20, 40, 0.3), (25, 8, 5.0)])
def test_transfers_is_leave_one_out_ridge(photos, width, noise):
    x, x_b = RNG.normal(size=(photos, width)) * 3 + 1, RNG.normal(size=(15, width)) * 3 + 1
    slope = RNG.normal(size=width)
    y, y_b = x @ slope + noise * RNG.normal(size=photos), x_b @ slope + noise * RNG.normal(size=15)
    picture = x_b[3] * 1.1
    scaled, scaled_b, scaled_picture = ((v - x.mean(0)) / x.std(0) for v in (x, x_b, picture))
    errors = {}
    for strength in photos * 10.0 ** np.arange(-3, 4):
        left = []
        for out in range(photos):
            kept = np.arange(photos) != out
            w, b = plain_ridge(scaled[kept], y[kept], strength)
            left.append((y[out] - scaled[out] @ w - b) ** 2)
        errors[strength] = np.mean(left)
    w, b = plain_ridge(scaled, y, min(errors, key=errors.get))
    foretold = scaled_b @ w + b
    own = scaled_picture @ w + b
    deviations = (own - foretold.mean()) / foretold.std()
    expected = np.corrcoef(foretold, y_b)[0, 1], 100 * np.mean(foretold < own), deviations
    same(figures.transfers(x, y, x_b, y_b, picture), expected)


def test_transfers_finds_a_law_and_no_law():
    x, x_b = RNG.normal(size=(200, 10)).astype(np.float32), RNG.normal(size=(200, 10)).astype(np.float32)
    correlation, percentile, deviations = figures.transfers(x, x[:, 0], x_b, x_b[:, 0], np.eye(10)[0] * 9)
    assert correlation > 0.99 and percentile == 100 and 8 < deviations < 10
    correlation, *_ = figures.transfers(x, RNG.normal(size=200), x_b, RNG.normal(size=200), x[0])
    assert abs(correlation) < 0.25


def test_transfers_without_meaning_is_nan():
    x, y = RNG.normal(size=(20, 4)), RNG.normal(size=20)
    assert np.isnan(figures.transfers(x, np.full(20, 0.1), x, y, x[0])).all()
    assert np.isnan(figures.transfers(x[:0], y[:0], x, y, x[0])).all()
    assert np.isnan(figures.transfers(x, y, x[:0], y[:0], x[0])).all()
    correlation, percentile, _ = figures.transfers(x, y, x, np.full(20, 0.1), x[0])
    assert np.isnan(correlation) and 0 < percentile < 100
    # Features that never change foretell the same of all, also of the picture.
    correlation, percentile, deviations = figures.transfers(np.ones((20, 4)), y, np.ones((20, 4)), y, np.ones(4))
    assert np.isnan(correlation) and percentile == 50 and np.isnan(deviations)


# The interval


def test_the_interval_of_a_mean():
    values = RNG.normal(5, 2, 400)
    low, high = figures.interval(values)
    assert low < values.mean() < high
    assert np.allclose([low, high], values.mean() + np.array([-1.96, 1.96]) * values.std() / 20, atol=0.04)
    assert figures.interval(np.append(values, [NAN, np.inf])) == (low, high)
    assert np.isnan(figures.interval(np.array([NAN, NAN]))).all() and np.isnan(figures.interval(np.zeros(0))).all()
    assert figures.interval(np.array([3.0])) == (3.0, 3.0)


# The damage of E3


@pytest.mark.parametrize("name", TRANSFORMS)
@pytest.mark.parametrize("shape", [(32, 32, 3), (31, 17, 3), (33, 20, 1), (1, 1, 3), (1, 9, 1), (8, 8, 3)])
def test_damage_keeps_size_and_type(name, shape):
    image = RNG.integers(0, 256, shape, np.uint8)
    before = image.copy()
    made = TRANSFORMS[name](image)
    assert made.shape == shape and made.dtype == np.uint8
    assert np.array_equal(image, before)
    flat = np.full(shape, 100, np.uint8)
    assert np.abs(TRANSFORMS[name](flat).astype(int) - 100).max() <= 1


def test_damage_is_done():
    noise = RNG.integers(0, 256, (64, 64, 3), np.uint8)
    deviation = noise.astype(float).std()
    assert not np.array_equal(jpeg(noise), noise) and 5 < np.abs(jpeg(noise).astype(float) - noise).mean() < 80
    assert blur(noise).astype(float).std() < deviation / 2 and shrink(noise).astype(float).std() < 0.8 * deviation
    assert abs(fade(noise).astype(float).std() / deviation - 0.7) < 0.01
    assert abs(fade(noise).astype(float).mean() - noise.mean()) < 0.5


def test_blur_is_the_gaussian_of_one_pixel():
    dot = np.zeros((21, 21, 1), np.uint8)
    dot[10, 10] = 255
    x = np.arange(-10, 11)
    bell = np.exp(-(x**2) / 2)
    bell /= bell.sum()
    assert np.abs(blur(dot)[..., 0] - 255 * bell[:, None] * bell).max() <= 0.6
    colors = np.zeros((9, 9, 3), np.uint8)
    colors[..., 1] = 200
    assert np.array_equal(blur(colors), colors)  # not across channels
