"""Statistics of small samples that several figures share: percentiles, rank correlations, means with intervals."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float


def percentile_of(value: float, sample: Float[np.ndarray, " n"]) -> float:
    """The percentile of a value among a sample, in [0, 100]; a tie counts half.

    >>> percentile_of(1.0, np.array([0.0, 1.0, 1.0, 2.0]))
    50.0
    """
    return float(100 * ((sample < value).mean() + (sample == value).mean() / 2))


def unit_length(rows: Float[np.ndarray, "... n"]) -> Float[np.ndarray, "... n"]:
    """Each row divided by its Euclidean norm, in float64; rows of zeros stay zero.

    >>> unit_length(np.array([[3.0, 4.0], [0.0, 0.0]])).tolist()
    [[0.6, 0.8], [0.0, 0.0]]
    """
    rows = rows.astype(np.float64)
    length = np.linalg.norm(rows, axis=-1, keepdims=True)
    return rows / np.where(length > 0, length, 1)


def standard_ranks(rows: Float[np.ndarray, "rows n"]) -> Float[np.ndarray, "rows n"]:
    """The ranks within each row, centered and of length 1, so that the dot product of two rows is Spearman's rho.

    Equal values get their mean rank. A row of equal values becomes zeros: its correlation with any row is 0.

    >>> ranks = standard_ranks(np.array([[1.0, 2.0, 9.0], [3.0, 2.0, 1.0]]))
    >>> round(float(ranks[0] @ ranks[1]), 6)
    -1.0
    """
    from scipy.stats import rankdata

    ranks = rankdata(rows, axis=1)
    return unit_length(ranks - ranks.mean(1, keepdims=True))


def finite_mean(values: Sequence[float] | Float[np.ndarray, " n"]) -> float:
    """The mean of the finite values; nan if there are none.

    >>> finite_mean([1.0, float("nan"), 3.0]), finite_mean([])
    (2.0, nan)
    """
    array = np.asarray(values, np.float64)
    finite = array[np.isfinite(array)]
    return float(finite.mean()) if len(finite) else float("nan")


def bootstrap_interval(values: Float[np.ndarray, " n"], *, draws: int = 2000, seed: int = 0) -> tuple[float, float]:
    """The 95 % bootstrap interval of the mean of the finite values, by percentiles (Efron 1979).

    Args:
      values: one value a unit.
      draws: resamplings.
      seed: of the resamplings, so that the interval of the same values is the same.

    Returns: the ends of the interval; nan if no value is finite.

    >>> low, high = bootstrap_interval(np.array([0.0, 1.0] * 50))
    >>> 0.38 < low < 0.45 < 0.55 < high < 0.62
    True
    """
    finite = values[np.isfinite(values)]
    if not len(finite):
        return float("nan"), float("nan")
    rows = np.random.default_rng(seed).integers(0, len(finite), (draws, len(finite)))
    low, high = np.percentile(finite[rows].mean(1), (2.5, 97.5))
    return float(low), float(high)


def share_interval(hits: int, count: int) -> tuple[float, float]:
    """The 95 % interval of a share (Wilson 1927), which shares of 0 and 1 have too.

    >>> low, high = share_interval(24, 24)
    >>> round(low, 3), round(high, 3)
    (0.862, 1.0)
    """
    if not count:
        return float("nan"), float("nan")
    z, share = 1.959964, hits / count
    middle = (share + z * z / (2 * count)) / (1 + z * z / count)
    half = z / (1 + z * z / count) * (share * (1 - share) / count + z * z / (4 * count * count)) ** 0.5
    return max(middle - half, 0.0), min(middle + half, 1.0)
