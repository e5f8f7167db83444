"""Logistic regression against scipy's minimum of the same loss."""

import numpy as np
from scipy.optimize import minimize

from featviz.dictionaries.fitting.logistic_regression import FOLDS, draw_folds, fit_logistic, held_out_accuracy

RNG = np.random.default_rng(0)
EXAMPLES = RNG.normal(size=(40, 6)) / np.sqrt(6)
LABELS = np.stack([EXAMPLES[:, 0] + 0.3 * RNG.normal(size=40) > 0.2, RNG.random(40) < 0.4])


def test_it_is_the_minimum():
    coefficients, bias = fit_logistic(EXAMPLES @ EXAMPLES.T, LABELS, 0.01)
    for own, found, offset in zip(LABELS, coefficients, bias, strict=True):
        weights = np.where(own, 0.5 / own.sum(), 0.5 / (~own).sum())

        def loss(p, own=own, weights=weights):
            logits = EXAMPLES @ p[:6] + p[6]
            return np.sum(weights * np.logaddexp(0, -np.where(own, 1, -1) * logits)) + 0.005 * np.sum(p[:6] ** 2)

        best = minimize(loss, np.zeros(7), tol=1e-12)
        assert loss(np.append(found @ EXAMPLES, offset)) <= best.fun + 1e-9
        np.testing.assert_allclose(found @ EXAMPLES, best.x[:6], atol=2e-3)


def test_folds_have_both_classes():
    labels = np.arange(50) < 12
    folds = draw_folds(labels, 1)
    for fold in range(FOLDS):
        assert 2 <= labels[folds == fold].sum() <= 3 and (~labels)[folds == fold].sum() >= 7


def test_what_is_held_out_is_not_learned():
    # Labels by chance: the training examples are told apart, the others are not.
    examples, labels = RNG.normal(size=(60, 200)), (np.arange(60) < 30)[None]
    examples /= np.sqrt(200)
    accuracy = held_out_accuracy(examples @ examples.T, labels, draw_folds(labels[0], 0), 1e-3)
    assert 0.25 < accuracy[0] < 0.75
    coefficients, bias = fit_logistic(examples @ examples.T, labels, 1e-3)
    assert np.array_equal(coefficients @ (examples @ examples.T) + bias[:, None] > 0, labels)
