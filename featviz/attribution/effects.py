"""What a score becomes when units are ablated, each alone."""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from featviz.attribution.behind import make_problem
from featviz.attribution.methods.ablation import scores_without
from featviz.common.compilation import compiled, few_runs_options
from featviz.model import Apply, Model, Weights
from featviz.objectives import Objective

# Units that one call ablates side by side.
TOGETHER = 8


def unit_effects(
    model: Model,
    image: Float[np.ndarray, "h w c"],
    objective: Objective,
    layer: str,
    units: Sequence[int],
    *,
    baseline: Float[np.ndarray, "*positions units"] | float = 0.0,
    quick: bool = False,
) -> Float[np.ndarray, " units"]:
    """The change of a score when each of some units alone is at its baseline, at every position.

    Args:
      model: the network.
      image: one image in [0,1].
      objective: the score.
      layer: the units' layer.
      units: their indices.
      baseline: what the units become: a number, or an array of the layer's shape.
      quick: whether the program is compiled sooner and runs slower.

    >>> import featviz as fv
    >>> photo = np.random.default_rng(0).random((64, 64, 3), np.float32)
    >>> unit_effects(fv.load("patterns"), photo, fv.logit(3), "mixed3a", [0, 5]).shape
    (2,)
    """
    count = len(units)
    if not count:
        return np.zeros(0, np.float32)
    # A multiple of what is computed side by side: few programs serve every number of units.
    padded = np.resize(np.asarray(units, np.int32), -(-count // TOGETHER) * TOGETHER)
    args = (model.weights, objective, jnp.asarray(image), jnp.asarray(padded), jnp.asarray(baseline, jnp.float32))
    options = few_runs_options(jax.default_backend(), quick=quick)
    program = compiled(_effects, *args, owner=model.apply, options=options, apply=model.apply, layer=layer)
    return np.asarray(program(*args))[:count]


@jax.jit
def _effects(
    weights: Weights,
    objective: Objective,
    image: Float[Array, "h w c"],
    units: Int[Array, " units"],
    baseline: Float[Array, "..."],
    *,
    apply: Apply,
    layer: str,
) -> Float[Array, " units"]:
    problem = make_problem(apply, layer, weights, objective, image, None)
    problem = problem._replace(baseline=jnp.broadcast_to(baseline, problem.activation.shape))
    return scores_without(problem, units, together=TOGETHER) - problem.function(problem.activation)
