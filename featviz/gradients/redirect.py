"""Redirected gradients, for images that a ReLU or a smooth relative has silenced (lucid; Mordvintsev et al. 2018)."""

from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool

from featviz.tracing.activation_functions import ActivationFunction, find_activation_functions
from featviz.tracing.evaluation import Replacement, Rule, cut, evaluate
from featviz.tracing.program import Program, Step, Value
from featviz.tracing.relu import find_relu

# Where these functions have their minimum: below it they rise again, towards zero, and mislead gradient ascent.
MINIMUM = {"gelu": -0.7518, "silu": -1.2785, "mish": -1.1924}


def redirected_relu(active: Bool[Array, ""]) -> Rule:
    """A rule that lets gradient through closed ReLUs, in images that would otherwise get none at all.

    Where all of an image's gradient through a ReLU is zero, it passes closed units too, but only in the direction
    that opens them: up below zero, down above an upper bound. An image is one index of the first axis: each image of
    a group and each transformed view by itself.

    Args:
      active: a scalar bool; while it is false the gradient is the ReLU's.

    References:
      lucid, misc/redirected_relu_grad.py.

    >>> import numpy as np
    >>> from featviz.tracing.evaluation import rewrite
    >>> closed = jax.make_jaxpr(jax.nn.relu)(np.zeros((1, 2), np.float32))
    >>> relu = rewrite(closed, [redirected_relu(jnp.array(True))])
    >>> jax.grad(lambda x: jnp.sum(relu(x)[0]))(jnp.array([[-1.0, -2.0]])).tolist()
    [[1.0, 1.0]]
    """

    def rule(program: Program, step: Step) -> Replacement | None:
        relu = find_relu(program, step)
        if relu is None or relu.input.aval.ndim == 0:
            return None
        function = _clip(jnp.inf if relu.upper is None else relu.upper)
        return Replacement((relu.input,), lambda x: (function(x, active),))

    return rule


def _clip(upper: float) -> Callable[[jax.Array, jax.Array], jax.Array]:
    """clip(x, 0, upper) whose gradient is redirected while `active`."""

    @jax.custom_vjp
    def clip(x: jax.Array, active: jax.Array) -> jax.Array:
        y = jnp.maximum(x, 0)
        return jnp.minimum(y, upper) if upper < jnp.inf else y

    def forward(x: jax.Array, active: jax.Array) -> tuple[jax.Array, tuple[jax.Array, jax.Array]]:
        return clip(x, active), (x, active)

    def backward(residual: tuple[jax.Array, jax.Array], g: jax.Array) -> tuple[jax.Array, None]:
        x, active = residual
        plain = jnp.where((x > 0) & (x < upper), g, 0)
        opening = jnp.where(x <= 0, jnp.maximum(g, 0), jnp.where(x >= upper, jnp.minimum(g, 0), g))
        silent = jnp.all(plain == 0, axis=tuple(range(1, x.ndim)), keepdims=True)
        return jnp.where(silent & active, opening, plain), None

    clip.defvjp(forward, backward)
    return clip


def redirected_gelu(*, rules: Sequence[Rule] = ()) -> Rule:
    """A rule that does the same for GELU, SiLU and Mish, in images all of whose gradient comes from where these fall.

    A unit whose input lies below the function's minimum, at -0.75 for GELU, rises towards zero when its input falls
    further: its gradient leads away from everything that excites it, and soon vanishes. Where all of an image's
    gradient goes to such units it passes as through a redirected closed ReLU; in all steps, as it is useless there.

    Args:
      rules: rules for the steps within the functions.

    >>> import numpy as np
    >>> from featviz.tracing.evaluation import rewrite
    >>> traced = jax.make_jaxpr(jax.nn.gelu)(np.zeros((1, 1), np.float32))
    >>> gelu = rewrite(traced, [redirected_gelu()])
    >>> jax.grad(lambda x: jnp.sum(gelu(x)[0]))(jnp.array([[-3.0]])).tolist()
    [[1.0]]
    """
    known: dict[Program, dict[Value, ActivationFunction]] = {}

    def rule(program: Program, step: Step) -> Replacement | None:
        if program not in known:
            smooth = (each for each in find_activation_functions(program) if each.kind in MINIMUM)
            known[program] = {each.output: each for each in smooth if each.input.aval.ndim > 0}
        activation = known[program].get(step.outputs[0])
        if activation is None:
            return None
        rest = cut(program, [activation.input])

        def function(x: jax.Array) -> jax.Array:
            (y,) = evaluate(rest, [None] * len(program.inputs) + [x], [activation.output], rules=rules)
            return y

        redirected = _redirect(function, MINIMUM[activation.kind])
        return Replacement((activation.input,), lambda x: (redirected(x),))

    return rule


def _redirect(function: Callable[[jax.Array], jax.Array], minimum: float) -> Callable[[jax.Array], jax.Array]:
    """A function that falls until `minimum`, with its gradient redirected below it."""

    @jax.custom_vjp
    def redirected(x: jax.Array) -> jax.Array:
        return function(x)

    def forward(x: jax.Array) -> tuple[jax.Array, jax.Array]:
        return function(x), x

    def backward(x: jax.Array, g: jax.Array) -> tuple[jax.Array]:
        (plain,) = jax.vjp(function, x)[1](g)
        misled = jnp.all((g == 0) | (x < minimum), axis=tuple(range(1, x.ndim)), keepdims=True)
        return (jnp.where(misled, jnp.maximum(g, 0), plain),)

    redirected.defvjp(forward, backward)
    return redirected
