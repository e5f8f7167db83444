"""A gradient for images that a ReLU has silenced (Mordvintsev et al. 2018, lucid's redirected ReLU)."""

from collections.abc import Callable

import jax
import jax.numpy as jnp

from featviz.relu import find_relu
from featviz.trace import Program, Replacement, Rule, Step


def redirected_relu(active: jax.Array) -> Rule:
    """A rule that lets gradient through closed ReLUs, in the images that would get none at all.

    Where the whole gradient of an image through a ReLU is zero, it passes the closed units too, but only
    in the direction that opens them: up below zero, down above an upper bound. Everywhere else, and
    while `active` (a scalar bool array) is false, the gradient is the ReLU's own. An image is one index of
    the first axis: each image of a group and each transformed view by itself.

    >>> import numpy as np
    >>> from featviz.trace import rewrite
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
