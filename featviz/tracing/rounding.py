"""Which of a program's values have the same bits whatever a compiler does to it."""

import numpy as np

from featviz.tracing.program import Program, Step, Value

# Steps that move numbers, or compare them.
MOVES = {"broadcast_in_dim", "concatenate", "convert_element_type", "copy", "eq", "expand_dims", "ge", "gt", "le", "lt",
         "max", "min", "ne", "neg", "pad", "rev", "reshape", "select_n", "slice", "squeeze", "transpose"}  # fmt: skip
# Steps that are one instruction with one result in float32; divisions and roots are sometimes several.
ROUNDED = {"add", "mul", "sub"}


def freely_rounded(program: Program) -> set[Value]:
    """The values of a program that a compiler may round in several ways; the others it may not.

    Those are moved numbers, or float32 rounded by single operations in a given order: not sums and products, whose
    order a compiler chooses, nor functions that it approximates. A product that goes into a sum may be rounded once or
    twice.

    >>> import numpy as np
    >>> from featviz.tracing.program import trace
    >>> number = np.zeros(3, np.float32)
    >>> [freely_rounded(program).isdisjoint(program.outputs) for program, _ in (
    ...     trace(lambda x: ((x + 1.0) * x)[::-1], number), trace(lambda x: x * x + 1.0, number),
    ...     trace(lambda x: x.sum(), number))]
    [True, False, False]
    """
    free: set[Value] = set()
    products: set[Value] = set()
    for step in program.steps:
        name, of_products = step.primitive.name, not products.isdisjoint(step.inputs)
        once = name in MOVES or (name in ROUNDED and _is_float32(step))
        if not once or (name in ("add", "sub") and of_products) or not free.isdisjoint(step.inputs):
            free.update(step.outputs)
        elif name == "mul" or (name in MOVES and of_products):
            products.update(step.outputs)
    return free


def _is_float32(step: Step) -> bool:
    return all(value.aval.dtype == np.float32 for value in (*step.inputs, *step.outputs))
