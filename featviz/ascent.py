"""The one loop: lanes of gradient ascent under `vmap`, steps under `lax.scan`, a chunk at a time."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax.sharding import Mesh, PartitionSpec

from featviz.gradients.redirect import redirected_relu
from featviz.gradients.rules import run_with_rules
from featviz.images import Parameterization, Shape, extra_channels
from featviz.model import IMAGE, Activations, Apply, Weights
from featviz.objectives import Objective
from featviz.regularizers import Fidelity, Transform, compose, over_grey
from featviz.regularizers.fidelity import balance, distance

# The version of what is computed: raised whenever a change here, or in what this stands on, changes pictures' bits.
VERSION = 1
# How a lane stands. Running lanes move; all others are frozen.
RUNNING, CONVERGED, OUT_OF_STEPS, NOT_FINITE = range(4)
# The axis of a mesh of devices over which lanes are spread.
LANES = "lanes"


@dataclass(frozen=True)
class Convergence:
    """When a score has stopped rising: the mean of `window` steps exceeds that of the `window` before by
    less than `tolerance` of its size, not before `patience` windows.

    Decided by each lane on its own step counter, so that neighbours and chunks cannot matter.
    """

    window: int = 32
    tolerance: float = 0.01
    patience: int = 3


@dataclass(frozen=True)
class Routine:
    """All that is compiled: hashable, without weights, units or seeds, which are arguments.

    `chunk` is the number of steps of one compiled call. It is 1 on a CPU, where XLA runs the convolutions of a loop's
    body two to four times slower than the same ones outside, and the call itself costs next to nothing. `shape` is
    (n, height, width, channels): n images of a group are optimized together, and group objectives look at all of them.
    """

    apply: Apply
    parameterization: Parameterization
    optimizer: Callable[[], optax.GradientTransformation]
    transforms: tuple[Transform, ...]
    shape: Shape
    samples: int = 1
    redirect_steps: int = 16
    convergence: Convergence | None = None
    chunk: int = 1
    dtype: str = "float32"
    transparency: bool = False
    fidelity: Fidelity | None = None


class Lane(NamedTuple):
    """One optimization; stacked over lanes, every leaf has a leading lane axis."""

    params: Any
    optimizer: Any  # the state of the optax transformation
    key: jax.Array  # typed key, folded with the step for each step's draws
    step: jax.Array  # int32: steps done
    status: jax.Array  # int32: RUNNING, CONVERGED, OUT_OF_STEPS, NOT_FINITE
    moved: jax.Array  # bool: whether any gradient was ever other than zero
    window_sum: jax.Array  # float32: sum of the scores of the window under way
    window_mean: jax.Array  # float32: mean of the last whole window
    attribution: jax.Array | None  # float32 (n, height, width): sum over steps of |d objective / d image|, where wanted
    anchor: jax.Array | None  # float32 (n, height, width, c): the image at the start, where fidelity is wanted
    balance: jax.Array | None  # float32: of the objective's gradient and fidelity's, 0 until it is decided


@partial(jax.jit, static_argnames="routine")
def start(routine: Routine, keys: jax.Array, images: jax.Array | None) -> Lane:
    """Fresh lanes from their keys, (lanes,), or from start images, (lanes, n, h, w, c)."""

    def one(key: jax.Array, image: jax.Array | None) -> Lane:
        if image is None:
            params = routine.parameterization.init(jax.random.fold_in(key, 0xFFFFFFFF), routine.shape)
        else:
            params = routine.parameterization.from_image(image)
        zero = jnp.zeros((), jnp.float32)
        number = jnp.zeros((), jnp.int32)
        state = routine.optimizer().init(params)
        attribution = jnp.zeros(routine.shape[:3], jnp.float32) if routine.transparency else None
        below = jnp.full((), -jnp.inf, jnp.float32)
        held = routine.fidelity is not None
        anchor = routine.parameterization.to_image(params, routine.shape) if held else None
        undecided = zero if held else None
        moved = jnp.zeros((), bool)
        return Lane(params, state, key, number, number, moved, zero, below, attribution, anchor, undecided)

    return jax.vmap(one, in_axes=(0, None if images is None else 0))(keys, images)


@partial(jax.jit, static_argnames=("routine", "mesh"), donate_argnames="lanes")
def advance(
    weights: Weights,
    objectives: Objective,
    penalty: Objective | None,
    steps: jax.Array,
    lanes: Lane,
    *,
    routine: Routine,
    mesh: Mesh,
) -> tuple[Lane, jax.Array]:
    """One chunk of steps of all lanes, and the scores of its steps, (chunk, lanes); nan where frozen.

    `objectives` are stacked over lanes; `penalty` is added to each; `steps`, a scalar int32, bounds each lane.
    The scores are without the penalty. Each device of the mesh runs its share of the lanes by a program of its
    own, the same whatever their number.
    """

    def share(
        weights: Weights, objectives: Objective, penalty: Objective | None, steps: jax.Array, lanes: Lane
    ) -> tuple[Lane, jax.Array]:
        step = jax.vmap(partial(_step, routine, weights, penalty, steps))
        if routine.chunk == 1:
            lanes, score = step(objectives, lanes)
            return lanes, score[None]
        return jax.lax.scan(lambda lanes, _: step(objectives, lanes), lanes, None, length=routine.chunk)

    lane, every = PartitionSpec(LANES), PartitionSpec()
    run = jax.shard_map(
        share,
        mesh=mesh,
        in_specs=(every, lane, every, every, lane),
        out_specs=(lane, PartitionSpec(None, LANES)),
        check_vma=False,  # networks of others need not say what varies over devices
    )
    return run(weights, objectives, penalty, steps, lanes)


@partial(jax.jit, static_argnames=("routine", "mesh"))
def finish(
    weights: Weights, objectives: Objective, lanes: Lane, *, routine: Routine, mesh: Mesh
) -> tuple[jax.Array, jax.Array]:
    """The images, (lanes, n, h, w, c), and the objectives on them without transforms, in float32, (lanes, n)."""
    exact = replace(routine, dtype="float32")

    def one(weights: Weights, objective: Objective, lane: Lane) -> tuple[jax.Array, jax.Array]:
        image = exact.parameterization.to_image(lane.params, exact.shape)
        seen = over_grey(image) if extra_channels(exact.parameterization) else image
        activations = _activations(exact, weights, seen, objective.layers, active=None)
        return image, objective(activations)

    lane, every = PartitionSpec(LANES), PartitionSpec()
    run = jax.shard_map(
        jax.vmap(one, in_axes=(None, 0, 0)),
        mesh=mesh,
        in_specs=(every, lane, lane),
        out_specs=lane,
        check_vma=False,
    )
    return run(weights, objectives, lanes)


@jax.jit
def refill(lanes: Lane, fresh: Lane, replaced: jax.Array) -> Lane:
    """`fresh` in the places where `replaced`, (lanes,) bool, says so; the same program for any of them."""

    def choose(old: jax.Array, new: jax.Array) -> jax.Array:
        return jnp.where(replaced.reshape(replaced.shape + (1,) * (new.ndim - 1)), new, old)

    return jax.tree.map(choose, lanes, fresh)


def _step(
    routine: Routine,
    weights: Weights,
    penalty: Objective | None,
    steps: jax.Array,
    objective: Objective,
    lane: Lane,
) -> tuple[Lane, jax.Array]:
    """One step of one lane."""
    progress = lane.step.astype(jnp.float32) / steps.astype(jnp.float32)
    rise = _rise(routine, weights, penalty, objective, lane, progress)
    # optax descends: the gradient of minus the score. It mixes dtypes, so strict promotion ends here.
    with jax.numpy_dtype_promotion("standard"):
        descent = jax.tree.map(jnp.negative, rise.gradient)
        rule = optax.with_extra_args_support(routine.optimizer())
        updates, state = rule.update(descent, lane.optimizer, lane.params, progress=progress, gradient=descent)
        params = optax.apply_updates(lane.params, updates)
    attribution = None if lane.attribution is None else lane.attribution + jnp.sum(jnp.abs(rise.slope), axis=-1)

    leaves = [*jax.tree.leaves(params), rise.score]
    finite = jnp.all(jnp.stack([jnp.all(jnp.isfinite(leaf)) for leaf in leaves]))
    moved = jnp.any(jnp.stack([jnp.any(leaf != 0) for leaf in jax.tree.leaves(rise.gradient)]))
    next_step = lane.step + 1
    converged, window_sum, window_mean = _converged(routine.convergence, lane, next_step, rise.score)
    status = jnp.where(next_step >= steps, OUT_OF_STEPS, jnp.where(converged, CONVERGED, RUNNING))
    after = Lane(
        params,
        state,
        lane.key,
        next_step,
        status,
        lane.moved | moved,
        window_sum,
        window_mean,
        attribution,
        lane.anchor,
        rise.balance,
    )

    running = (lane.status == RUNNING) & (lane.step < steps)
    kept = _where(running & finite, after, lane)
    # A lane that meets a nan keeps its last good picture.
    status = jnp.where(running & ~finite, NOT_FINITE, kept.status)
    return kept._replace(status=status), jnp.where(running, rise.score, jnp.nan)


class Rise(NamedTuple):
    """What one step knows: the score, the objective's slope by image, the gradient to climb, fidelity's balance."""

    score: jax.Array
    slope: jax.Array
    gradient: Any
    balance: jax.Array | None


def _rise(
    routine: Routine,
    weights: Weights,
    penalty: Objective | None,
    objective: Objective,
    lane: Lane,
    progress: jax.Array,
) -> Rise:
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
            return total_of(image, _activations(routine, weights, views, layers, active=active))

        (_, score), slope = jax.value_and_grad(score_of, has_aux=True)(image)
        (gradient,) = pull_back(slope)
        return Rise(score, slope, gradient, None)

    assert lane.anchor is not None
    assert lane.balance is not None
    held = routine.fidelity.layers(objective)
    begun = _views(routine, key, lane.anchor, progress, other_noise=True)
    wanted = _activations(routine, weights, begun, held, active=None)

    def score_and_distance(image: jax.Array) -> tuple[tuple[jax.Array, jax.Array], jax.Array]:
        views = _views(routine, key, image, progress)
        activations = _activations(routine, weights, views, (*layers, *held), active=active)
        total, score = total_of(image, activations)
        return (total, distance(activations, wanted, held)), score

    _, pull_views, score = jax.vjp(score_and_distance, image, has_aux=True)
    one, none = jnp.ones((), jnp.float32), jnp.zeros((), jnp.float32)
    # Apart, for the balance compares them, and an attribution is the objective's alone.
    (slope,), (far,) = pull_views((one, none)), pull_views((none, one))
    (gradient,), (away,) = pull_back(slope), pull_back(far)
    weighed = balance(lane.balance, gradient, away)
    factor = routine.fidelity.weight * weighed
    gradient = jax.tree.map(lambda rise, leave: rise - factor * leave, gradient, away)
    return Rise(score, slope, gradient, weighed)


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


def _activations(
    routine: Routine, weights: Weights, images: jax.Array, layers: tuple[str, ...], *, active: jax.Array | None
) -> Activations:
    """The named activations, with the gradient rules applied; `active` redirects silent ReLUs."""

    weights, seen = jax.tree.map(partial(_cast, routine), (weights, images))
    redirect = () if active is None else (redirected_relu(active),)
    activations = run_with_rules(routine.apply, weights, seen, layers, more=redirect)
    return {name: value.astype(jnp.float32) for name, value in activations.items()} | {IMAGE: images}


def _cast(routine: Routine, leaf: jax.Array) -> jax.Array:
    """A leaf of float32 in the routine's dtype; any other as it is."""
    return leaf.astype(routine.dtype) if leaf.dtype == jnp.float32 else leaf


def _converged(
    rule: Convergence | None, lane: Lane, next_step: jax.Array, score: jax.Array
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Whether the lane has stopped rising, and its running window."""
    if rule is None:
        return jnp.zeros((), bool), lane.window_sum, lane.window_mean
    total = lane.window_sum + score
    whole = next_step % rule.window == 0
    mean = total / rule.window
    small = mean - lane.window_mean < rule.tolerance * jnp.abs(mean)
    late = next_step >= rule.window * rule.patience
    return whole & small & late, jnp.where(whole, 0.0, total), jnp.where(whole, mean, lane.window_mean)


def _where(condition: jax.Array, new: Any, old: Any) -> Any:
    return jax.tree.map(lambda a, b: jnp.where(condition, a, b), new, old)
