"""Penalties on the distance from gray."""

from dataclasses import dataclass, field

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from featviz.model import IMAGE, Activations
from featviz.objectives.base import STATIC, Scalar
from featviz.objectives.objective import Examples, Objective, single
from featviz.regularizers.penalties.base import PENALTIES, ImageTerm, named


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Distance(ImageTerm):
    """mean |x - center|^power."""

    center: Scalar
    power: int = field(metadata=STATIC)

    @property
    def label(self) -> str:
        return f"L{self.power}"

    def value(self, activations: Activations) -> Float[Array, " n"]:
        deviation = activations[IMAGE] - jnp.asarray(self.center, jnp.float32)
        size = jnp.abs(deviation) if self.power == 1 else jnp.square(deviation)
        return jnp.mean(size, axis=(1, 2, 3))


def l1(*, center: float = 0.5) -> Objective:
    """mean |x - center|: towards gray, with most pixels exactly gray.

    Args:
      center: the value that costs nothing.

    Returns:
      The objective, to be subtracted; on the command line `l1`.

    References:
      lucid, optvis/objectives.py, `L1`.

    >>> float(l1()({IMAGE: jnp.ones((1, 2, 2, 3))})[0])
    0.5
    """
    return single(Distance(np.float32(center), 1))


def l2(*, center: float = 0.5) -> Objective:
    """mean (x - center)^2: towards gray, large differences most.

    Args:
      center: the value that costs nothing.

    Returns:
      The objective, to be subtracted; on the command line `l2`.

    References:
      Simonyan et al. 2013.

    >>> float(l2()({IMAGE: jnp.ones((1, 2, 2, 3))})[0])
    0.25
    """
    return single(Distance(np.float32(center), 2))


named("l1")(l1)
named("l2")(l2)


EXAMPLES: Examples = {
    "l1": lambda layer, shape: PENALTIES["l1"],
    "l2": lambda layer, shape: PENALTIES["l2"],
}
