"""Canonical JSON of objectives, recipes and their parts, and its hash.

An objective's hash names it and seeds its lane, and a recipe's JSON is part of every picture's provenance, so both must
be the same in every process.
"""

import dataclasses
import enum
import hashlib
import json
from typing import Any

import jax
import numpy as np

from featviz.errors import FeatvizError

# Larger arrays are described by their hash.
MAX_LISTED = 16


def describe(value: Any) -> Any:
    """The plain JSON value of a frozen dataclass, an array, a number, or a tree of them.

    A dataclass becomes an object with its class under `kind`; an array of more than 16 values becomes its dtype, its
    shape and the hash of its bytes.

    >>> describe((1, "a", np.float32(0.5)))
    [1, 'a', 0.5]

    Raises:
      FeatvizError: if the value is a function or of another type without such a form.
    """
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = [field for field in dataclasses.fields(value) if field.metadata.get("canonical", True)]
        named = {field.name: describe(getattr(value, field.name)) for field in fields}
        return {"kind": _kind(type(value)), **named}
    if isinstance(value, enum.Enum):
        return value.name.lower()
    if isinstance(value, dict):
        return {str(key): describe(item) for key, item in sorted(value.items())}
    if isinstance(value, (tuple, list)):
        return [describe(item) for item in value]
    if isinstance(value, (np.ndarray, np.generic, jax.Array)):
        return _describe_array(np.asarray(value))
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    raise FeatvizError(f"`{value!r}` has no canonical form; expected a frozen dataclass, an array or a number")


def _kind(cls: type) -> str:
    """The class's name, and for a class outside featviz its module too, since two may share a name."""
    return cls.__name__ if cls.__module__.partition(".")[0] == "featviz" else f"{cls.__module__}.{cls.__qualname__}"


def _describe_array(array: np.ndarray) -> Any:
    if array.size <= MAX_LISTED:
        return array.tolist()
    digest = hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()
    return {"dtype": str(array.dtype), "shape": list(array.shape), "sha256": digest}


def canonical_json(value: Any) -> str:
    """The canonical JSON text of `describe(value)`: sorted keys, no spaces.

    >>> canonical_json({"b": 1, "a": (2.0, None)})
    '{"a":[2.0,null],"b":1}'
    """
    return json.dumps(describe(value), sort_keys=True, separators=(",", ":"), allow_nan=True)


def digest(value: Any) -> str:
    """The SHA-256 of the canonical JSON, in hexadecimal.

    >>> digest(1)[:8]
    '6b86b273'
    """
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()
