"""How far an attribution is to be trusted: against ablation, by deletion and insertion, and with other weights."""

from dataclasses import dataclass, replace

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from featviz.attribution.attribute import Attribution, attribute
from featviz.attribution.behind import make_problem
from featviz.attribution.effects import unit_effects
from featviz.common.compilation import compiled
from featviz.errors import FeatvizError
from featviz.model import Apply, Model, Weights
from featviz.model.edits import EditedWeights
from featviz.objectives import Objective

# Shares of the units that are deleted or inserted.
SHARES = (0.0, 0.02, 0.05, 0.1, 0.2, 0.35, 0.5, 0.75, 1.0)
# Below it a method ranks units hardly better than chance, or ranks them alike under random weights.
LOW, ALIKE = 0.3, 0.5


@dataclass(frozen=True)
class Faithfulness:
    """What the attribution of one photo was measured to be worth.

    Attributes:
        correlation: Of the units' attributions with the score that each loses when it alone is ablated.
        deletion: The area under the score as the units go, most supporting first, over the range between the whole and
            the empty layer: low is good.
        insertion: The same as they come: high is good.
        random: The area for units in random order.
        randomized: The rank correlation with the attribution under shuffled weights; near 0 is right.
    """

    correlation: float
    deletion: float
    insertion: float
    random: float
    randomized: float

    @property
    def faults(self) -> tuple[str, ...]:
        """What it fails, in sentences."""
        found = []
        if not self.correlation >= LOW:
            found.append("its units are hardly those whose ablation changes the score")
        if not self.deletion < self.random:
            found.append("deleting its units is no better than deleting any")
        if abs(self.randomized) > ALIKE:
            found.append("it hardly depends on the network's weights")
        return tuple(found)

    def lines(self) -> list[tuple[str, str]]:
        """Names and values, as pages and terminals show them."""
        named = [
            ("correlation with ablation", self.correlation, "1 is best"),
            ("deletion", self.deletion, f"units in random order {self.random:.2f}, lower is better"),
            ("insertion", self.insertion, "higher is better"),
            ("under shuffled weights", self.randomized, "0 is right"),
        ]
        rows = [(name, f"{value:.2f} ({meaning})") for name, value, meaning in named]
        return [*rows, ("fails", "; ".join(self.faults))] if self.faults else rows


def faithfulness(
    model: Model, why: Attribution, photo: Float[np.ndarray, "h w c"], objective: Objective
) -> Faithfulness:
    """Measures the attribution of one photo to a layer's units; what is ablated or deleted becomes its baseline.

    Args:
      model: the network.
      why: the attribution.
      photo: its photo.
      objective: its objective.

    Raises:
      FeatvizError: for an attribution of several images, or by a method that does not tell units apart.

    >>> import featviz as fv
    >>> model, photo = fv.load("patterns"), np.random.default_rng(0).random((64, 64, 3), np.float32)
    >>> why = fv.attribute(model, photo, fv.logit(3), layer="mixed4a")
    >>> 0.3 < faithfulness(model, why, photo, fv.logit(3)).correlation <= 1
    True
    """
    if len(why.values) != 1:
        raise FeatvizError(f"`why` is of {len(why.values)} images; expected the attribution of one")
    if not why.method.per_unit:
        raise FeatvizError(f"`why` is by {why.method.name}, which does not tell units apart; expected another method")
    values = why.units[0]
    lost = -unit_effects(model, photo, objective, why.layer, range(len(values)), baseline=why.baseline)
    order = np.argsort(-values, kind="stable")
    shuffled = np.random.default_rng(0).permutation(len(values))
    shuffled_model = _shuffled(model)
    other = attribute(
        shuffled_model, photo, objective, layer=why.layer, method=why.method, baseline=why.baseline
    ).units[0]
    return Faithfulness(
        correlation=_correlation(values, lost),
        deletion=_area(model, why, photo, objective, order, insert=False),
        insertion=_area(model, why, photo, objective, order, insert=True),
        random=_area(model, why, photo, objective, shuffled, insert=False),
        randomized=_rank_correlation(values, other),
    )


def _area(
    model: Model, why: Attribution, photo: np.ndarray, objective: Objective, order: np.ndarray, *, insert: bool
) -> float:
    """The mean of the score over the share of units gone or there, from the empty layer's, in units of its range."""
    ranks = np.empty(len(order), np.int32)
    ranks[order] = np.arange(len(order))
    counts = np.array([round(share * len(order)) for share in SHARES])
    masks = ranks[None] < counts[:, None]
    masks = masks if insert else ~masks
    baseline = jnp.asarray(why.baseline, jnp.float32)
    args = (model.weights, objective, jnp.asarray(photo), jnp.asarray(masks), baseline)
    program = compiled(_masked, *args, owner=model.apply, apply=model.apply, layer=why.layer)
    scores = np.asarray(program(*args), np.float64)
    empty, whole = (scores[0], scores[-1]) if insert else (scores[-1], scores[0])
    # Of a score that the layer lowers, too, what is low after a deletion is good.
    span = abs(whole - empty)
    if span < 1e-6 * max(1.0, abs(whole)):
        return float("nan")
    return float(np.trapezoid((scores - empty) / span, SHARES))


@jax.jit
def _masked(
    weights: Weights,
    objective: Objective,
    image: Float[Array, "h w c"],
    masks: Bool[Array, "masks units"],
    baseline: Float[Array, "..."],
    *,
    apply: Apply,
    layer: str,
) -> Float[Array, " masks"]:
    problem = make_problem(apply, layer, weights, objective, image, None)

    def score(mask: Array) -> Array:
        return problem.function(jnp.where(mask, problem.activation, baseline))

    return jax.lax.map(score, masks)


def _shuffled(model: Model) -> Model:
    """The network with the entries of each of its arrays shuffled (Adebayo et al. 2018), its edits as they are."""
    rng = np.random.default_rng(0)

    def shuffle(leaf: Array) -> Array:
        array = np.asarray(leaf)
        # Statistics of normalizations have one axis: shuffled they would scale by other units' variances.
        return jnp.asarray(rng.permutation(array.reshape(-1)).reshape(array.shape)) if array.ndim > 1 else leaf

    weights = model.weights
    if isinstance(weights, EditedWeights):
        return replace(model, weights=weights._replace(network=jax.tree.map(shuffle, weights.network)))
    return replace(model, weights=jax.tree.map(shuffle, weights))


def _correlation(a: np.ndarray, b: np.ndarray) -> float:
    if np.std(a) == 0 or np.std(b) == 0:
        return float("nan")
    return float(np.corrcoef(a, b)[0, 1])


def _rank_correlation(a: np.ndarray, b: np.ndarray) -> float:
    """The correlation of ranks; equal values share the mean of theirs, so that ties are not agreement."""
    from scipy.stats import rankdata

    return _correlation(rankdata(a), rankdata(b))
