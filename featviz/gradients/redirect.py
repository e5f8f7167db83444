"""A gradient for images that a ReLU, or what is like one, has silenced (Mordvintsev et al. 2018, lucid's)."""

from collections.abc import Callable

import jax
import jax.numpy as jnp

from featviz.tracing.activation_functions import ActivationFunction, find_activation_functions
from featviz.tracing.evaluation import Replacement, Rule, cut, evaluate
from featviz.tracing.program import Program, Step, Value
from featviz.tracing.relu import find_relu

# Where these functions are smallest: further down they rise again, towards zero, and lead an ascent astray.
LOWEST = {"gelu": -0.7518, "silu": -1.2785, "mish": -1.1924}


def redirected_relu(active: jax.Array) -> Rule:
    """A rule that lets gradient through closed ReLUs, in the images that would get none at all.

    Where the whole gradient of an image through a ReLU is zero, it passes the closed units too, but only
    in the direction that opens them: up below zero, down above an upper bound. Everywhere else, and
    while `active` (a scalar bool array) is false, the gradient is the ReLU's own. An image is one index of
    the first axis: each image of a group and each transformed view by itself.

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
        own = jnp.where((x > 0) & (x < upper), g, 0)
        opening = jnp.where(x <= 0, jnp.maximum(g, 0), jnp.where(x >= upper, jnp.minimum(g, 0), g))
        silent = jnp.all(own == 0, axis=tuple(range(1, x.ndim)), keepdims=True)
        return jnp.where(silent & active, opening, own), None

    clip.defvjp(forward, backward)
    return clip


def redirected_gelu() -> Rule:
    """The same for GELU, SiLU and Mish: in images that would only get gradient where these fall, it opens them.

    A unit whose input lies below the function's lowest point, -0.75 for GELU, rises towards zero when its input falls
    further: its gradient leads away from all that excites it, and soon vanishes. Where all the gradient of an image
    goes to such units it passes as through a closed ReLU that is redirected; at all steps, since it is of no use there.

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
            found = (each for each in find_activation_functions(program) if each.kind in LOWEST)
            known[program] = {each.output: each for each in found if each.input.aval.ndim > 0}
        activation = known[program].get(step.outputs[0])
        if activation is None:
            return None
        rest = cut(program, [activation.input])

        def own(x: jax.Array) -> jax.Array:
            (y,) = evaluate(rest, [None] * len(program.inputs) + [x], [activation.output])
            return y

        function = _rise(own, LOWEST[activation.kind])
        return Replacement((activation.input,), lambda x: (function(x),))

    return rule


def _rise(function: Callable[[jax.Array], jax.Array], lowest: float) -> Callable[[jax.Array], jax.Array]:
    """A function that falls until `lowest`, whose gradient is redirected there."""

    @jax.custom_vjp
    def step_gradient(x: jax.Array) -> jax.Array:
        return function(x)

    def forward(x: jax.Array) -> tuple[jax.Array, jax.Array]:
        return function(x), x

    def backward(x: jax.Array, g: jax.Array) -> tuple[jax.Array]:
        (own,) = jax.vjp(function, x)[1](g)
        astray = jnp.all((g == 0) | (x < lowest), axis=tuple(range(1, x.ndim)), keepdims=True)
        return (jnp.where(astray, jnp.maximum(g, 0), own),)

    step_gradient.defvjp(forward, backward)
    return step_gradient
