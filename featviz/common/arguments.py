"""Checks of arguments that several rooms use. Errors are one line: what was found and what was expected."""

from collections.abc import Iterable
from operator import index
from typing import Any, TypeGuard

import jax
import numpy as np

from featviz.errors import FeatvizError


def as_int(name: str, value: Any, *, example: str = "3") -> np.int32:
    """An integer as an objective holds it, a leaf of 32 bits.

    Args:
      name: the argument's name, for the error.
      value: a Python or NumPy integer, or an integer array of one value.
      example: a value for the error to suggest.

    Raises:
      FeatvizError: for a value that is not an integer.

    >>> as_int("unit", 7)
    np.int32(7)
    """
    try:
        return np.int32(index(value))
    except (TypeError, OverflowError):
        raise FeatvizError(f"`{name}` is {value!r}; expected a whole number, such as {example}") from None


def check_count(name: str, value: Any, minimum: int, maximum: int) -> int:
    """An integer within bounds.

    Args:
      name: the argument's name, for the error.
      value: a Python or NumPy integer.
      minimum: the smallest value that is accepted.
      maximum: the largest value that is accepted.

    Raises:
      FeatvizError: for a value that is not an integer (a bool is none), or is out of bounds.

    >>> check_count("steps", 512, 1, 1_000_000)
    512
    """
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or not minimum <= value <= maximum:
        raise FeatvizError(f"`{name}` is {value!r}; expected a whole number from {minimum} to {maximum}")
    return int(value)


def is_sequence(value: Any) -> TypeGuard[Iterable[Any]]:
    """Whether a value is a list, a range or an array of several values; text and an array of one value are not.

    >>> is_sequence(range(3)), is_sequence("abc"), is_sequence(np.array(3))
    (True, False, False)
    """
    is_scalar = isinstance(value, np.ndarray | jax.Array) and value.ndim == 0
    return isinstance(value, Iterable) and not isinstance(value, str | bytes) and not is_scalar
