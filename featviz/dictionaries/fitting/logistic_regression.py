"""Logistic regression of two classes of equal weight, for several labelings at once, and how well it holds out."""

import numpy as np
from jaxtyping import Bool, Float, Int

# Newton's steps: each is exact least squares with the weights of the last, and few change anything.
STEPS = 12
FOLDS = 5
# Labelings that are solved at once.
BATCH = 25


def fit_logistic(
    gram: Float[np.ndarray, "n n"], labels: Bool[np.ndarray, "b n"], decay: float
) -> tuple[Float[np.ndarray, "b n"], Float[np.ndarray, " b"]]:
    """The minimum of sum s log(1 + exp(-y f)) + decay |w|² / 2, f = x w + b, by Newton's steps, for each labeling.

    The weights s of an example are such that each class has one half. w is a sum of examples, xᵀ a, so that their inner
    products are all that is needed, however many units there are.

    Args:
      gram: x xᵀ.
      labels: of each labeling, the examples of the first class.
      decay: of the weights.

    Returns:
      a and b of each labeling.
    """
    count = gram.shape[0]
    positive = labels.sum(axis=1, keepdims=True)
    share = np.where(labels, 0.5 / positive, 0.5 / (count - positive))
    logits = np.zeros(labels.shape)
    coefficients, bias = np.zeros(labels.shape), np.zeros(len(labels))
    for _ in range(STEPS):
        chances = 1 / (1 + np.exp(-np.clip(logits, -30, 30)))
        curvature = np.maximum(share * chances * (1 - chances), 1e-8 * share)
        working = logits - share * (chances - labels) / curvature
        system = np.zeros((len(labels), count + 1, count + 1))
        system[:, :count, :count] = gram
        system[:, range(count), range(count)] += decay / curvature
        system[:, :count, count] = system[:, count, :count] = 1
        right = np.concatenate([working, np.zeros((len(labels), 1))], axis=1)
        solved = np.linalg.solve(system, right[..., None])[..., 0]
        coefficients, bias = solved[:, :count], solved[:, count]
        logits = coefficients @ gram + bias[:, None]
    return coefficients, bias


def held_out_accuracy(
    gram: Float[np.ndarray, "n n"],
    labels: Bool[np.ndarray, "b n"],
    folds: Int[np.ndarray, " n"],
    decay: float,
) -> Float[np.ndarray, " b"]:
    """The accuracy on examples that were held out, a mean of both classes', for each labeling.

    Args:
      gram: inner products of the examples.
      labels: of each labeling.
      folds: the fold of each example, held out together, with both classes in all others.
      decay: of the weights.
    """
    right = np.zeros(labels.shape, bool)
    for fold in range(folds.max() + 1):
        train, test = folds != fold, folds == fold
        for start in range(0, len(labels), BATCH):
            some = labels[start : start + BATCH]
            coefficients, bias = fit_logistic(gram[np.ix_(train, train)], some[:, train], decay)
            logits = coefficients @ gram[np.ix_(train, test)] + bias[:, None]
            right[start : start + BATCH, test] = (logits > 0) == some[:, test]
    first = np.sum(right & labels, axis=1) / labels.sum(axis=1)
    second = np.sum(right & ~labels, axis=1) / (~labels).sum(axis=1)
    accuracy: np.ndarray = (first + second) / 2
    return accuracy


def draw_folds(labels: Bool[np.ndarray, " n"], seed: int) -> Int[np.ndarray, " n"]:
    """A fold for each example; each class is spread over all of them.

    >>> draw_folds(np.arange(20) < 10, 0)[:10].tolist() == sorted(draw_folds(np.arange(20) < 10, 0)[:10].tolist())
    False
    """
    rng = np.random.default_rng(seed)
    folds = np.zeros(len(labels), int)
    for own in (np.flatnonzero(labels), np.flatnonzero(~labels)):
        folds[rng.permutation(own)] = np.arange(len(own)) % FOLDS
    return folds
