"""The classes of a network: the units of its output."""

import numpy as np

from featviz.errors import FeatvizError
from featviz.model.model import OUTPUT, Model
from featviz.model.shapes import shapes_at


def output_units(model: Model) -> int:
    """The number of units of a network's output, which need not be those of its last layer.

    >>> from featviz.zoo.registry import outline
    >>> output_units(outline("patterns"))
    58
    """
    return shapes_at(model, (OUTPUT,), model.input.size)[OUTPUT][-1]


def find_class(model: Model, argument: str, given: str | int) -> int:
    """The index of a class that was given by name or index.

    Args:
      model: the network.
      argument: what messages call the argument, such as "`of`" or "--of".
      given: a class's name or one of its synonyms, or its index as a number or as text.

    Raises:
      FeatvizError: if the network lacks the class, or the name is that of several.

    >>> from featviz.zoo.registry import outline
    >>> find_class(outline("patterns"), "`of`", "leaf"), find_class(outline("patterns"), "--of", "3")
    (56, 3)
    """
    if isinstance(given, str) and not given.isdecimal():
        return model.class_index(given)
    units = output_units(model)
    if isinstance(given, bool) or not isinstance(given, str | int | np.integer) or not 0 <= int(given) < units:
        raise FeatvizError(
            f"{argument} is {given}; expected one of the {units} classes of {model.name}, 0 to {units - 1}"
        )
    return int(given)
