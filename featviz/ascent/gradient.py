"""The gradient of one step: views of the image, the network, the objective, penalty and fidelity."""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Key, PyTree

from featviz.ascent.prior_step import directed
from featviz.ascent.routine import Lane, Routine, StepWeights, images_of, network_weights
from featviz.gradients.redirect import redirected_gelu, redirected_relu
from featviz.gradients.rules import rules_for, run_with_rules
from featviz.model import IMAGE, Activations, Weights
from featviz.objectives import Objective
from featviz.parameterizations import extra_channels
from featviz.regularizers import compose
from featviz.regularizers.fidelity import balance, distance


class StepGradient(NamedTuple):
    """The score of a step, and its gradients with respect to the image and to the parameters.

    `image_gradient` is that of objective and penalty alone, `gradient` includes fidelity, or the prior.
    """

    score: Float[Array, ""]
    image_gradient: Float[Array, "n h w c"]
    gradient: PyTree[Float[Array, "..."]]
    balance: Float[Array, ""] | None
    carried: Float[Array, "n h w c"] | None


class Redirect(NamedTuple):
    """Whether silent ReLUs get a redirected gradient in this step, and whether the last step had no gradient at all."""

    active: Bool[Array, ""]
    silent: Bool[Array, ""]


def step_gradient(
    routine: Routine,
    weights: Weights | StepWeights,
    penalty: Objective | None,
    objective: Objective,
    lane: Lane,
    progress: Float[Array, ""],
) -> StepGradient:
    """The gradient of one lane's objective, penalty, fidelity and prior with respect to its parameters."""
    network = network_weights(routine, weights)
    early = lane.step < routine.redirect_steps
    redirect = Redirect(early, early & lane.silent) if routine.redirect_steps else None
    layers = objective.layers + (penalty.layers if penalty is not None else ())
    key = jax.random.fold_in(lane.key, lane.step)

    def total_of(image: Float[Array, "n h w c"], activations: Activations) -> tuple[Float[Array, ""], Float[Array, ""]]:
        score = jnp.mean(_by_group(routine, objective, activations))
        total = score
        if extra_channels(routine.parameterization):
            # Transparency is rewarded (Mordvintsev et al. 2018).
            total = score * (1.0 - jnp.mean(image[..., -1]))
        return (total if penalty is None else total + jnp.mean(_by_group(routine, penalty, activations))), score

    image, pull_back = jax.vjp(lambda params: images_of(routine, params, lane.kept), lane.params)
    if routine.fidelity is None:

        def total_and_score(image: Float[Array, "n h w c"]) -> tuple[Float[Array, ""], Float[Array, ""]]:
            views = _views(routine, key, image, progress)
            return total_of(image, activations_of(routine, network, views, layers, redirect=redirect))

        (_, score), image_gradient = jax.value_and_grad(total_and_score, has_aux=True)(image)
        direction, carried = directed(routine, weights, lane, image, image_gradient, progress)
        (gradient,) = pull_back(direction)
        return StepGradient(score, image_gradient, gradient, None, carried)

    assert lane.anchor is not None
    assert lane.balance is not None
    fidelity_layers = routine.fidelity.layers(objective)
    anchor_views = _views(routine, key, lane.anchor, progress, other_noise=True)
    anchor_activations = activations_of(routine, network, anchor_views, fidelity_layers, redirect=None)

    def total_and_distance(
        image: Float[Array, "n h w c"],
    ) -> tuple[tuple[Float[Array, ""], Float[Array, ""]], Float[Array, ""]]:
        views = _views(routine, key, image, progress)
        activations = activations_of(routine, network, views, (*layers, *fidelity_layers), redirect=redirect)
        total, score = total_of(image, activations)
        return (total, distance(activations, anchor_activations, fidelity_layers)), score

    _, pull_image, score = jax.vjp(total_and_distance, image, has_aux=True)
    one, zero = jnp.ones((), jnp.float32), jnp.zeros((), jnp.float32)
    # Two gradients: the balance compares them, and an attribution is the objective's alone.
    (image_gradient,), (distance_image_gradient,) = pull_image((one, zero)), pull_image((zero, one))
    (gradient,), (distance_gradient,) = pull_back(image_gradient), pull_back(distance_image_gradient)
    new_balance = balance(lane.balance, gradient, distance_gradient)
    factor = routine.fidelity.weight * new_balance
    gradient = jax.tree.map(lambda ascent, departure: ascent - factor * departure, gradient, distance_gradient)
    return StepGradient(score, image_gradient, gradient, new_balance, None)


def _views(
    routine: Routine,
    key: Key[Array, ""],
    image: Float[Array, "n h w c"],
    progress: Float[Array, ""],
    *,
    other_noise: bool = False,
) -> Float[Array, "views h2 w2 c2"]:
    """`samples` transformed views of each image of the group."""
    transform = compose(routine.transforms, other_noise=other_noise)
    count = routine.samples * image.shape[0]
    keys = jax.vmap(lambda view: jax.random.fold_in(key, view))(jnp.arange(count))
    copies = jnp.concatenate([image] * routine.samples) if routine.samples > 1 else image
    return jax.vmap(lambda key, image: transform(key, image, progress))(keys, copies)


def _by_group(routine: Routine, objective: Objective, activations: Activations) -> Float[Array, "*views"]:
    """The objective of each view, a group at a time: it compares the images of a group, but not the samples."""
    if routine.samples == 1 or routine.shape[0] == 1:
        return objective(activations)
    split = {
        name: value.reshape(routine.samples, routine.shape[0], *value.shape[1:]) for name, value in activations.items()
    }
    return jax.vmap(objective)(split)


def activations_of(
    routine: Routine,
    weights: Weights,
    images: Float[Array, "n h w c"],
    layers: tuple[str, ...],
    *,
    redirect: Redirect | None,
) -> Activations:
    """The activations of layers, with the gradient rules applied.

    Unless `redirect` is None, silent ReLUs get a redirected gradient while it says so, and last GELUs always do.
    """
    weights, inputs = jax.tree.map(partial(_cast, routine), (weights, images))
    rules = rules_for(jax.default_backend())
    extra = (
        ()
        if redirect is None
        else (redirected_relu(redirect.active, silent=redirect.silent), redirected_gelu(rules=rules))
    )
    activations = run_with_rules(routine.apply, weights, inputs, layers, extra_rules=extra)
    return {name: value.astype(jnp.float32) for name, value in activations.items()} | {IMAGE: images}


def _cast(routine: Routine, leaf: jax.Array) -> jax.Array:
    """A leaf of float32 in the routine's dtype; any other unchanged."""
    return leaf.astype(routine.dtype) if leaf.dtype == jnp.float32 else leaf
