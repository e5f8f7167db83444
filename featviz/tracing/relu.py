"""ReLUs of a traced program, in each of the forms in which they are written."""

from typing import NamedTuple

import jax.numpy as jnp

from featviz.tracing.program import Program, Step, Value, flatten, walk

# Comparisons with zero, which tell which branch of a select is the zero one.
ABOVE, BELOW = {"gt", "ge"}, {"lt", "le"}


class Relu(NamedTuple):
    """`output = clip(input, 0, upper)`; `upper` is None for a plain ReLU."""

    input: Value
    output: Value
    upper: float | None


def find_relu(program: Program, step: Step) -> Relu | None:
    """The ReLU that ends in this step, if one does.

    Recognizes the custom_jvp of `jax.nn.relu` and `relu6`, `max(x, 0)`, `min(max(x, 0), c)` in either order,
    `clamp(0, x, c)`, and a select between x and 0 by the sign of x.

    >>> import jax, numpy as np
    >>> from featviz.tracing.program import trace
    >>> program, _ = trace(jax.nn.relu6, np.zeros(3, np.float32))
    >>> find_relu(program, program.steps[-1]).upper
    6.0
    """
    finder = FINDERS.get(step.primitive.name)
    # Clipped integers are indices and counts, which carry no gradient.
    if finder is None or not jnp.issubdtype(step.outputs[0].aval.dtype, jnp.floating):
        return None
    return finder(program, step)


def find_relus(program: Program) -> list[Relu]:
    """The ReLUs of a program in order, `min(max(x, 0), c)` as one; those inside scans and conds are left out."""
    relus = [(step, relu) for step in program.steps if (relu := find_relu(program, step))]
    halves = {value for step, _ in relus if step.primitive.name == "min" for value in step.inputs}
    return [relu for _, relu in relus if relu.output not in halves]


def count_relus(program: Program) -> int:
    """How many ReLUs a program holds; those inside scans and conds count once."""
    return sum(len(find_relus(inner)) for inner in {inner for inner, _ in walk(program)})


def _custom_jvp(program: Program, step: Step) -> Relu | None:
    inner = flatten(step.params["call_jaxpr"])
    last = inner.producers.get(inner.outputs[0])
    if len(inner.outputs) != 1 or last is None:
        return None
    relu = find_relu(inner, last)
    if relu is None or relu.input not in inner.inputs:
        return None
    return Relu(step.inputs[inner.inputs.index(relu.input)], step.outputs[0], relu.upper)


def _array_and_bound(step: Step) -> tuple[Value, float] | None:
    """The array and the number of a max or a min with a constant."""
    for array, bound in (step.inputs, step.inputs[::-1]):
        if bound.scalar is not None and array.scalar is None:
            return array, bound.scalar
    return None


def _max(program: Program, step: Step) -> Relu | None:
    bounded = _array_and_bound(step)
    if bounded is None or bounded[1] != 0.0:
        return None
    if _is_variance(program, bounded[0]):
        return None
    inner = program.producers.get(bounded[0])
    capped = _array_and_bound(inner) if inner is not None and inner.primitive.name == "min" else None
    if capped is not None and capped[1] > 0.0:
        return Relu(capped[0], step.outputs[0], capped[1])
    return Relu(bounded[0], step.outputs[0], None)


def _is_variance(program: Program, value: Value) -> bool:
    """Whether normalizations clip it at zero against rounding: mean(x^2) - mean(x)^2, or a mean of squares."""
    difference = program.producers.get(value)
    if difference is None:
        return False
    if difference.primitive.name != "sub":
        return _is_mean_of_squares(program, value)
    mean = program.producers.get(difference.inputs[0])
    total = mean and program.producers.get(mean.inputs[0])
    return total is not None and total.primitive.name == "reduce_sum"


def _is_mean_of_squares(program: Program, value: Value) -> bool:
    step = program.producers.get(value)
    while step is not None and step.primitive.name in ("div", "broadcast_in_dim", "reshape", "select_n"):
        # A select's condition comes first, and is a comparison of counts.
        varying = [each for each in step.inputs if each.aval.ndim and each in program.producers and each.scalar is None]
        step = program.producers.get(varying[0]) if varying else None
    square = program.producers.get(step.inputs[0]) if step is not None and step.primitive.name == "reduce_sum" else None
    return square is not None and square.primitive.name == "square"


def _min(program: Program, step: Step) -> Relu | None:
    bounded = _array_and_bound(step)
    inner = program.producers.get(bounded[0]) if bounded is not None else None
    if bounded is None or inner is None or bounded[1] <= 0.0:
        return None
    relu = find_relu(program, inner)
    return Relu(relu.input, step.outputs[0], bounded[1]) if relu and relu.upper is None else None


def _clamp(program: Program, step: Step) -> Relu | None:
    low, array, high = step.inputs
    if low.scalar != 0.0 or high.scalar is None or high.scalar <= 0.0 or array.scalar is not None:
        return None
    return Relu(array, step.outputs[0], high.scalar)


def _select(program: Program, step: Step) -> Relu | None:
    if len(step.inputs) != 3:
        return None
    predicate, when_false, when_true = step.inputs
    test = program.producers.get(predicate)
    if test is None or test.primitive.name not in ABOVE | BELOW:
        return None
    left, right = test.inputs
    above = test.primitive.name in ABOVE
    if left.scalar == 0.0:
        left, right, above = right, left, not above
    array, zero = (when_true, when_false) if above else (when_false, when_true)
    if right.scalar != 0.0 or zero.scalar != 0.0 or array is not left:
        return None
    return Relu(array, step.outputs[0], None)


FINDERS = {"custom_jvp_call": _custom_jvp, "max": _max, "min": _min, "clamp": _clamp, "select_n": _select}
