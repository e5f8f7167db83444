"""Attribution: how much of a score each unit and position of a layer is answerable for."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from featviz.attribution.behind import is_behind, make_problem, without_rules
from featviz.attribution.methods import Method, Relevance, check_method
from featviz.common.compilation import compiled, few_runs_options
from featviz.errors import FeatvizError
from featviz.model import IMAGE, Apply, Model, Weights, shapes_at
from featviz.model.editable import Editable
from featviz.objectives import Objective
from featviz.objectives.base import Term
from featviz.pictures.picture import Picture
from featviz.rendering.checks import check_image, check_objectives, require_objective


@dataclass(frozen=True)
class Attribution:
    """What a layer's units and positions contribute to a score, for each of n images.

    Attributes:
        layer: The layer.
        label: The objective's label.
        method: The method.
        values: (n, *positions, units); an axis that the method does not tell apart has one element.
        activations: The layer's activations, (n, *positions, units).
        scores: The objective of each image.
        baseline_scores: The objective of each image with the layer at its baseline.
        baseline: The layer where nothing is to be seen: a number, or an array of its shape.
    """

    layer: str
    label: str
    method: Method
    values: Float[np.ndarray, "n *positions units"]
    activations: Float[np.ndarray, "n *positions units"]
    scores: Float[np.ndarray, " n"]
    baseline_scores: Float[np.ndarray, " n"]
    baseline: Float[np.ndarray, "*positions units"] | float = 0.0

    def __repr__(self) -> str:
        count = len(self.values)
        return f"<Attribution of {self.label} to {self.layer} by {self.method.name}, {count} image{'s' * (count != 1)}>"

    @property
    def units(self) -> Float[np.ndarray, "n units"]:
        """The attribution of each unit, a sum over positions."""
        return self.values.sum(tuple(range(1, self.values.ndim - 1)))

    @property
    def positions(self) -> Float[np.ndarray, "n ..."]:
        """The attribution of each position, a sum over units."""
        return self.values.sum(-1)

    @property
    def completeness_error(self) -> Float[np.ndarray, " n"]:
        """|sum of attributions - (score - baseline's score)|, as a fraction of the latter difference.

        NaN for conductance, which takes its path from a black image and not from the baseline.
        """
        if not self.method.by_activation:
            return np.full(len(self.values), np.nan)
        total = self.values.reshape(len(self.values), -1).sum(-1, dtype=np.float64)
        difference = self.scores.astype(np.float64) - self.baseline_scores
        return np.abs(total - difference) / np.maximum(np.abs(difference), np.finfo(np.float32).tiny)

    def top(self, count: int, *, image: int = 0) -> list[tuple[int, float]]:
        """The units with the largest attributions of an image, with these; with a negative count the smallest."""
        units = self.units[image]
        order = np.argsort(-units if count > 0 else units, kind="stable")[: abs(count)]
        return [(int(unit), float(units[unit])) for unit in order]


def attribute(
    model: Model,
    images: np.ndarray | Picture | Sequence[np.ndarray | Picture],
    objective: Objective,
    *,
    layer: str,
    method: Method | None = None,
    baseline: Float[np.ndarray, "*positions units"] | float = 0.0,
    quick: bool = False,
) -> Attribution:
    """Divides the score of each image among the units and positions of a layer.

    Args:
      model: the network, edited or not.
      images: one image (height, width, channels) in [0,1], a Picture, or a list of them of one size.
      objective: what is explained, such as `fv.logit(5)`, or `fv.logit(5) - fv.logit(7)` for a decision between two.
      layer: the name of a layer that the objective is computed from, or `<image>`.
      method: one of the room `fv.attribution`, by default `Relevance()`.
      baseline: the layer where nothing is to be seen, by which each value is measured: a number, or an array of the
        layer's shape, such as its mean over photographs. Conductance has none.
      quick: whether the program is compiled sooner and runs slower, which pays for fewer than about 30 images.

    Returns:
      The attributions of each image, in its order.

    Raises:
      FeatvizError: for an unknown layer, one that the objective is not computed from, an output that the network lacks,
        a method that is none, images of several sizes, or an image of the wrong shape or range.

    >>> import featviz as fv
    >>> photo = np.random.default_rng(0).random((64, 64, 3), np.float32)
    >>> method = fv.attribution.IntegratedPath()
    >>> why = fv.attribute(fv.load("patterns"), photo, fv.logit(3), layer="mixed3a", method=method)
    >>> why.units.shape, bool(why.completeness_error[0] < 0.01)
    ((1, 48), True)
    """
    check_method(method)
    method = Relevance() if method is None else method
    given: list[Any] = list(images) if isinstance(images, list | tuple) else [images]
    pixels = [check_image("images", image, model) for image in given]
    if not pixels:
        raise FeatvizError("`images` is empty; expected an image, or a list of them")
    if len({image.shape for image in pixels}) > 1:
        raise FeatvizError("`images` are of several sizes; expected one size")
    check_layer(model, layer, objective, pixels[0].shape[:2])
    shape = pixels[0].shape if layer == IMAGE else shapes_at(model, (layer,), pixels[0].shape[:2])[layer]
    if np.ndim(baseline) and np.shape(baseline) != shape:
        raise FeatvizError(f"`baseline` has shape {np.shape(baseline)}; expected a number, or {shape} as {layer} has")
    start = np.broadcast_to(np.asarray(baseline, np.float32), shape)
    rows = [run_method(model, image, objective, layer, method, start, quick=quick) for image in pixels]
    values, activations, scores, baseline_scores = (np.stack(column) for column in zip(*rows, strict=True))
    return Attribution(layer, objective.label, method, values, activations, scores, baseline_scores, baseline)


def check_layer(model: Model, layer: str, objective: Objective, size: tuple[int, int]) -> None:
    """Refuses what cannot be attributed to a layer.

    Raises:
      FeatvizError: for an unknown layer, an objective that does not fit the network, a layer that the objective is not
        computed from, or an objective that is zero because its terms cancel.
    """
    require_objective("objective", objective)
    check_objectives(model, [objective], (1, *size, model.input.channels))
    if layer != IMAGE:
        model.layer(layer)
        if not isinstance(model.apply, Editable):
            raise FeatvizError(f"{model.name} cannot be cut at a layer; expected a network that an adapter made")
    totals: dict[Hashable, float] = {}
    for term, weight in zip(objective.terms, objective.weights, strict=True):
        key = _identity(term)
        totals[key] = totals.get(key, 0.0) + float(weight)
    if not any(totals.values()):
        raise FeatvizError(f"`objective` is {objective.label}, which is zero; expected two different terms")
    weights = jax.eval_shape(lambda weights: weights, model.weights)
    image = jax.ShapeDtypeStruct((*size, model.input.channels), jnp.float32)
    if not is_behind(model.apply, layer, weights, objective, image):
        read = " and ".join("the output" if name.startswith("<output") else f"`{name}`" for name in objective.layers)
        raise FeatvizError(f"`layer` is `{layer}`, which {read} is not computed from; expected a layer before it")


def _identity(term: Term) -> Hashable:
    """What is equal for equal terms; labels leave out vectors, which are leaves."""
    leaves, structure = jax.tree.flatten(term)
    return structure, tuple((np.shape(leaf), np.asarray(leaf).tobytes()) for leaf in leaves)


def run_method(
    model: Model,
    image: Float[np.ndarray, "h w c"],
    objective: Objective,
    layer: str,
    method: Method,
    baseline: Float[np.ndarray, "*positions units"],
    *,
    quick: bool,
) -> tuple[np.ndarray, ...]:
    """The attributions, activations, score and baseline's score of one image, by a program kept with the network."""
    args = (model.weights, objective, jnp.asarray(image), jnp.asarray(baseline))
    options = few_runs_options(jax.default_backend(), quick=quick)
    program = compiled(
        _attribute, *args, owner=model.apply, options=options, apply=model.apply, layer=layer, method=method
    )
    return tuple(np.asarray(value) for value in program(*args))


@jax.jit
def _attribute(
    weights: Weights,
    objective: Objective,
    image: Float[Array, "h w c"],
    baseline: Float[Array, "*positions units"],
    *,
    apply: Apply,
    layer: str,
    method: Method,
) -> Any:
    problem = make_problem(apply, layer, weights, objective, image, baseline, rules=method.rules)
    values = method.attribute(problem)
    plain = without_rules(problem, apply, layer, weights, objective)
    # One trace of the network serves both.
    score, baseline_score = jax.lax.map(plain.function, jnp.stack([plain.activation, plain.baseline]))
    return values, problem.activation, score, baseline_score
