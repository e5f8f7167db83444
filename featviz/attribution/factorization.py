"""Factorizations of a matrix into few parts: NMF for values of one sign, semi-NMF for signed ones. Deterministic."""

import numpy as np
from jaxtyping import Float

ITERATIONS = 200
# The error's relative decrease in ten iterations below which they end.
TOLERANCE = 1e-4
TINY = 1e-10

Matrix = Float[np.ndarray, "rows columns"]


def nmf(x: Matrix, count: int) -> tuple[Matrix, Matrix]:
    """x ~ s f with s, f >= 0, by hierarchical alternating least squares.

    Args:
      x: values >= 0.
      count: the number of parts.

    Returns:
      s, (rows, count), and f, (count, columns).

    References:
      Cichocki and Phan 2009; the start is NNDSVDa, Boutsidis and Gallopoulos 2008.

    >>> x = np.outer([1.0, 2.0, 0.0], [3.0, 0.0, 1.0])
    >>> s, f = nmf(x, 1)
    >>> bool(np.allclose(s @ f, x, atol=1e-6))
    True
    """
    x = np.asarray(x, np.float64)
    s, f = _nndsvd(x, count)
    before = np.inf
    for iteration in range(ITERATIONS):
        s = _columns(x @ f.T, f @ f.T, s)
        f = _columns(x.T @ s, s.T @ s, f.T).T
        if iteration % 10 == 9:
            error = float(np.linalg.norm(x - s @ f))
            if before - error < TOLERANCE * max(error, TINY):
                break
            before = error
    return s, f


def semi_nmf(x: Matrix, count: int) -> tuple[Matrix, Matrix]:
    """x ~ s f with s >= 0 and f of any sign.

    It starts from NMF of the positive and the negative part of x side by side.

    References:
      Ding, Li and Jordan 2010, Convex and Semi-Nonnegative Matrix Factorizations.

    >>> x = np.outer([1.0, 2.0, 0.0], [3.0, 0.0, -1.0])
    >>> s, f = semi_nmf(x, 1)
    >>> bool((s >= 0).all()), bool(np.allclose(s @ f, x, atol=1e-4))
    (True, True)
    """
    x = np.asarray(x, np.float64)
    s, _ = nmf(np.concatenate([np.maximum(x, 0), np.maximum(-x, 0)], axis=1), count)
    s += TINY
    before = np.inf
    for iteration in range(ITERATIONS):
        f = np.linalg.pinv(s) @ x
        a, b = x @ f.T, f @ f.T
        above = np.maximum(a, 0) + s @ np.maximum(-b, 0)
        below = np.maximum(-a, 0) + s @ np.maximum(b, 0)
        s = s * np.sqrt((above + TINY) / (below + TINY))
        if iteration % 10 == 9:
            error = float(np.linalg.norm(x - s @ f))
            if before - error < TOLERANCE * max(error, TINY):
                break
            before = error
    return s, np.linalg.pinv(s) @ x


def _columns(product: Matrix, gram: Matrix, s: Matrix) -> Matrix:
    """One pass over the columns of s, each the best given the others."""
    s = s.copy()
    for k in range(s.shape[1]):
        s[:, k] = np.maximum(s[:, k] + (product[:, k] - s @ gram[:, k]) / max(gram[k, k], TINY), 0)
    return s


def _nndsvd(x: Matrix, count: int) -> tuple[Matrix, Matrix]:
    """The start: of each pair of singular vectors the stronger of its two signs, zeros filled with the mean."""
    u, sizes, v = np.linalg.svd(x, full_matrices=False)
    s, f = np.zeros((len(x), count)), np.zeros((count, x.shape[1]))
    for k in range(min(count, len(sizes))):
        signs = [(np.maximum(sign * u[:, k], 0), np.maximum(sign * v[k], 0)) for sign in (1, -1)]
        left, right = max(signs, key=lambda pair: np.linalg.norm(pair[0]) * np.linalg.norm(pair[1]))
        norms = float(np.linalg.norm(left)), float(np.linalg.norm(right))
        root = np.sqrt(sizes[k] * norms[0] * norms[1])
        s[:, k], f[k] = root * left / max(norms[0], TINY), root * right / max(norms[1], TINY)
    mean = max(float(np.abs(x).mean()), TINY)
    return np.where(s == 0, mean, s), np.where(f == 0, mean, f)
