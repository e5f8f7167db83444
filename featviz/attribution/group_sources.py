"""The path between two layers: what of an earlier layer feeds a group of units of a later one, on one photo."""

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from featviz.attribution.attribute import check_layer
from featviz.attribution.behind import make_problem, without_rules
from featviz.attribution.groups import Groups, grouped_problem, tells_groups
from featviz.attribution.methods import Method, Relevance, check_method
from featviz.common.compilation import compiled, few_runs_options
from featviz.errors import FeatvizError
from featviz.model import Apply, Model, Weights
from featviz.objectives import Objective, stack, tensor_direction
from featviz.pictures.picture import Picture
from featviz.rendering.checks import check_image


@dataclass(frozen=True)
class GroupSources:
    """What of an earlier layer feeds the groups of a later one: attributions of how strong each group is.

    Attributes:
        layer: The earlier layer.
        of: The later layer.
        scores: How strong each of n groups of the later layer is, (n,): the layer's projection on the group.
        units: What each unit of the earlier layer contributes to that, (n, units), a sum over positions.
        groups: What each of m groups of the earlier layer contributes, (n, m + 1); the last column is what no group
            has. Empty without groups of the earlier layer.
    """

    layer: str
    of: str
    scores: Float[np.ndarray, " n"]
    units: Float[np.ndarray, "n units"]
    groups: Float[np.ndarray, "n m_and_rest"]

    def top(self, group: int, count: int) -> list[tuple[int, float]]:
        """The units that feed a group most, with their contributions."""
        order = np.argsort(-self.units[group], kind="stable")[:count]
        return [(int(unit), float(self.units[group, unit])) for unit in order]


def group_objective(groups: Groups, index: int) -> Objective:
    """How strong a group is in an image: the layer's projection on the group's part of the activation.

    >>> spatial, directions = np.array([[0.0, 2.0]]), np.array([[0.6, 0.8]])
    >>> found = Groups("fc", spatial, directions, 1.0, np.zeros(0), np.zeros(0))
    >>> h = np.array([[[9.0, 9.0], [3.0, 4.0]]], np.float32)
    >>> round(float(group_objective(found, 0)({"fc": h})[0]), 5)
    5.0
    """
    spatial = groups.spatial[index]
    part = spatial[..., None] * groups.directions[index]
    length = max(float(np.linalg.norm(part)), float(np.finfo(np.float32).tiny))
    # A tensor's direction is a mean over positions, a projection is a sum.
    return tensor_direction(groups.layer, part * (spatial.size / length))


def group_sources(
    model: Model,
    image: np.ndarray | Picture,
    groups: Groups,
    *,
    layer: str | Groups,
    method: Method | None = None,
    quick: bool = False,
) -> GroupSources:
    """What of an earlier layer feeds the groups of a later one on a photo, by its units and by its own groups.

    Args:
      model: the network.
      image: the photo of which the groups are, (height, width, channels) in [0,1], or a Picture.
      groups: those of the later layer, as `fv.groups` gives them.
      layer: the name of the earlier layer, or its groups on the same photo.
      method: how it is divided, by default relevance; conductance and occlusion do not tell groups apart.
      quick: whether the program is compiled sooner and runs slower, which pays for fewer than about 30 photos.

    Raises:
      FeatvizError: for a layer that the groups' layer is not computed from, a method that does not tell groups apart,
        or groups of images of another size.

    >>> import featviz as fv
    >>> model, photo = fv.load("patterns"), np.random.default_rng(0).random((64, 64, 3), np.float32)
    >>> later, earlier = (fv.groups(model, photo, layer, count=2) for layer in ("mixed4a", "mixed3a"))
    >>> found = fv.group_sources(model, photo, later, layer=earlier)
    >>> found.scores.shape, found.units.shape, found.groups.shape
    ((2,), (2, 48), (2, 3))
    """
    check_method(method)
    chosen = Relevance() if method is None else method
    if not tells_groups(chosen):
        raise FeatvizError(f"`method` is {chosen.name}, which tells no groups apart; expected another")
    pixels = check_image("image", image, model)
    name, earlier = (layer.layer, layer) if isinstance(layer, Groups) else (layer, None)
    objectives = [group_objective(groups, index) for index in range(len(groups.directions))]
    check_layer(model, name, objectives[0], pixels.shape[:2])
    parts = (jnp.zeros((0,)), jnp.zeros((0,))) if earlier is None else (earlier.spatial, earlier.directions)
    args = (model.weights, stack(objectives), jnp.asarray(pixels), *map(jnp.asarray, parts))
    options = few_runs_options(jax.default_backend(), quick=quick)
    program = compiled(
        _attribute_sources, *args, owner=model.apply, options=options, apply=model.apply, layer=name, method=chosen,
        grouped=earlier is not None,
    )  # fmt: skip
    scores, units, shares = (np.asarray(value) for value in program(*args))
    return GroupSources(name, groups.layer, scores, units, shares)


def feeds(model: Model, layer: str, groups: Groups, size: tuple[int, int]) -> bool:
    """Whether a layer's groups are computed from another layer."""
    try:
        check_layer(model, layer, group_objective(groups, 0), size)
    except FeatvizError:
        return False
    return True


@jax.jit
def _attribute_sources(
    weights: Weights,
    objectives: Objective,
    image: Float[Array, "h w c"],
    spatial: Float[Array, "m ..."],
    directions: Float[Array, "m units"],
    *,
    apply: Apply,
    layer: str,
    method: Method,
    grouped: bool,
) -> Any:
    """The score of each objective, and its attributions to units and to groups."""

    def divide(objective: Objective) -> tuple[Array, Array, Array]:
        ruled = make_problem(apply, layer, weights, objective, image, None, rules=method.rules)
        plain = without_rules(ruled, apply, layer, weights, objective)
        values = method.attribute(ruled)
        units = values.sum(tuple(range(values.ndim - 1)))
        shares = method.attribute(grouped_problem(ruled, spatial, directions)) if grouped else jnp.zeros(0)
        return plain.function(plain.activation), units, shares

    return jax.lax.map(divide, objectives)
