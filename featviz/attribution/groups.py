"""Groups of units that fire together in a photo, and what each contributes to a score."""

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from featviz.attribution.attribute import check_layer
from featviz.attribution.behind import Problem, make_problem, without_rules
from featviz.attribution.factorization import nmf, semi_nmf
from featviz.attribution.methods import Ablation, Method, Relevance, check_method
from featviz.common.arguments import check_count
from featviz.common.compilation import compiled, few_runs_options
from featviz.errors import FeatvizError
from featviz.model import Apply, Model, Weights
from featviz.objectives import Objective
from featviz.pictures.picture import Picture
from featviz.rendering.checks import check_image
from featviz.rendering.observe import observe

MAX_GROUPS = 64


@dataclass(frozen=True)
class Groups:
    """Groups of a layer's units in one image: activation ~ sum_i spatial[i] x directions[i].

    Attributes:
        layer: The layer.
        spatial: How strong each group is at each position, (n, *positions), >= 0.
        directions: The units of each, (n, units), of length 1. Its picture is that of `fv.direction`.
        explained: The share of the activation's squares that the groups make.
        attributions: What each contributes to the score; the last entry is what no group has. Empty without one.
        effects: The change of the score when a group alone is taken out; empty without one.
    """

    layer: str
    spatial: Float[np.ndarray, "n ..."]
    directions: Float[np.ndarray, "n units"]
    explained: float
    attributions: Float[np.ndarray, " n_and_rest"]
    effects: Float[np.ndarray, " n"]


def groups(
    model: Model,
    image: np.ndarray | Picture,
    layer: str,
    *,
    count: int = 6,
    objective: Objective | None = None,
    method: Method | None = None,
    quick: bool = False,
) -> Groups:
    """The groups of a layer's units in an image, from left to right where each is strongest.

    They are found by NMF where the layer's values have one sign, else by semi-NMF, whose groups have units of both.

    Args:
      model: the network.
      image: (height, width, channels) in [0,1], or a Picture.
      layer: the name of a layer.
      count: how many groups.
      objective: a score that is divided among the groups.
      method: how, by default relevance; conductance and occlusion do not tell groups apart.
      quick: whether programs are compiled sooner and run slower, which pays for fewer than about 30 images.

    Raises:
      FeatvizError: for an unknown layer, one with fewer positions or units than groups, an objective that is not
        computed from it, or a method that does not tell groups apart.

    >>> import featviz as fv
    >>> photo = np.random.default_rng(0).random((64, 64, 3), np.float32)
    >>> found = fv.groups(fv.load("patterns"), photo, "mixed3a", count=2, objective=fv.logit(3))
    >>> found.spatial.shape, found.directions.shape, found.attributions.shape
    ((2, 16, 16), (2, 48), (3,))
    """
    pixels = check_image("image", image, model)
    model.layer(layer)
    count = check_count("count", count, 1, MAX_GROUPS)
    activation = observe(model, pixels, layer)
    return groups_of(model, pixels, layer, activation, count=count, objective=objective, method=method, quick=quick)


def groups_of(
    model: Model,
    pixels: Float[np.ndarray, "h w c"],
    layer: str,
    activation: Float[np.ndarray, "*positions units"],
    *,
    count: int,
    objective: Objective | None,
    method: Method | None,
    quick: bool,
) -> Groups:
    """The same of an image whose activation at the layer is known.

    Raises:
      FeatvizError: as `groups`.
    """
    rows = activation.reshape(-1, activation.shape[-1])
    if count > min(rows.shape):
        raise FeatvizError(
            f"`count` is {count}; {layer} has {rows.shape[0]} positions and {rows.shape[1]} units, and no more groups"
        )
    sign = -1.0 if rows.max() <= 0 else 1.0
    s, f = nmf(sign * rows, count) if (sign * rows).min() >= 0 else semi_nmf(rows, count)
    f = sign * f
    lengths = np.maximum(np.linalg.norm(f, axis=1), np.finfo(np.float32).tiny)
    spatial, directions = (s * lengths).T.reshape(count, *activation.shape[:-1]), f / lengths[:, None]
    order = np.argsort([_column(weights) for weights in spatial], kind="stable")
    spatial, directions = spatial[order].astype(np.float32), directions[order].astype(np.float32)
    rest = rows - (spatial.reshape(count, -1).T @ directions)
    explained = 1.0 - float((rest**2).sum() / max(float((rows**2).sum()), 1e-30))
    attributions = effects = np.zeros(0, np.float32)
    if objective is not None:
        check_method(method)
        chosen = Relevance() if method is None else method
        if not tells_groups(chosen):
            raise FeatvizError(
                f"`method` is {chosen.name}, which tells no groups apart; expected another, such as relevance"
            )
        check_layer(model, layer, objective, pixels.shape[:2])
        args = (model.weights, objective, jnp.asarray(pixels), jnp.asarray(spatial), jnp.asarray(directions))
        options = few_runs_options(jax.default_backend(), quick=quick)
        program = compiled(
            _attribute_groups, *args, owner=model.apply, options=options, apply=model.apply, layer=layer, method=chosen
        )
        attributions, lost = (np.asarray(value) for value in program(*args))
        effects = -lost[:-1]
    return Groups(layer, spatial, directions, explained, attributions, effects)


def tells_groups(method: Method) -> bool:
    """Whether a method divides a score among groups: parts of an activation, as units of a new layer."""
    return method.per_unit and method.by_activation


def _column(weights: Float[np.ndarray, "..."]) -> int:
    """The column where a group is strongest; the position of a token or of a plain layer."""
    return int(weights.max(0).argmax()) if weights.ndim == 2 else int(weights.argmax()) if weights.ndim else 0


@jax.jit
def _attribute_groups(
    weights: Weights,
    objective: Objective,
    image: Float[Array, "h w c"],
    spatial: Float[Array, "n ..."],
    directions: Float[Array, "n units"],
    *,
    apply: Apply,
    layer: str,
    method: Method,
) -> Any:
    """The attributions of groups and of what they leave, and the score that each loses alone: units of a new layer."""

    ruled = make_problem(apply, layer, weights, objective, image, None, rules=method.rules)
    plain = without_rules(ruled, apply, layer, weights, objective)
    shares = method.attribute(grouped_problem(ruled, spatial, directions))
    return shares, Ablation().attribute(grouped_problem(plain, spatial, directions))


def grouped_problem(problem: Problem, spatial: Float[Array, "n ..."], directions: Float[Array, "n units"]) -> Problem:
    """The same score as a function of how much there is of each group, and of what they leave."""
    parts = spatial[..., None] * directions.reshape(len(directions), *[1] * (spatial.ndim - 1), -1)
    parts = jnp.concatenate([parts, (problem.activation - parts.sum(0))[None]])

    def score(shares: Array, image: Array) -> Array:
        return problem.score(jnp.tensordot(shares, parts, 1), image)

    ones = jnp.ones(len(parts), jnp.float32)
    return Problem(score, lambda image: ones, image=problem.image, activation=ones, baseline=jnp.zeros_like(ones))
