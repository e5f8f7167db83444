"""Dictionaries that are not trained by gradients: PCA by numpy, and NMF, ICA and k-means by scikit-learn."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, ClassVar

import numpy as np

from featviz.dictionaries.fitting.activation_store import TRAIN, ActivationStore
from featviz.dictionaries.kinds import Code, IndependentComponents, KMeans, NonnegativeFactors, principal_components
from featviz.errors import FeatvizError

# Positions that are read into memory, of chunks evenly over the store.
MAX_POSITIONS = 100_000
MAX_ITERATIONS = 200
# Of NMF. With 1e-3 it stops after two iterations on the activations of a network, far from its minimum.
TOLERANCE = 1e-4


class ClassicFit(ABC):
    """How a dictionary is fitted to all positions at once."""

    # Whether it has at most as many latents as the layer has units.
    complete: ClassVar[bool] = False

    @abstractmethod
    def fit(self, store: ActivationStore, latents: int, seed: int) -> Code:
        """The fitted code.

        Args:
          store: of the activations.
          latents: how many.
          seed: of random numbers.

        Raises:
          FeatvizError: if scikit-learn is missing, or the activations do not suit.
        """


class Pca(ClassicFit):
    """The directions of largest variance, of the covariance of all positions."""

    complete = True

    def fit(self, store: ActivationStore, latents: int, seed: int) -> Code:
        rows, units = store.rows(TRAIN), store.units
        total, products = np.zeros(units), np.zeros((units, units))
        shift = store.read(TRAIN, 0, store.chunk).astype(np.float64).mean(axis=0)
        # Chunk by chunk, around a point near the mean, so that no digits are lost.
        for start in range(0, rows, store.chunk):
            values = store.read(TRAIN, start, start + store.chunk).astype(np.float64) - shift
            total += values.sum(axis=0)
            products += values.T @ values
        mean = total / rows
        _, _, components = np.linalg.svd(products / rows - np.outer(mean, mean), hermitian=True)
        components = components[:latents]
        # The largest number of each is positive, as in scikit-learn: the sign is otherwise arbitrary.
        largest = np.take_along_axis(components, np.abs(components).argmax(axis=1)[:, None], axis=1)
        return principal_components(components * np.where(largest < 0, -1, 1), mean + shift)


class Nmf(ClassicFit):
    """Sums of non-negative directions."""

    def fit(self, store: ActivationStore, latents: int, seed: int) -> Code:
        decomposition = _sklearn("decomposition")
        values = store.sample(MAX_POSITIONS)
        if values.min() < 0:
            raise FeatvizError(
                f"{store.attributes['layer']} has values down to {values.min():.3g}; NMF takes a layer without "
                "negative ones, behind a ReLU; expected such a layer, or another `kind`"
            )
        # Singular vectors are no more than units or positions.
        init = "nndsvda" if latents <= min(values.shape) else "random"
        fitted = decomposition.NMF(latents, init=init, random_state=seed, max_iter=MAX_ITERATIONS, tol=TOLERANCE)
        _quiet_fit(fitted, values)
        zero = np.zeros((), np.float32)
        return NonnegativeFactors(components=fitted.components_.astype(np.float32), l1=zero, l2=zero)


class Ica(ClassicFit):
    """Directions along which activations are least Gaussian."""

    complete = True

    def fit(self, store: ActivationStore, latents: int, seed: int) -> Code:
        decomposition = _sklearn("decomposition")
        fitted = decomposition.FastICA(latents, whiten="unit-variance", random_state=seed, max_iter=MAX_ITERATIONS)
        _quiet_fit(fitted, store.sample(MAX_POSITIONS).astype(np.float64))
        mean, encoder, decoder = (
            np.ascontiguousarray(array, np.float32) for array in (fitted.mean_, fitted.components_.T, fitted.mixing_.T)
        )
        return IndependentComponents(mean=mean, encoder=encoder, decoder=decoder)


class KMeansFit(ClassicFit):
    """Centers, of which each position takes the nearest."""

    def fit(self, store: ActivationStore, latents: int, seed: int) -> Code:
        cluster = _sklearn("cluster")
        fitted = cluster.MiniBatchKMeans(latents, random_state=seed, n_init=1, batch_size=4096, max_iter=MAX_ITERATIONS)
        _quiet_fit(fitted, store.sample(MAX_POSITIONS))
        return KMeans(centers=fitted.cluster_centers_.astype(np.float32))


CLASSIC: Mapping[str, ClassicFit] = MappingProxyType({"pca": Pca(), "nmf": Nmf(), "ica": Ica(), "k_means": KMeansFit()})


def _sklearn(module: str) -> Any:
    import importlib

    try:
        return importlib.import_module(f"sklearn.{module}")
    except ImportError:
        raise FeatvizError(
            "NMF, ICA and k-means need scikit-learn; install featviz[dictionaries], or take another `kind`"
        ) from None


def _quiet_fit(estimator: Any, values: np.ndarray) -> None:
    import warnings

    from sklearn.exceptions import ConvergenceWarning

    with warnings.catch_warnings():
        # A fit is as good as its iterations allow; the report says how good.
        warnings.simplefilter("ignore", ConvergenceWarning)
        estimator.fit(values)
