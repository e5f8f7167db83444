"""E4: whether a picture excites the units, in this layer and below, that the unit's photographs excite."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from featviz.evaluation.figures.base import EvidenceFigure, Quantity, UnitArrays, as_deviations, as_share
from featviz.evaluation.sample_statistics import finite_mean, standard_ranks

# How much more similar than others top photographs must be, in Spearman's rho, for the quotient not to be noise.
MIN_SCALE = 1e-3

# Activations of the picture, (units,), of top photographs and of other photographs, (photos, units).
Part = tuple[Float[np.ndarray, " units"], Float[np.ndarray, "tops units"], Float[np.ndarray, "others units"]]


def path_similarity(parts: Sequence[Part]) -> float:
    """Whether a picture takes the top photographs' path through the layers below; 1 as they do, 0 as any photo does.

    sum (rho(p, tops) - rho(others)) / sum (rho(tops) - rho(others)), with rho Spearman's correlation over a layer's
    units, averaged over pairs: picture and top photographs, pairs of other photographs, pairs of top photographs
    (Geirhos et al. 2023, Don't trust your eyes). The sums are over layers and pictures: in low layers top photographs
    are hardly more similar than others, and a quotient of each layer would be noise.

    Args:
      parts: (picture, top photographs, other photographs) for each layer and picture.

    Returns: the quotient; nan if top photographs are no more similar than others, or there are fewer than two of
      either.
    """
    if not parts or any(len(tops) < 2 or len(others) < 2 for _, tops, others in parts):
        return float("nan")
    gain, scale = np.sum([_gain_and_scale(*part) for part in parts], axis=0)
    return float(gain / scale) if scale > MIN_SCALE * len(parts) else float("nan")


def _gain_and_scale(picture: np.ndarray, tops: np.ndarray, others: np.ndarray) -> tuple[float, float]:
    ranks = standard_ranks(np.concatenate([picture[None], tops, others]))
    rho, count = ranks @ ranks.T, len(tops)
    to_tops = rho[0, 1 : 1 + count].mean()
    between_tops = _mean_off_diagonal(rho[1 : 1 + count, 1 : 1 + count])
    between_others = _mean_off_diagonal(rho[1 + count :, 1 + count :])
    return float(to_tops - between_others), float(between_tops - between_others)


def _mean_off_diagonal(square: np.ndarray) -> float:
    count = len(square)
    return float((square.sum() - np.trace(square)) / (count * (count - 1)))


def coactivation(
    picture: Float[np.ndarray, " units"],
    tops: Float[np.ndarray, "tops units"],
    others: Float[np.ndarray, "others units"],
) -> float:
    """Whether the other units that a picture excites in the unit's own layer are those that top photographs excite.

    (mean rho(p, tops) - mean rho(p, others)) / sd rho(p, others), with rho Spearman's correlation over the layer's
    other units: by how many standard deviations the picture is more similar to top photographs than to others. A
    picture of another unit's feature coactivates with that unit's neighbors. The path through the layers below
    (Geirhos et al. 2023) says the same, less clearly the lower they are.

    Args:
      picture: activations of the other units on the picture.
      tops: on top photographs.
      others: on other photographs.

    Returns: the difference in standard deviations; nan where rho(p, others) does not vary.

    >>> tops, others = np.array([[3.0, 2, 1, 0]]), np.array([[0.0, 1, 2, 3], [2, 3, 0, 1]])
    >>> round(coactivation(np.array([5.0, 4, 2, 1]), tops, others), 6)
    1.5
    """
    ranks = standard_ranks(np.concatenate([picture[None], tops, others]))
    near, far = ranks[1 : 1 + len(tops)] @ ranks[0], ranks[1 + len(tops) :] @ ranks[0]
    spread = float(far.std())
    return float((near.mean() - far.mean()) / spread) if spread > 0 else float("nan")


def _compute(arrays: UnitArrays) -> tuple[float, float]:
    parts = [(row, path.top_photos, path.other_photos) for path in arrays.paths_below for row in path.pictures]
    own = arrays.path_own
    neighbors = [coactivation(row, own.top_photos, own.other_photos) for row in own.pictures]
    return path_similarity(parts), finite_mean(neighbors)


PATH_SIMILARITY = EvidenceFigure(
    name="E4",
    title="path",
    formula="(rho(p, top) - rho(other, other)) / (rho(top, top) - rho(other, other)) over the layers below; "
    "coactivation: (mean rho(p, top) - mean rho(p, other)) / sd rho(p, other) in the layer of u; rho is Spearman's",
    meaning="Whether the picture excites the layers below as the unit's top photographs do, 1 as they do and 0 as any "
    "photograph does; and whether the other units that it excites in this layer are those that they excite, in "
    "standard deviations above other photographs, where above 1.5 is good.",
    quantities=(
        Quantity("path_similarity", -np.inf, np.inf, as_share, "E4"),
        Quantity("coactivation", -np.inf, np.inf, as_deviations, "coactivation"),
    ),
    compute=_compute,
    value="{path_similarity}",
    beside="coactivation {coactivation} sd",
)
