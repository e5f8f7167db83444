"""Gradient rules that leave of a network what is linear: the paths along which weights are expanded."""

from collections.abc import Callable, Collection, Iterable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from featviz.tracing.activation_functions import ActivationFunction, find_activation_functions
from featviz.tracing.dependence import dependents
from featviz.tracing.evaluation import Replacement, Rule, cut, evaluate
from featviz.tracing.program import Program, Step, Value, bind, flatten
from featviz.tracing.relu import find_relu

# Smooth activation functions that stand where a ReLU might, and are opened as one. A sigmoid is a gate.
OPENED = {"gelu", "silu", "mish", "tanh", "elu", "softplus", "leaky_relu"}
ROOTS = {"rsqrt", "sqrt", "pow"}
PRODUCTS = {"dot_general", "mul", "div", "conv_general_dilated"}
EXPONENTIALS = {"exp", "exp2"}


class Paths(NamedTuple):
    """Which paths between two layers count.

    Attributes:
        direct: Only those on which nothing but weights, sums and normalizations lies: through the residual stream past
            other blocks. Activation functions and attention carry nothing then, and normalizations divide by 1.
        attention: Also through the values of attention, their weights held.
    """

    direct: bool = False
    attention: bool = False


EVERY = Paths()
DIRECT = Paths(direct=True)
THROUGH_VALUES = Paths(direct=True, attention=True)


# Steps that only arrange values.
LAYOUT = {"transpose", "reshape", "squeeze", "broadcast_in_dim", "expand_dims", "copy", "convert_element_type"}


def path_rules(program: Program, sources: Collection[Value], target: Value, paths: Paths) -> list[Rule]:
    """The rules under which the gradient of `target` with respect to `sources` is its expanded weights.

    ReLUs and their smooth relatives are the identity, max pooling is average pooling, the scale that a normalization
    divides by is a constant. Values are as they were, but for those of direct paths, which are of no use.

    References:
        Voss et al. 2021, Visualizing Weights; Elhage et al. 2021, A Mathematical Framework for Transformer Circuits.
    """
    varying = dependents(program, sources)
    rules: list[Rule] = [average_pooling]
    functions = list(find_activation_functions(program))
    # Of a function that gives the target, the target is what it was given.
    last = [each for each in functions if each.output in arranged_from(program, target)]
    rules += [_replaced(program, last, _opened), open_relu]
    if paths.direct:
        rules += [_replaced(program, functions, _closed), _unit_scale(varying)]
        return [*rules, _products(program, sources, attention=paths.attention)]
    opened = [each for each in functions if each.kind in OPENED]
    return [*rules, _replaced(program, opened, _opened), _constant_scale(varying)]


def arranged_from(program: Program, value: Value) -> list[Value]:
    """A value, and those before it of which it is an arrangement: the last one is computed."""
    found = [value]
    while (step := program.producers.get(found[-1])) is not None and step.primitive.name in LAYOUT:
        if step.inputs[0].aval.size != value.aval.size:
            break
        found.append(step.inputs[0])
    return found


def open_relu(program: Program, step: Step) -> Replacement | None:
    """A gradient rule: ReLUs keep their values, and the whole gradient passes through them."""
    relu = find_relu(program, step)
    if relu is None:
        return None
    upper = jnp.inf if relu.upper is None else relu.upper
    return Replacement((relu.input,), lambda x: (_opened(x, jnp.clip(x, 0, upper)),))


def average_pooling(program: Program, step: Step) -> Replacement | None:
    """A gradient rule: max pooling keeps its values and has the gradient of average pooling, padding left out.

    >>> from featviz.tracing.evaluation import rewrite
    >>> pool = lambda x: lax.reduce_window(x, -jnp.inf, lax.max, (3,), (1,), "SAME")
    >>> averaged = rewrite(jax.make_jaxpr(pool)(np.ones(3, np.float32)), [average_pooling])
    >>> [round(float(share), 3) for share in jax.grad(lambda x: averaged(x)[0][1])(jnp.array([1.0, 2.0, 0.0]))]
    [0.333, 0.333, 0.333]
    """
    if step.primitive.name != "reduce_window_max" or not jnp.issubdtype(step.inputs[0].aval.dtype, jnp.floating):
        return None
    names = ("window_dimensions", "window_strides", "padding", "base_dilation", "window_dilation")
    options = [tuple(step.params[name]) for name in names]

    def summed(x: jax.Array) -> jax.Array:
        return lax.reduce_window(x, np.zeros((), x.dtype), lax.add, *options)

    # Of axes that are not pooled one place is enough to count.
    pooled = [size > 1 or stride > 1 for size, stride in zip(options[0], options[1], strict=True)]

    def pool(x: jax.Array) -> tuple[jax.Array]:
        (y,) = bind(step, [lax.stop_gradient(x)])
        counts = summed(jnp.ones([side if along else 1 for side, along in zip(x.shape, pooled, strict=True)], x.dtype))
        return (_opened(summed(x) / jnp.maximum(counts, 1), y),)

    return Replacement(step.inputs, pool)


def _opened(x: jax.Array, y: jax.Array) -> jax.Array:
    """The value of y with the gradient of x."""
    return x + lax.stop_gradient(y - x)


def _closed(x: jax.Array, y: jax.Array) -> jax.Array:
    return lax.stop_gradient(y)


def _replaced(
    program: Program,
    functions: Iterable[ActivationFunction],
    join: Callable[[jax.Array, jax.Array], jax.Array],
) -> Rule:
    """Activation functions f(x) as `join(x, f(x))`; those inside scans are left alone."""
    found = {each.output: each for each in functions}

    def rule(inner: Program, step: Step) -> Replacement | None:
        function = found.get(step.outputs[0]) if step.outputs and inner is program else None
        if function is None:
            return None
        rest = cut(program, [function.input])

        def run(x: jax.Array) -> tuple[jax.Array]:
            (y,) = evaluate(rest, [None] * len(program.inputs) + [x], [function.output])
            return (join(x, y),)

        return Replacement((function.input,), run)

    return rule


def _is_scale(step: Step) -> bool:
    """Whether a step is a square root, or a power that is no whole number, as what normalizations divide by."""
    return step.primitive.name in ROOTS


def _constant_scale(varying: set[Value]) -> Rule:
    def rule(program: Program, step: Step) -> Replacement | None:
        if not _is_scale(step) or step.inputs[0] not in varying:
            return None
        return Replacement(step.inputs, lambda *args: [lax.stop_gradient(y) for y in bind(step, args)])

    return rule


def _unit_scale(varying: set[Value]) -> Rule:
    def rule(program: Program, step: Step) -> Replacement | None:
        if not _is_scale(step) or step.inputs[0] not in varying:
            return None
        return Replacement((), lambda: [jnp.ones(step.outputs[0].aval.shape, step.outputs[0].aval.dtype)])

    return rule


def _products(program: Program, sources: Collection[Value], *, attention: bool) -> Rule:
    """Products of two values that both depend on the sources carry nothing; of attention's, the values' side may."""
    carrying = dependents(program, sources, barred=_is_scale)
    linear = dependents(program, sources, barred=lambda step: _is_scale(step) or _is_exponential(step))

    def rule(inner: Program, step: Step) -> Replacement | None:
        if step.primitive.name not in PRODUCTS or not all(value in carrying for value in step.inputs):
            return None
        straight = [value in linear for value in step.inputs]

        def run(*args: jax.Array) -> list[jax.Array]:
            passed = [
                arg if attention and keeps and not all(straight) else lax.stop_gradient(arg)
                for arg, keeps in zip(args, straight, strict=True)
            ]
            return list(bind(step, passed))

        return Replacement(step.inputs, run)

    return rule


def _is_exponential(step: Step) -> bool:
    """Whether a step is an exponential, or a softmax that has a gradient of its own."""
    name = step.primitive.name
    if name == "custom_jvp_call":
        return any(each.primitive.name in EXPONENTIALS for each in flatten(step.params["call_jaxpr"]).steps)
    return name in EXPONENTIALS
