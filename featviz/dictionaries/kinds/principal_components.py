"""Principal components: orthogonal directions of the largest variance."""

from dataclasses import dataclass
from typing import ClassVar

import jax
import numpy as np
from numpy.typing import ArrayLike

from featviz.dictionaries.kinds.linear_code import LinearCode


@jax.tree_util.register_dataclass
@dataclass(frozen=True, eq=False, kw_only=True)
class PrincipalComponents(LinearCode):
    """z = (x - mean) componentsᵀ, over the standard deviations if they are whitened."""

    name: ClassVar[str] = "pca"
    title: ClassVar[str] = "principal components"


def principal_components(
    components: ArrayLike, mean: ArrayLike, *, deviations: ArrayLike | None = None
) -> PrincipalComponents:
    """Principal components as scikit-learn's PCA has them.

    Args:
      components: (latents, units), orthonormal rows.
      mean: (units,).
      deviations: (latents,), the standard deviations by which latents are divided, where they are whitened.

    >>> principal_components([[0.0, 1.0]], [1.0, 1.0], deviations=[2.0]).encode(np.array([5.0, 7.0])).tolist()
    [3.0]
    """
    rows = np.asarray(components, np.float32)
    scale = np.ones(len(rows), np.float32) if deviations is None else np.asarray(deviations, np.float32)
    return PrincipalComponents(
        mean=np.asarray(mean, np.float32), encoder=(rows / scale[:, None]).T, decoder=rows * scale[:, None]
    )
