"""Where a map puts activations: alike ones side by side, by UMAP, or by PCA where it is not installed."""

import importlib.util
import warnings
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from featviz.errors import FeatvizError, suggest

# Of UMAP, the constants of Carter et al. 2019: for a whole layer, and for the activations of a class.
NEIGHBORS, MIN_DIST = 50, 0.05
CLASS_NEIGHBORS, CLASS_MIN_DIST = 20, 0.02
# Outliers beyond these percentiles, and a margin of this share, lie on the map's edge.
PERCENTILES, MARGIN = (1.0, 99.0), 0.1

Rows = Float[np.ndarray, "rows units"]
Places = Float[np.ndarray, "rows axes"]


class LayoutSettings(NamedTuple):
    """How UMAP lays out: the seed, how many neighbors count, and how near activations may lie; `axes` of the result."""

    seed: int = 0
    neighbors: int = NEIGHBORS
    min_dist: float = MIN_DIST
    axes: int = 2


def by_umap(values: Rows, settings: LayoutSettings, *, guide: Places | None = None) -> Places:
    """UMAP of the angles between rows (McInnes et al. 2018), which begins at the guide's places where there are any."""
    with warnings.catch_warnings():
        # It warns of what it was asked for, one thread and a seed, and, as it is imported, that TensorFlow is absent.
        warnings.simplefilter("ignore")
        import umap

        reducer = umap.UMAP(
            n_components=settings.axes,
            n_neighbors=min(settings.neighbors, len(values) - 1),
            min_dist=settings.min_dist,
            metric="cosine",
            random_state=settings.seed,
            n_jobs=1,
            init="spectral" if guide is None else guide,
        )
        return np.asarray(reducer.fit_transform(values), np.float32)


def by_pca(values: Rows, settings: LayoutSettings, *, guide: Places | None = None) -> Places:
    """The largest principal components of the rows' angles; nothing is random, and nothing begins anywhere.

    >>> places = by_pca(np.eye(3, dtype=np.float32), LayoutSettings())
    >>> places.shape, bool(np.allclose(places.sum(0), 0, atol=1e-6))
    ((3, 2), True)
    """
    units = values / np.maximum(np.linalg.norm(values, axis=1, keepdims=True), 1e-12)
    centered = (units - units.mean(0)).astype(np.float32)
    _, vectors = np.linalg.eigh((centered.T @ centered).astype(np.float64))
    axes = vectors[:, ::-1][:, : settings.axes]
    # An eigenvector's sign is arbitrary.
    axes = axes * np.sign(axes[np.abs(axes).argmax(0), np.arange(axes.shape[1])])
    places = centered @ axes.astype(np.float32)
    return np.pad(places, ((0, 0), (0, settings.axes - places.shape[1])))


LAYOUTS: dict[str, Callable[..., Places]] = {"umap": by_umap, "pca": by_pca}


def choose_layout(name: str | None) -> str:
    """The name of a layout; without one UMAP's if it is installed.

    Raises:
      FeatvizError: for an unknown one, or UMAP where it is not installed.

    >>> choose_layout("pca")
    'pca'
    """
    installed = importlib.util.find_spec("umap") is not None
    if name is None:
        return "umap" if installed else "pca"
    if name not in LAYOUTS:
        raise FeatvizError(f"`layout` is `{name}`; {suggest(name, LAYOUTS)}")
    if name == "umap" and not installed:
        raise FeatvizError("`layout` is `umap`, which needs umap-learn: pip install 'featviz[maps]'; or expected `pca`")
    return name


def lay_out(
    values: Rows,
    *,
    layout: str,
    settings: LayoutSettings,
    contrast: Float[np.ndarray, " rows"] | None = None,
    guide: Places | None = None,
) -> Places:
    """A place in the unit square for each row, y upwards.

    Args:
      values: activations, from what directions are meant from.
      layout: a name of `LAYOUTS`.
      settings: of UMAP.
      contrast: where each row lies from left to right; the layout then decides its height alone.
      guide: places on another map that the rows are to lie near to: UMAP begins at them, and the result is turned, and
        reflected if need be, to lie on them.
    """
    if len(values) < 4:
        return np.linspace(0.25, 0.75, max(len(values), 1), dtype=np.float32)[: len(values), None].repeat(2, axis=1)
    if contrast is None:
        places = LAYOUTS[layout](values, settings, guide=guide)
        return to_unit_square(places if guide is None else turned(places, guide))
    heights = to_unit_square(LAYOUTS[layout](values, settings._replace(axes=1)))
    return np.stack([contrast, heights[:, 0]], 1)


def turned(places: Places, guide: Places) -> Places:
    """Places turned about their middle, and reflected if need be, so that they lie on others best (Procrustes).

    >>> turned(np.array([[0.0, 0.0], [0.0, 2.0]]), np.array([[5.0, 5.0], [6.0, 5.0]])).round(6).tolist()
    [[-1.0, 0.0], [1.0, 0.0]]
    """
    centered = places - places.mean(0)
    left, _, right = np.linalg.svd(centered.astype(np.float64).T @ (guide - guide.mean(0)))
    return (centered @ (left @ right)).astype(np.float32)


def to_unit_square(places: Places) -> Places:
    """Places scaled to [0, 1]; outliers beyond a margin around the 1st and 99th percentiles go to the edge.

    >>> to_unit_square(np.array([[0.0, 5.0], [1.0, 5.0], [2.0, 5.0]])).tolist()
    [[0.0, 0.5], [0.5, 0.5], [1.0, 0.5]]
    """
    low, high = np.percentile(places, PERCENTILES, axis=0)
    low = low - MARGIN * (high - low)
    high = high + MARGIN * (high - low)
    clipped = np.clip(places, low, high)
    spread = np.ptp(clipped, axis=0)
    scaled = (clipped - clipped.min(0)) / np.where(spread > 0, spread, 1)
    return np.where(spread > 0, scaled, 0.5).astype(np.float32)
