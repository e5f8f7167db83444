"""Independent components: directions along which activations are least Gaussian (Hyvärinen 1999)."""

from dataclasses import dataclass
from typing import ClassVar

import jax

from featviz.dictionaries.kinds.linear_code import LinearCode


@jax.tree_util.register_dataclass
@dataclass(frozen=True, eq=False, kw_only=True)
class IndependentComponents(LinearCode):
    """z = (x - mean) unmixing, and x = z mixing + mean: scikit-learn's `components_` and `mixing_`, both transposed."""

    name: ClassVar[str] = "ica"
    title: ClassVar[str] = "independent components"
