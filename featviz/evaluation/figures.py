"""The figures that say whether to trust a picture, E0 to E5: each a formula over small arrays of numbers.

Throughout, a_u(x) is unit u's largest activation on x over interior positions, phi(x) another network's features of
x, and the photographs are split in halves A and B.
"""

from collections.abc import Sequence

import numpy as np

# The least photographs that any figure makes sense with.
LEAST = 20
# How much more alike than others top photos must be, in Spearman's rho, for E4's quotient to mean anything.
LEAST_SCALE = 1e-3


def alive(value: float, sample: np.ndarray) -> tuple[float, float]:
    """E0: a picture's activation in standard deviations of the unit over A, and its percentile among A.

    z = (a_u(p) - mean a_u(A)) / sd a_u(A); inf, nan or -inf where the unit does not vary.

    >>> z, percentile = alive(3.0, np.array([0.0, 2.0]))
    >>> float(z), float(percentile)
    (2.0, 100.0)
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        z = (np.float64(value) - sample.mean(dtype=np.float64)) / sample.std(dtype=np.float64)
    return float(z), float(100 * ((sample < value).mean() + (sample == value).mean() / 2))


def predicts(picture: np.ndarray, high: np.ndarray, low: np.ndarray) -> float:
    """E1: how often a picture is nearer to a photo that excites the unit than to one that does not, in [0, 1].

    The share of pairs (q+, q-) with cos(phi(p) - m, phi(q+) - m) > cos(phi(p) - m, phi(q-) - m), a tie a half, with m
    the mean of phi over the pairs; .5 is chance, and nan what no pairs give. A two-alternative forced choice with a
    machine in the place of the people of Borowski et al. 2021 and Zimmermann et al. 2021.

    Args: phi(p), (features,), or of several pictures, (pictures, features), which are normalized and averaged; phi of
      q+ and of q-, (photos, features).

    >>> high, low = np.array([[1.0, 0.0]]), np.array([[0.0, 1.0]])
    >>> predicts(np.array([2.0, 1.0]), high, low), predicts(np.array([1.0, 2.0]), high, low)
    (1.0, 0.0)
    """
    if not (len(high) and len(low)):
        return float("nan")
    middle = (high.mean(0) + low.mean(0)) / 2
    guess = _unit_length(np.atleast_2d(picture) - middle).mean(0)
    near, far = (_unit_length(q - middle) @ guess for q in (high, low))
    return float((near[:, None] > far).mean() + (near[:, None] == far).mean() / 2)


def selective(values: np.ndarray, mean: np.ndarray, sd: np.ndarray, unit: int) -> int:
    """E2: the rank of the unit among all of its layer by z_v = (a_v(p) - mean_v) / sd_v over A; 1 is best.

    Units that do not vary over A, or are nan, are left out; such a unit itself is last.

    >>> selective(np.array([1.0, 5.0, 3.0]), np.zeros(3), np.array([1.0, 1.0, 0.0]), 0)
    2
    """
    varies = (sd > 0) & ~np.isnan(values)
    z = np.where(varies, (values - mean) / np.where(varies, sd, 1), -np.inf)
    return int((z > z[unit]).sum()) + 1


def survives(before: float, after: np.ndarray, rest: float) -> float:
    """What of an activation is left under transforms: mean over them of (after - rest) / (before - rest).

    `rest` is 0 for a rectified unit, else its mean over A. nan where there was nothing to lose.
    E3 divides that of the picture by that of the unit's top photos.

    >>> survives(4.0, np.array([2.0, 1.0]), 0.0)
    0.375
    """
    return float(np.mean((after - rest) / (before - rest))) if before > rest else float("nan")


def path(picture: np.ndarray, tops: np.ndarray, others: np.ndarray) -> float:
    """E4: whether a picture takes the top photos' path through one layer below; 1 as they do, 0 as any photo does.

    (rho(p, tops) - rho(others)) / (rho(tops) - rho(others)), with rho Spearman's correlation over the layer's units,
    averaged over pairs: picture and top photos, pairs of other photos, pairs of top photos (Geirhos et al. 2023,
    Don't trust your eyes). nan where top photos are no more alike than others, or there are no two of either.

    Args: activations of the picture, (units,), of top photos and of others, (photos, units).
    """
    return path_over([(picture, tops, others)])


def path_over(parts: Sequence[tuple[np.ndarray, np.ndarray, np.ndarray]]) -> float:
    """`path` through several layers, of several pictures: the numerators' sum by the denominators'.

    Where top photos are hardly more alike than others, in low layers, quotients of their own would be noise.
    """
    if not parts or any(len(tops) < 2 or len(others) < 2 for _, tops, others in parts):
        return float("nan")
    gain, scale = np.sum([_path_parts(*part) for part in parts], axis=0)
    return float(gain / scale) if scale > LEAST_SCALE * len(parts) else float("nan")


def _path_parts(picture: np.ndarray, tops: np.ndarray, others: np.ndarray) -> tuple[float, float]:
    ranks = _standard_ranks(np.concatenate([picture[None], tops, others]))
    rho = ranks @ ranks.T
    own, count = rho[0, 1 : 1 + len(tops)].mean(), len(tops)
    among = _off_diagonal(rho[1 : 1 + count, 1 : 1 + count])
    chance = _off_diagonal(rho[1 + count :, 1 + count :])
    return float(own - chance), float(among - chance)


def company(picture: np.ndarray, tops: np.ndarray, others: np.ndarray) -> float:
    """E4 in the unit's own layer: whether the units that a picture excites are those that the top photos excite.

    (mean rho(p, tops) - mean rho(p, others)) / sd rho(p, others), with rho Spearman's correlation over the layer's
    other units: how many deviations nearer the picture is to top photos than to any photos. nan where that has no
    deviation. A picture that shows another unit's feature keeps that unit's company; the path through the layers
    below (Geirhos et al. 2023) says the same, less clearly the lower they are.

    Args: activations of the picture, (units,), of top photos and of others, (photos, units); the unit left out.

    >>> tops, others = np.array([[3.0, 2, 1, 0]]), np.array([[0.0, 1, 2, 3], [2, 3, 0, 1]])
    >>> round(company(np.array([5.0, 4, 2, 1]), tops, others), 6)
    1.5
    """
    ranks = _standard_ranks(np.concatenate([picture[None], tops, others]))
    near, far = ranks[1 : 1 + len(tops)] @ ranks[0], ranks[1 + len(tops) :] @ ranks[0]
    spread = float(far.std())
    return float((near.mean() - far.mean()) / spread) if spread > 0 else float("nan")


def transfers(
    fit_on: np.ndarray, values: np.ndarray, test_on: np.ndarray, truth: np.ndarray, picture: np.ndarray
) -> tuple[float, float, float]:
    """E5: how well another network's features foretell the unit: correlation on B, and what they say of the picture.

    Ridge regression of a_u on phi over A, standardized, its strength by leave-one-out error in closed form (Hastie et
    al., The Elements of Statistical Learning, 7.10); then Pearson's correlation of its predictions with a_u on B, and
    its prediction for the picture among those for B: the percentile, and in standard deviations from their mean.

    All are nan where the unit does not vary over A, the correlation also where it does not over B.

    Args: phi over A, a_u over A, phi over B, a_u over B, phi(p).
    """
    if not (len(values) and np.ptp(values) > 0 and len(truth)):
        return float("nan"), float("nan"), float("nan")
    middle, spread = fit_on.mean(0), fit_on.std(0)
    spread = np.where(spread > 0, spread, 1)
    x = (fit_on - middle).astype(np.float64) / spread
    y = values.astype(np.float64) - values.mean(dtype=np.float64)
    u, s, vt = np.linalg.svd(x, full_matrices=False)
    projected = u.T @ y
    best = min(
        (float(np.mean(((y - u @ (kept * projected)) / (1 - (u**2) @ kept - 1 / len(y))) ** 2)), strength)
        for strength in len(y) * 10.0 ** np.arange(-3, 4)
        for kept in [s**2 / (s**2 + strength)]
    )[1]
    slope = vt.T @ (s / (s**2 + best) * projected)
    foretold = ((test_on - middle) / spread) @ slope
    own = ((picture - middle) / spread) @ slope
    varies = np.ptp(foretold) > 0 and np.ptp(truth) > 0
    correlation = float(np.corrcoef(foretold, truth)[0, 1]) if varies else float("nan")
    percentile = float(100 * ((foretold < own).mean() + (foretold == own).mean() / 2))
    deviations = float((own - foretold.mean()) / foretold.std()) if np.ptp(foretold) > 0 else float("nan")
    return correlation, percentile, deviations


def finite_mean(values: Sequence[float] | np.ndarray) -> float:
    """The mean of what is finite; nan of nothing.

    >>> finite_mean([1.0, float("nan"), 3.0]), finite_mean([])
    (2.0, nan)
    """
    kept = np.asarray(values, np.float64)
    kept = kept[np.isfinite(kept)]
    return float(kept.mean()) if len(kept) else float("nan")


def interval(values: np.ndarray, *, draws: int = 2000, seed: int = 0) -> tuple[float, float]:
    """The 95 % bootstrap interval of a mean over units (Efron 1979, percentiles); nan are left out.

    >>> low, high = interval(np.array([0.0, 1.0] * 50))
    >>> 0.38 < low < 0.45 < 0.55 < high < 0.62
    True
    """
    kept = values[np.isfinite(values)]
    if not len(kept):
        return float("nan"), float("nan")
    rows = np.random.default_rng(seed).integers(0, len(kept), (draws, len(kept)))
    low, high = np.percentile(kept[rows].mean(1), (2.5, 97.5))
    return float(low), float(high)


def _unit_length(rows: np.ndarray) -> np.ndarray:
    rows = rows.astype(np.float64)
    length = np.linalg.norm(rows, axis=-1, keepdims=True)
    return rows / np.where(length > 0, length, 1)


def _standard_ranks(rows: np.ndarray) -> np.ndarray:
    """Ranks of each row, of equal values the mean rank, of mean 0 and length 1: their dot product is Spearman's rho."""
    from scipy.stats import rankdata

    ranks = rankdata(rows, axis=1)
    return _unit_length(ranks - ranks.mean(1, keepdims=True))


def _off_diagonal(square: np.ndarray) -> float:
    count = len(square)
    return float((square.sum() - np.trace(square)) / (count * (count - 1)))
