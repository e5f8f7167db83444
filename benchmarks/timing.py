"""Shared by benchmarks: compiled functions, timing in turns, and the FLOPs of a traced network."""

import time
from collections.abc import Callable, Mapping, Sequence
from math import prod
from statistics import median
from typing import Any

import jax
import jax.numpy as jnp

import featviz as fv
from featviz.common.compilation import compiler_options
from featviz.tracing.evaluation import Rule, cut, evaluate
from featviz.tracing.program import trace
from featviz.tracing.weight_values import weight_values

Call = Callable[[], Any]


def compiled(function: Callable[..., Any], *args: Any, options: Mapping[str, Any] | None = None) -> Any:
    """The compiled function; with featviz's compiler options by default."""
    chosen = compiler_options(jax.default_backend()) if options is None else options
    return jax.jit(function).lower(*args).compile(compiler_options=dict(chosen))


def with_prepared_weights(function: Callable[..., Any], weights: Any, *args: Any) -> tuple[Any, Any]:
    """The compiled function of the arguments and of what it computes from weights alone, and these values.

    As in a render (`featviz/ascent/prepared_weights.py`): the values are computed once, for all calls.
    """
    leaves = jax.tree.leaves(weights)
    program, shapes = trace(function, weights, *args)
    values = weight_values(program, program.inputs[: len(leaves)])
    missing = [None] * (len(program.inputs) - len(leaves))
    ready = jax.jit(lambda weights: evaluate(program, [*jax.tree.leaves(weights), *missing], values))(weights)
    rest = cut(program, values)

    def run(prepared: Any, *args: Any) -> Any:
        outputs = evaluate(rest, [*jax.tree.leaves((prepared[0], args)), *prepared[1]], rest.outputs)
        return jax.tree.unflatten(jax.tree.structure(shapes), outputs)

    prepared = jax.device_put((weights, ready))
    return compiled(run, prepared, *args), prepared


def seconds(call: Call) -> float:
    started = time.perf_counter()
    jax.block_until_ready(call())
    return time.perf_counter() - started


def in_turns(calls: Sequence[Call], *, repeats: int, min_seconds: float = 0.0) -> list[float]:
    """The median seconds of each call after an untimed one; in turns, so that a disturbance affects all.

    A turn repeats a call that takes less than `min_seconds` until these have passed.
    """
    counts = []
    for call in calls:
        seconds(call)
        counts.append(max(1, round(min_seconds / seconds(call))))
    times: list[list[float]] = [[] for _ in calls]
    for _ in range(repeats):
        for durations, call, count in zip(times, calls, counts, strict=True):
            durations.append(seconds(lambda call=call, count=count: [call() for _ in range(count)]) / count)
    return [median(durations) for durations in times]


def image_score(model: fv.Model, layer: str, unit: int, *, rules: Sequence[Rule]) -> Callable[..., jax.Array]:
    """(weights, images) -> the sum over images of the unit's mean activation, with gradient rules applied."""

    def score(weights: Any, images: jax.Array) -> jax.Array:
        program, shapes = trace(lambda *args: model.apply(*args, layers=[layer]), weights, images)
        values = evaluate(program, jax.tree.leaves((weights, images)), program.outputs, rules=rules)
        chosen = dict(zip(shapes, values, strict=True))[layer][..., unit]
        return jnp.sum(jnp.mean(chosen, axis=tuple(range(1, chosen.ndim))))

    return score


def gradient_flops(model: fv.Model, layer: str, shape: tuple[int, ...]) -> float:
    """FLOPs of a layer's gradient for its images: all products and convolutions up to it, forward and back.

    By their shapes, hence the same for every implementation. Other operations and gradients of weights are not counted.
    """
    images = jax.ShapeDtypeStruct(shape, jnp.float32)
    program, _ = trace(lambda *args: model.apply(*args, layers=[layer]), model.weights, images)
    total = 0
    # `apply` has already removed what the layer does not need.
    for step in program.steps:
        name, outputs = step.primitive.name, prod(step.outputs[0].aval.shape)
        if name == "conv_general_dilated":
            kernel, spec = step.inputs[1].aval.shape, step.params["dimension_numbers"].rhs_spec
            total += 2 * outputs * prod(kernel) // kernel[spec[0]]
        elif name == "dot_general":
            ((contracted, _), _) = step.params["dimension_numbers"]
            total += 2 * outputs * prod(step.inputs[0].aval.shape[axis] for axis in contracted)
    return 2.0 * total
