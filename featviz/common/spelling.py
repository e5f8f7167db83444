"""What decides a program before it is traced, as text: the same text in every process, or none at all.

Pieces of featviz are spelled by their class and fields, arguments by their shapes. Whatever may compute something else
under the same text, such as a user's function, has no spelling. A network says itself what it is (`Identified`).
"""

import dataclasses
import enum
import functools
import hashlib
import sys
from abc import ABC, abstractmethod
from collections.abc import Mapping
from types import FunctionType
from typing import Any

import jax
import numpy as np

# Packages whose classes and functions are decided by their name and by what a shortcut's key holds: our source, and
# their versions.
KNOWN = ("featviz", "flax", "jax", "jaxlib", "optax", "numpy", "builtins")
JITTED = type(jax.jit(abs))
PyTreeDef = jax.tree_util.PyTreeDef


class UnspelledError(Exception):
    """A value that has no text that decides what it computes."""


class Identified(ABC):
    """A function, such as a network, that can be recognized in another process without being traced."""

    @abstractmethod
    def identity(self) -> str:
        """A hash of all that is known to decide it before it is traced.

        Raises:
          UnspelledError: if it cannot be recognized.
        """

    @abstractmethod
    def observed(self) -> Any:
        """What it did in the calls so far, as plain values; None where that cannot be said."""

    @abstractmethod
    def repeats(self, observed: Any) -> bool:
        """Whether it would do now what `observed` said of it in another process."""


@dataclasses.dataclass(frozen=True)
class Spelled(Identified):
    """A function that pieces decide, as they are spelled."""

    pieces: Any

    def identity(self) -> str:
        """See `Identified`."""
        return spell(self.pieces, [])

    def observed(self) -> tuple[()]:
        """See `Identified`: nothing but the pieces decides it."""
        return ()

    def repeats(self, observed: Any) -> bool:
        """See `Identified`."""
        return True


def spell(value: Any, found: list[Identified]) -> str:
    """The text of a value; the `Identified` within are appended to `found`.

    A `jax.ShapeDtypeStruct` stands for an argument, of which the shape counts; any other array for a constant.

    Raises:
      UnspelledError: if the text would not decide the value.

    >>> spell((1, {"b": None, "a": np.float32}), [])
    "(1, {'a': numpy.float32, 'b': None})"
    """
    text = _spell(value, found)
    if " at 0x" in text:
        raise UnspelledError(text)
    return text


def _spell(value: Any, found: list[Identified]) -> str:
    if isinstance(value, Identified):
        found.append(value)
        return f"<{value.identity()}>"
    if isinstance(value, enum.Enum):
        return f"{_name(type(value))}.{value.name}"
    if value is None or type(value) in (bool, int, float, complex, str, bytes):
        return repr(value)
    if isinstance(value, jax.ShapeDtypeStruct):
        return f"<{value.dtype}{value.shape} {value.sharding!r} {value.weak_type}>"
    if isinstance(value, np.ndarray | np.generic | jax.Array):
        array = np.asarray(value)
        if array.dtype == object:
            raise UnspelledError("an array of objects")
        return f"<{array.dtype}{array.shape} {hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()}>"
    if isinstance(value, PyTreeDef):
        return f"tree {_spell(jax.tree.unflatten(value, range(value.num_leaves)), found)}"
    if isinstance(value, type):
        return _name(value)
    return _spell_compound(value, found)


def _spell_compound(value: Any, found: list[Identified]) -> str:
    if isinstance(value, tuple | list):
        kind = "" if type(value) in (tuple, list) else _name(type(value))
        parts = ", ".join(_spell(part, found) for part in value)
        return f"{kind}[{parts}]" if isinstance(value, list) else f"{kind}({parts})"
    if isinstance(value, Mapping):
        texts = sorted((_spell(key, found), _spell(part, found)) for key, part in value.items())
        kind = "" if type(value) is dict else type(value).__name__
        return f"{kind}{{{', '.join(f'{key}: {part}' for key, part in texts)}}}"
    if isinstance(value, jax.sharding.Mesh):
        return f"{value!r} {value.devices.shape}"
    if isinstance(value, functools.partial):
        return f"partial({_spell((value.func, value.args, value.keywords), found)})"
    if dataclasses.is_dataclass(value):
        fields = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
        return f"{_name(type(value))}{_spell(fields, found)}"
    if isinstance(value, FunctionType | JITTED):
        return _name(value)
    raise UnspelledError(type(value).__name__)


def _name(value: Any) -> str:
    """The name under which a class or a function of a known package is found."""
    module, name = value.__module__, value.__qualname__
    place: Any = sys.modules.get(module)
    for part in name.split("."):
        place = getattr(place, part, None)
    if module.partition(".")[0] not in KNOWN or place is not value:
        raise UnspelledError(f"{module}.{name}")
    return f"{module}.{name}"
