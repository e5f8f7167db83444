"""Batch norms in a traced program of any framework: their inputs, and the stored mean and variance."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from featviz.tracing.program import Program, Step, Value

# Operations that change the shape of a vector of channels and not its values.
SHAPING = {
    "broadcast_in_dim",
    "reshape",
    "squeeze",
    "convert_element_type",
    "copy",
    "copy_p",
    "transpose",
    "expand_dims",
}
ROOTS = {"rsqrt", "sqrt"}


class BatchNorm(NamedTuple):
    """A batch norm.

    Attributes:
      input: what is normalized.
      axis: the axis of its channels.
      mean: the stored mean.
      variance: the stored variance plus epsilon.
    """

    input: Value
    axis: int
    mean: Value
    variance: Value


def find_batch_norms(program: Program, images: Value) -> list[BatchNorm]:
    """The batch norms of a program in order, except those inside scans.

    Two forms are recognized: `(x - mean) * f` or `/ f`, and `x * f + (bias - mean * f)`, where f depends only on the
    weights and contains the root of a variance.

    Args:
      program: a traced network.
      images: its input.

    >>> import jax.numpy as jnp, numpy as np
    >>> from jax import lax
    >>> from featviz.tracing.program import trace
    >>> def norm(weights, x):
    ...     return (x - weights["mean"][None]) * lax.rsqrt(weights["var"] + 1e-5)[None] * weights["scale"][None]
    >>> weights = {name: np.ones(4, np.float32) for name in ("mean", "scale", "var")}
    >>> program, _ = trace(norm, weights, np.ones((2, 4), np.float32))
    >>> [found.axis for found in find_batch_norms(program, program.inputs[-1])]
    [1]
    """
    varying = {images}
    for step in program.steps:
        if not varying.isdisjoint(step.inputs):
            varying.update(step.outputs)
    return [
        norm
        for step in program.steps
        if step.outputs[0] in varying
        for norm in (_centered(program, step, varying) or _folded(program, step, varying),)
        if norm is not None
    ]


def _centered(program: Program, step: Step, varying: set[Value]) -> BatchNorm | None:
    """`(x - mean) * f`; the dtype may change in between."""
    pair = _split(step, varying, "sub")
    if pair is None or step.inputs[0] is not pair[0]:
        return None
    factor = next((f for f in _scaled(program, step.outputs[0], varying) if _root(program, f) is not None), None)
    return None if factor is None else _make(program, pair[0], pair[1], factor)


def _folded(program: Program, step: Step, varying: set[Value]) -> BatchNorm | None:
    """`x * f + (bias - mean * f)`."""
    pair = _split(step, varying, "mul")
    if pair is None or _root(program, pair[1]) is None:
        return None
    source, factor = pair
    for after in program.users.get(step.outputs[0], []):
        added = _split(after, varying, "add")
        if added is None:
            continue
        for product in _behind(program, added[1]):
            bases = [_strip(program, value)[0] for value in product.inputs] if product.primitive.name == "mul" else []
            if _strip(program, factor)[0] in bases:
                at = 1 - bases.index(_strip(program, factor)[0])
                before = program.producers.get(bases[at])
                negated = before is not None and before.primitive.name == "neg"
                return _make(program, source, before.inputs[0] if before and negated else bases[at], factor)
    return None


def _make(program: Program, source: Value, mean: Value, factor: Value) -> BatchNorm | None:
    variance = _root(program, factor)
    axis = _channels(program, factor, source)
    if variance is None or axis is None:
        return None
    count = source.aval.shape[axis]
    base, variance = _strip(program, mean)[0], _strip(program, variance)[0]
    if base.aval.size != count or variance.aval.size != count:
        return None
    return BatchNorm(source, int(axis), base, variance)


def _split(step: Step, varying: set[Value], name: str) -> tuple[Value, Value] | None:
    """The input that varies with the image and the one that does not, of a step of that name with one of each."""
    if step.primitive.name != name:
        return None
    one, other = step.inputs
    if (one in varying) == (other in varying):
        return None
    return (one, other) if one in varying else (other, one)


def _scaled(program: Program, value: Value, varying: set[Value]) -> Iterator[Value]:
    """The factors and divisors of a value that do not depend on the image."""
    for step in program.users.get(value, []):
        if step.primitive.name in ("convert_element_type", "reshape"):
            yield from _scaled(program, step.outputs[0], varying)
        pair = _split(step, varying, "mul") or _split(step, varying, "div")
        if pair is not None:
            yield pair[1]
            # The variance may come after the learned scale.
            yield from _scaled(program, step.outputs[0], varying)


def _root(program: Program, value: Value) -> Value | None:
    """The radicand of a root in a factor, through products and quotients of channels."""
    for step in _behind(program, value):
        if step.primitive.name in ROOTS:
            return step.inputs[0]
        if step.primitive.name == "pow" and step.inputs[1].scalar in (0.5, -0.5):
            return step.inputs[0]
    return None


def _behind(program: Program, value: Value) -> Iterator[Step]:
    """The elementwise steps that compute a value of the weights, nearest first."""
    waiting: list[Value] = [value]
    visited: set[Step] = set()
    while waiting:
        step = program.producers.get(waiting.pop(0))
        if step is not None and step not in visited:
            visited.add(step)
            yield step
            if step.primitive.name in SHAPING | {"mul", "div", "add", "sub", "neg", "integer_pow", "max"}:
                waiting.extend(step.inputs)


def _strip(program: Program, value: Value) -> tuple[Value, Sequence[Step]]:
    """A value before changes of shape, and the steps of these changes, first to last."""
    steps: list[Step] = []
    while (step := program.producers.get(value)) is not None and step.primitive.name in SHAPING:
        value = step.inputs[0]
        steps.insert(0, step)
    return value, steps


def _channels(program: Program, factor: Value, source: Value) -> int | None:
    """The axis of `source` along which a factor of its channels is broadcast."""
    base, steps = _strip(program, factor)
    sizes = [size for size in base.aval.shape if size != 1]
    if len(sizes) > 1:
        return None
    size = base.aval.size
    axis = base.aval.shape.index(size) if base.aval.shape else 0
    for step in steps:
        shape = step.outputs[0].aval.shape
        if step.primitive.name == "broadcast_in_dim":
            axis = step.params["broadcast_dimensions"][axis] if step.params["broadcast_dimensions"] else 0
        elif step.primitive.name == "transpose":
            axis = step.params["permutation"].index(axis)
        elif step.primitive.name == "squeeze":
            axis -= sum(removed < axis for removed in step.params["dimensions"])
        elif step.primitive.name == "reshape":
            if size not in shape:
                return None
            axis = shape.index(size)
    rank = len(source.aval.shape)
    return axis if axis < rank and source.aval.shape[axis] == size else None
