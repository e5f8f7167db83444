"""Redirected gradients, for images that a ReLU or a smooth relative has silenced (lucid; Mordvintsev et al. 2018)."""

from collections.abc import Callable, Collection, Sequence

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool

from featviz.tracing.activation_functions import ActivationFunction, find_activation_functions
from featviz.tracing.evaluation import Replacement, Rule, cut, evaluate
from featviz.tracing.program import Program, Step, Value
from featviz.tracing.relu import find_relu, find_relus

# Where these functions have their minimum: below it they rise again, towards zero, and mislead gradient ascent.
MINIMUM = {"gelu": -0.7518, "silu": -1.2785, "mish": -1.1924}


def redirected_relu(active: Bool[Array, ""], *, silent: Bool[Array, ""] | None = None) -> Rule:
    """A rule that lets gradient through closed ReLUs, in images that would otherwise get none at all.

    Where all of an image's gradient through a ReLU is zero, it passes closed units too, but only in the direction
    that opens them: up below zero, down above an upper bound. An image is one index of the first axis: each image of
    a group and each transformed view by itself.

    Args:
      active: a scalar bool; while it is false the gradient is the ReLU's.
      silent: whether no image got any gradient before. With it, only ReLUs that an output is computed from with no way
        around look at their own gradient; the others pass all of it while `silent`, which costs no look at it.

    References:
      lucid, misc/redirected_relu_grad.py.

    >>> import numpy as np
    >>> from featviz.tracing.evaluation import rewrite
    >>> closed = jax.make_jaxpr(jax.nn.relu)(np.zeros((1, 2), np.float32))
    >>> relu = rewrite(closed, [redirected_relu(jnp.array(True))])
    >>> jax.grad(lambda x: jnp.sum(relu(x)[0]))(jnp.array([[-1.0, -2.0]])).tolist()
    [[1.0, 1.0]]
    """
    known: dict[Program, set[Value]] = {}

    def rule(program: Program, step: Step) -> Replacement | None:
        relu = find_relu(program, step)
        if relu is None or relu.input.aval.ndim == 0:
            return None
        upper = jnp.inf if relu.upper is None else relu.upper
        if silent is not None:
            if program not in known:
                known[program] = decisive(program, {each.output for each in find_relus(program)})
            if relu.output not in known[program]:
                passing = _passing_clip(upper)
                return Replacement((relu.input,), lambda x: (passing(x, silent),))
        function = _clip(upper)
        return Replacement((relu.input,), lambda x: (function(x, active),))

    return rule


def decisive(program: Program, values: Collection[Value]) -> set[Value]:
    """Those of `values` that an output is computed from with no way around: by steps of one argument, and side by side.

    >>> import numpy as np
    >>> from featviz.tracing.program import trace
    >>> block = lambda x: jax.nn.relu(x + jnp.tanh(jax.nn.relu(x))).sum()
    >>> program, _ = trace(block, np.zeros(3, np.float32))
    >>> relus = [relu.output for relu in find_relus(program)]
    >>> decisive(program, relus) == {relus[1]}
    True
    """
    found, seen, waiting = set(), set(), [*program.outputs]
    while waiting:
        value = waiting.pop()
        if value in seen:
            continue
        seen.add(value)
        step = program.producers.get(value)
        if value in values:
            found.add(value)
        elif step is not None:
            varying = [each for each in step.inputs if each.known is None]
            waiting += varying if len(varying) == 1 or step.primitive.name == "concatenate" else []
    return found


def _clip(upper: float) -> Callable[[jax.Array, jax.Array], jax.Array]:
    """clip(x, 0, upper) whose gradient is redirected while `active`, in images for which it is zero."""

    def backward(residual: tuple[jax.Array, jax.Array], g: jax.Array) -> tuple[jax.Array, None]:
        y, active = residual
        plain = jnp.where((y > 0) & (y < upper), g, 0)
        opening = jnp.where(y <= 0, jnp.maximum(g, 0), jnp.where(y >= upper, jnp.minimum(g, 0), g))
        silent = jnp.all(plain == 0, axis=tuple(range(1, y.ndim)), keepdims=True)
        return jnp.where(silent & active, opening, plain), None

    return _with_backward(upper, backward)


def _passing_clip(upper: float) -> Callable[[jax.Array, jax.Array], jax.Array]:
    """clip(x, 0, upper) that passes all gradient while `passing`."""

    def backward(residual: tuple[jax.Array, jax.Array], g: jax.Array) -> tuple[jax.Array, None]:
        y, passing = residual
        # The gradient is used once: XLA then computes in the layout of its neighbors, ten times faster.
        is_open = y > jnp.where(passing, -1, 0).astype(y.dtype)
        if upper < jnp.inf:
            is_open &= y < jnp.where(passing, jnp.inf, upper).astype(y.dtype)
        return jnp.where(is_open, g, 0), None

    return _with_backward(upper, backward)


def _with_backward(
    upper: float, backward: Callable[[tuple[jax.Array, jax.Array], jax.Array], tuple[jax.Array, None]]
) -> Callable[[jax.Array, jax.Array], jax.Array]:
    """clip(x, 0, upper) with a backward pass of its output and a scalar bool."""

    @jax.custom_vjp
    def clip(x: jax.Array, active: jax.Array) -> jax.Array:
        y = jnp.maximum(x, 0)
        return jnp.minimum(y, upper) if upper < jnp.inf else y

    def forward(x: jax.Array, active: jax.Array) -> tuple[jax.Array, tuple[jax.Array, jax.Array]]:
        y = clip(x, active)
        # The output tells as well as the input which units are closed, and the next layer keeps it anyway.
        return y, (y, active)

    clip.defvjp(forward, backward)
    return clip


def redirected_gelu(*, rules: Sequence[Rule] = ()) -> Rule:
    """A rule that does the same for a last GELU, SiLU or Mish, in images whose gradient all comes from where it falls.

    A unit whose input lies below the function's minimum, at -0.75 for GELU, rises towards zero when its input falls
    further: its gradient leads away from everything that excites it, and soon vanishes. Where all of an image's
    gradient goes to such units it passes as through a redirected closed ReLU; in all steps, as it is useless there.
    Only functions that an output is computed from with no way around can mislead an image, and only they are looked at.

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
            outputs = {each.output: each for each in smooth if each.input.aval.ndim > 0}
            known[program] = {output: outputs[output] for output in decisive(program, outputs)}
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
