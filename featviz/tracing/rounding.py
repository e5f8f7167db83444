"""Whether a program's values have the same bits whatever a compiler does to it."""

from collections.abc import Collection

import numpy as np

from featviz.tracing.program import Program, Step, Value

# Steps that move numbers, or compare them.
MOVES = {"broadcast_in_dim", "concatenate", "convert_element_type", "copy", "eq", "expand_dims", "ge", "gt", "le", "lt",
         "max", "min", "ne", "neg", "pad", "rev", "reshape", "select_n", "slice", "squeeze", "transpose"}  # fmt: skip
# Steps that are one instruction with one result in float32; divisions and roots are sometimes several.
ROUNDED = {"add", "mul", "sub"}


def rounds_one_way(program: Program, values: Collection[Value]) -> bool:
    """Whether values are moved numbers, or float32 rounded by single operations in a given order.

    Not sums and products, whose order a compiler chooses, nor functions that it approximates. A product that goes into
    a sum may be rounded once or twice.

    Args:
      program: a program.
      values: some of its values.

    >>> import numpy as np
    >>> from featviz.tracing.program import trace
    >>> number = np.zeros(3, np.float32)
    >>> [rounds_one_way(program, program.outputs) for program, _ in (
    ...     trace(lambda x: ((x + 1.0) * x)[::-1], number), trace(lambda x: x * x + 1.0, number),
    ...     trace(lambda x: x.sum(), number))]
    [True, False, False]
    """
    needed, steps = set(values), []
    for step in reversed(program.steps):
        if not needed.isdisjoint(step.outputs):
            needed.update(step.inputs)
            steps.append(step)
    products: set[Value] = set()
    for step in reversed(steps):
        name, moved = step.primitive.name, not products.isdisjoint(step.inputs)
        if name not in MOVES and not (name in ROUNDED and _is_float32(step)):
            return False
        if name in ("add", "sub") and moved:
            return False
        if name == "mul" or (name in MOVES and moved):
            products.update(step.outputs)
    return True


def _is_float32(step: Step) -> bool:
    return all(value.aval.dtype == np.float32 for value in (*step.inputs, *step.outputs))
