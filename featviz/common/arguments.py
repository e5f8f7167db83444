"""What objectives are made of, told in one line where it is something else: whole numbers, and several of them."""

from collections.abc import Iterable
from operator import index
from typing import Any, TypeGuard

import jax
import numpy as np

from featviz.errors import FeatvizError


def as_int(name: str, value: Any, *, example: str = "3") -> np.int32:
    """A whole number as an objective holds it.

    >>> as_int("unit", 7)
    np.int32(7)

    Raises: FeatvizError for what is none.
    """
    try:
        return np.int32(index(value))
    except (TypeError, OverflowError):
        raise FeatvizError(f"`{name}` is {value!r}; expected a whole number, such as {example}") from None


def is_sequence(value: Any) -> TypeGuard[Iterable[Any]]:
    """Whether it is a list, a range or an array of values, and neither text nor an array that is one value.

    >>> is_sequence(range(3)), is_sequence("abc"), is_sequence(np.array(3))
    (True, False, False)
    """
    single = isinstance(value, np.ndarray | jax.Array) and value.ndim == 0
    return isinstance(value, Iterable) and not isinstance(value, str | bytes) and not single
