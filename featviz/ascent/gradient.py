"""The gradient of one step: views of the picture, the network, the objective, what holds it back."""

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from featviz.ascent.routine import Lane, Routine
from featviz.gradients.redirect import redirected_gelu, redirected_relu
from featviz.gradients.rules import run_with_rules
from featviz.model import IMAGE, Activations, Weights
from featviz.objectives import Objective
from featviz.parameterizations import extra_channels
from featviz.regularizers import compose
from featviz.regularizers.fidelity import balance, distance


class StepGradient(NamedTuple):
    """What one step knows: the score, the objective's slope by image, the gradient to climb, fidelity's balance."""

    score: jax.Array
    slope: jax.Array
    gradient: Any
    balance: jax.Array | None


def step_gradient(
    routine: Routine,
    weights: Weights,
    penalty: Objective | None,
    objective: Objective,
    lane: Lane,
    progress: jax.Array,
) -> StepGradient:
    """The gradient of one lane's objective, penalty and fidelity by its parameters."""
    active = lane.step < routine.redirect_steps if routine.redirect_steps else None
    layers = objective.layers + (penalty.layers if penalty is not None else ())
    key = jax.random.fold_in(lane.key, lane.step)

    def total_of(image: jax.Array, activations: Activations) -> tuple[jax.Array, jax.Array]:
        score = jnp.mean(_by_group(routine, objective, activations))
        total = score
        if extra_channels(routine.parameterization):
            # Alpha is where it pays (Mordvintsev et al. 2018).
            total = score * (1.0 - jnp.mean(image[..., -1]))
        return (total if penalty is None else total + jnp.mean(_by_group(routine, penalty, activations))), score

    image, pull_back = jax.vjp(lambda params: routine.parameterization.to_image(params, routine.shape), lane.params)
    if routine.fidelity is None:

        def score_of(image: jax.Array) -> tuple[jax.Array, jax.Array]:
            views = _views(routine, key, image, progress)
            return total_of(image, activations_of(routine, weights, views, layers, active=active))

        (_, score), slope = jax.value_and_grad(score_of, has_aux=True)(image)
        (gradient,) = pull_back(slope)
        return StepGradient(score, slope, gradient, None)

    assert lane.anchor is not None
    assert lane.balance is not None
    held = routine.fidelity.layers(objective)
    begun = _views(routine, key, lane.anchor, progress, other_noise=True)
    wanted = activations_of(routine, weights, begun, held, active=None)

    def score_and_distance(image: jax.Array) -> tuple[tuple[jax.Array, jax.Array], jax.Array]:
        views = _views(routine, key, image, progress)
        activations = activations_of(routine, weights, views, (*layers, *held), active=active)
        total, score = total_of(image, activations)
        return (total, distance(activations, wanted, held)), score

    _, pull_views, score = jax.vjp(score_and_distance, image, has_aux=True)
    one, none = jnp.ones((), jnp.float32), jnp.zeros((), jnp.float32)
    # Apart, for the balance compares them, and an attribution is the objective's alone.
    (slope,), (far,) = pull_views((one, none)), pull_views((none, one))
    (gradient,), (away,) = pull_back(slope), pull_back(far)
    weighed = balance(lane.balance, gradient, away)
    factor = routine.fidelity.weight * weighed
    gradient = jax.tree.map(lambda climb, leave: climb - factor * leave, gradient, away)
    return StepGradient(score, slope, gradient, weighed)


def _views(
    routine: Routine, key: jax.Array, image: jax.Array, progress: jax.Array, *, other_noise: bool = False
) -> jax.Array:
    """`samples` transformed views of each image of the group: (samples * n, h', w', c)."""
    transform = compose(routine.transforms, other_noise=other_noise)
    count = routine.samples * image.shape[0]
    keys = jax.vmap(lambda number: jax.random.fold_in(key, number))(jnp.arange(count))
    copies = jnp.concatenate([image] * routine.samples) if routine.samples > 1 else image
    return jax.vmap(lambda key, image: transform(key, image, progress))(keys, copies)


def _by_group(routine: Routine, objective: Objective, activations: Activations) -> jax.Array:
    """The objective of each view, a group at a time: a group's images look at one another, its samples do not."""
    if routine.samples == 1 or routine.shape[0] == 1:
        return objective(activations)
    split = {
        name: value.reshape(routine.samples, routine.shape[0], *value.shape[1:]) for name, value in activations.items()
    }
    return jax.vmap(objective)(split)


def activations_of(
    routine: Routine, weights: Weights, images: jax.Array, layers: tuple[str, ...], *, active: jax.Array | None
) -> Activations:
    """The named activations, with the gradient rules applied.

    `active` redirects silent ReLUs; where there is redirection at all, GELUs and their kind as well.
    """
    weights, seen = jax.tree.map(partial(_cast, routine), (weights, images))
    redirect = () if active is None else (redirected_relu(active), redirected_gelu())
    activations = run_with_rules(routine.apply, weights, seen, layers, more=redirect)
    return {name: value.astype(jnp.float32) for name, value in activations.items()} | {IMAGE: images}


def _cast(routine: Routine, leaf: jax.Array) -> jax.Array:
    """A leaf of float32 in the routine's dtype; any other as it is."""
    return leaf.astype(routine.dtype) if leaf.dtype == jnp.float32 else leaf
