"""The network behind a layer: an objective as a function of the layer's activations."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from featviz.common.kept import kept_with_owner
from featviz.gradients.rules import rules_for
from featviz.model import IMAGE, Apply, Weights
from featviz.model.editable import Editable, add_edits
from featviz.model.edits import Selection, StandIn
from featviz.objectives import Objective
from featviz.tracing.dependence import dependents, unroll_dependent_scans
from featviz.tracing.evaluation import Rule, evaluate
from featviz.tracing.program import Program, Value, trace

# An activation of one image, without the axis of images.
Activation = Float[Array, "*positions units"]
# Gradient rules for a program, in which the values given depend on the layer.
RuleMaker = Callable[[Program, set[Value]], Sequence[Rule]]


class Problem(NamedTuple):
    """What is attributed: one image's score, as a function of a layer.

    Attributes:
        score: The objective, a function of the layer's activation and of the image, which what goes around the layer
            is computed from.
        observe: The layer's activation for an image.
        image: The image, (height, width, channels).
        activation: The layer's activation for it.
        baseline: What the layer is where nothing is to be seen.
    """

    score: Callable[[Activation, Float[Array, "h w c"]], Float[Array, ""]]
    observe: Callable[[Float[Array, "h w c"]], Activation]
    image: Float[Array, "h w c"]
    activation: Activation
    baseline: Activation

    @property
    def function(self) -> Callable[[Activation], Float[Array, ""]]:
        """The score as a function of the layer's activation alone."""
        return lambda activation: self.score(activation, self.image)


def make_problem(
    apply: Apply,
    layer: str,
    weights: Weights,
    objective: Objective,
    image: Float[Array, "h w c"],
    baseline: Activation | None,
    *,
    rules: RuleMaker | None = None,
) -> Problem:
    """An objective of one image as a function of a layer's activation.

    Args:
        apply: The network.
        layer: The layer, or `IMAGE`.
        weights: The network's weights.
        objective: What is attributed.
        image: The image.
        baseline: The layer's baseline, by default zeros.
        rules: Gradient rules for the part behind the layer.
    """

    def observe(image: Float[Array, "h w c"]) -> Activation:
        return image if layer == IMAGE else apply(weights, image[None], layers=(layer,))[layer][0]

    activation = observe(image)
    start = jnp.zeros_like(activation) if baseline is None else baseline
    return Problem(_score_function(apply, layer, weights, objective, rules), observe, image, activation, start)


def without_rules(problem: Problem, apply: Apply, layer: str, weights: Weights, objective: Objective) -> Problem:
    """A problem with the network's own gradients; the network is not traced again for the layer's activation."""
    return problem._replace(score=_score_function(apply, layer, weights, objective, None))


def _score_function(
    apply: Apply, layer: str, weights: Weights, objective: Objective, rules: RuleMaker | None
) -> Callable[[Activation, Float[Array, "h w c"]], Float[Array, ""]]:
    def score(activation: Activation, image: Float[Array, "h w c"]) -> Float[Array, ""]:
        return _evaluate(lambda *args: _score(apply, layer, *args), (weights, objective, image), activation, rules)

    return score


def _score(
    apply: Apply, layer: str, weights: Weights, objective: Objective, image: Float[Array, "h w c"], h: Activation
) -> Float[Array, ""]:
    if layer == IMAGE:
        return objective(apply(weights, h[None], layers=objective.layers))[0]
    assert isinstance(apply, Editable)
    patched, patched_weights = add_edits(apply, weights, {layer: [StandIn(Selection(), h)]})
    return objective(patched(patched_weights, image[None], layers=objective.layers))[0]


def _evaluate(
    function: Callable[..., jax.Array], args: Any, activation: Activation, rules: RuleMaker | None
) -> Float[Array, ""]:
    """`function(*args, activation)` with the backend's faster gradients, and with rules of its own."""
    leaves, structure = jax.tree.flatten((*args, activation))
    program, _ = trace(lambda *leaves: function(*jax.tree.unflatten(structure, leaves)), *leaves)
    given: Sequence[Rule] = ()
    if rules is not None:
        source = program.inputs[-1:]
        program = unroll_dependent_scans(program, source)
        given = rules(program, dependents(program, source))
    (score,) = evaluate(program, leaves, program.outputs, rules=(*given, *rules_for(jax.default_backend())))
    return score


def is_behind(apply: Apply, layer: str, weights: Weights, objective: Objective, image: jax.ShapeDtypeStruct) -> bool:
    """Whether the objective is computed from the layer; nothing is computed, and a network is traced once for it."""
    leaves, structure = jax.tree.flatten(jax.eval_shape(lambda *given: given, weights, objective, image))
    return _is_behind(apply, layer, tuple(leaves), structure)


@kept_with_owner(maxsize=64)
def _is_behind(
    apply: Apply, layer: str, leaves: tuple[jax.ShapeDtypeStruct, ...], structure: jax.tree_util.PyTreeDef
) -> bool:
    weights, objective, image = jax.tree.unflatten(structure, leaves)
    h = jax.eval_shape(lambda w, x: make_problem(apply, layer, w, objective, x, None).activation, weights, image)
    program, _ = trace(lambda *args: _score(apply, layer, *args), weights, objective, image, h)
    return program.outputs[0] in dependents(program, program.inputs[-1:])
