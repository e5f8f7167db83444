"""The functions of the figures E0 to E5 against plain numpy and scipy."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import spearmanr

from featviz.evaluation.figures.activation import relative_activation
from featviz.evaluation.figures.path_similarity import coactivation, path_similarity
from featviz.evaluation.figures.prediction import prediction
from featviz.evaluation.figures.robustness import retained
from featviz.evaluation.figures.selectivity import selectivity_rank
from featviz.evaluation.figures.transfer import transfer

RNG = np.random.default_rng(0)
NAN = float("nan")


def same(found, expected):
    return np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-9, equal_nan=True)


# E0


def test_relative_activation_by_hand():
    sample = RNG.normal(size=50).astype(np.float32)
    z, percentile = relative_activation(0.3, sample)
    wide = sample.astype(np.float64)
    same(z, (0.3 - wide.mean()) / wide.std())
    same(percentile, 100 * sum(v < 0.3 for v in wide) / 50)


def test_relative_activation_counts_a_tie_as_half_and_of_a_constant_unit_is_infinite():
    assert relative_activation(1.0, np.array([0.0, 1.0, 1.0, 2.0]))[1] == 50
    assert relative_activation(9.0, np.zeros(5)) == (np.inf, 100) and relative_activation(-9.0, np.zeros(5)) == (
        -np.inf,
        0,
    )
    z, percentile = relative_activation(0.0, np.zeros(5))
    assert np.isnan(z) and percentile == 50


# E1


def cosine(a, b):
    return a @ b / (np.linalg.norm(a) * np.linalg.norm(b))


def test_prediction_is_the_double_loop_over_pairs():
    picture, high, low = RNG.normal(size=8), RNG.normal(size=(11, 8)) + 0.4, RNG.normal(size=(7, 8))
    m = np.mean([(p + q) / 2 for p in high for q in low], 0)
    won = [cosine(picture - m, p - m) > cosine(picture - m, q - m) for p in high for q in low]
    assert 0.5 < np.mean(won) < 1
    same(prediction(picture, high, low), np.mean(won))
    # Of several pictures the mean of their directions.
    pictures = np.stack([picture, RNG.normal(size=8)])
    guess = np.mean([(p - m) / np.linalg.norm(p - m) for p in pictures], 0)
    won = [cosine(guess, p - m) > cosine(guess, q - m) for p in high for q in low]
    same(prediction(pictures, high, low), np.mean(won))


features = st.integers(0, 2**32 - 1).map(lambda seed: np.random.default_rng(seed).normal(size=(3, 6, 5)))


@given(features, st.sampled_from([1 / 64, 0.5, 2, 1024]))
def test_prediction_is_invariant_to_scale_bounded_and_antisymmetric(values, scale):
    (picture, *_), high, low = values
    found = prediction(picture, high, low)
    assert 0 <= found <= 1
    assert prediction(scale * picture, scale * high, scale * low) == found
    assert prediction(picture, low, high) == pytest.approx(1 - found)


def test_prediction_of_equal_photographs_and_of_none():
    same_photos = np.ones((4, 3))
    assert prediction(np.ones(3), same_photos, same_photos) == 0.5
    assert prediction(np.zeros(3), np.ones((2, 3)), -np.ones((2, 3))) == 0.5
    assert np.isnan(prediction(np.ones(3), np.ones((0, 3)), same_photos))
    assert np.isnan(prediction(np.ones(3), same_photos, np.ones((0, 3))))


# E2


def test_selectivity_rank_is_the_index_in_the_sorted_row():
    values, mean, sd = RNG.normal(size=30), RNG.normal(size=30), RNG.random(30) + 0.1
    order = np.argsort(-(values - mean) / sd)
    assert [selectivity_rank(values, mean, sd, unit) for unit in order] == list(range(1, 31))


def test_selectivity_rank_omits_units_that_do_not_vary_or_are_nan():
    values, sd = np.array([1.0, 2.0, 9.0, np.nan]), np.array([1.0, 1.0, 0.0, 1.0])
    assert [selectivity_rank(values, np.zeros(4), sd, unit) for unit in range(4)] == [2, 1, 3, 3]


# E3


@given(arrays(float, 4, elements=st.floats(-9, 9)), st.floats(-9, 9), st.floats(0.01, 9))
def test_retained_is_one_without_loss_and_zero_without_activation(after, rest, gain):
    before = rest + gain
    assert retained(before, np.full(4, before), rest) == pytest.approx(1)
    assert retained(before, np.full(4, rest), rest) == pytest.approx(0)
    by_hand = sum((a - rest) / (before - rest) for a in after) / 4
    assert retained(before, after, rest) == pytest.approx(by_hand)


def test_retained_of_an_image_below_the_baseline_is_nan():
    assert np.isnan(retained(0.0, np.zeros(4), 0.0)) and np.isnan(retained(-1.0, np.zeros(4), 0.0))


# E4


def path_of(picture, tops, others):
    return path_similarity([(picture, tops, others)])


def off_diagonal(rows):
    return np.mean([spearmanr(a, b).statistic for i, a in enumerate(rows) for j, b in enumerate(rows) if i != j])


@pytest.mark.parametrize("kind", ["real", "ties"])
def test_path_similarity_agrees_with_scipy(kind):
    base = RNG.normal(size=40)
    tops, others = base + RNG.normal(size=(5, 40)), RNG.normal(size=(7, 40))
    picture = base + 2 * RNG.normal(size=40)
    if kind == "ties":  # as of rectified units: most are 0
        picture, tops, others = (np.maximum(np.round(x), 0) for x in (picture, tops, others))
    own = np.mean([spearmanr(picture, top).statistic for top in tops])
    chance = off_diagonal(others)
    expected = (own - chance) / (off_diagonal(tops) - chance)
    assert 0 < expected < 2
    same(path_of(picture, tops, others), expected)
    # Ranks are invariant to a monotonic change.
    same(path_of(np.exp(picture), np.exp(tops), np.exp(others)), expected)


def test_path_similarity_of_a_top_photo_and_of_any_photo():
    base = RNG.normal(size=2000)
    tops, others = base + RNG.normal(size=(9, 2000)), RNG.normal(size=(9, 2000))
    assert abs(path_of(base + RNG.normal(size=2000), tops, others) - 1) < 0.1
    assert abs(path_of(RNG.normal(size=2000), tops, others)) < 0.1


def test_path_similarity_without_meaning_is_nan():
    rows = RNG.normal(size=(6, 10))
    for tops, others in [
        (rows[:1], rows), (rows[:0], rows), (rows, rows[:1]), (rows, rows[:0]), (rows, rows),
        (np.zeros((3, 10)), np.zeros((3, 10))),
    ]:  # fmt: skip
        assert np.isnan(path_of(rows[0], tops, others))
    # A dead picture is like no photo: its correlation with each is 0.
    same(path_of(np.zeros(10), np.tile(rows[0], (3, 1)), rows), -off_diagonal(rows) / (1 - off_diagonal(rows)))


@pytest.mark.parametrize("kind", ["real", "ties"])
def test_coactivation_agrees_with_scipy(kind):
    base = RNG.normal(size=40)
    tops, others = base + RNG.normal(size=(5, 40)), RNG.normal(size=(7, 40))
    picture = base + 2 * RNG.normal(size=40)
    if kind == "ties":
        picture, tops, others = (np.maximum(np.round(x), 0) for x in (picture, tops, others))
    near, far = ([spearmanr(picture, other).statistic for other in rows] for rows in (tops, others))
    same(coactivation(picture, tops, others), (np.mean(near) - np.mean(far)) / np.std(far))


def test_coactivation_without_meaning_is_nan():
    rows = RNG.normal(size=(6, 10))
    assert np.isnan(coactivation(rows[0], rows, np.tile(rows[1], (4, 1))))
    assert np.isnan(coactivation(np.zeros(10), rows, rows))


# E5


def plain_ridge(x, y, strength):
    """Slope and intercept; the intercept is not penalized."""
    middle = x.mean(0)
    slope = np.linalg.solve((x - middle).T @ (x - middle) + strength * np.eye(x.shape[1]), (x - middle).T @ y)
    return slope, y.mean() - middle @ slope


@pytest.mark.parametrize(("photos", "width", "noise"), [(30, 5, 0.3), (20, 40, 0.3), (25, 8, 5.0)])
def test_transfer_is_leave_one_out_ridge(photos, width, noise):
    x, x_b = RNG.normal(size=(photos, width)) * 3 + 1, RNG.normal(size=(15, width)) * 3 + 1
    slope = RNG.normal(size=width)
    y, y_b = x @ slope + noise * RNG.normal(size=photos), x_b @ slope + noise * RNG.normal(size=15)
    picture = x_b[3] * 1.1
    scaled, scaled_b, scaled_picture = ((v - x.mean(0)) / x.std(0) for v in (x, x_b, picture))
    errors = {}
    for strength in photos * 10.0 ** np.arange(-3, 4):
        squared = []
        for out in range(photos):
            kept = np.arange(photos) != out
            w, b = plain_ridge(scaled[kept], y[kept], strength)
            squared.append((y[out] - scaled[out] @ w - b) ** 2)
        errors[strength] = np.mean(squared)
    w, b = plain_ridge(scaled, y, min(errors, key=errors.get))
    predicted = scaled_b @ w + b
    for_picture = scaled_picture @ w + b
    deviations = (for_picture - predicted.mean()) / predicted.std()
    expected = np.corrcoef(predicted, y_b)[0, 1], 100 * np.mean(predicted < for_picture), deviations
    same(transfer(x, y, x_b, y_b, picture), expected)


def test_transfer_of_a_linear_unit_and_of_a_random_one():
    x, x_b = RNG.normal(size=(200, 10)).astype(np.float32), RNG.normal(size=(200, 10)).astype(np.float32)
    correlation, percentile, deviations = transfer(x, x[:, 0], x_b, x_b[:, 0], np.eye(10)[0] * 9)
    assert correlation > 0.99 and percentile == 100 and 8 < deviations < 10
    correlation, *_ = transfer(x, RNG.normal(size=200), x_b, RNG.normal(size=200), x[0])
    assert abs(correlation) < 0.25


def test_transfer_without_meaning_is_nan():
    x, y = RNG.normal(size=(20, 4)), RNG.normal(size=20)
    assert np.isnan(transfer(x, np.full(20, 0.1), x, y, x[0])).all()
    assert np.isnan(transfer(x[:0], y[:0], x, y, x[0])).all()
    assert np.isnan(transfer(x, y, x[:0], y[:0], x[0])).all()
    correlation, percentile, _ = transfer(x, y, x, np.full(20, 0.1), x[0])
    assert np.isnan(correlation) and 0 < percentile < 100
    # Constant features predict the same for all, also for the picture.
    correlation, percentile, deviations = transfer(np.ones((20, 4)), y, np.ones((20, 4)), y, np.ones(4))
    assert np.isnan(correlation) and percentile == 50 and np.isnan(deviations)
