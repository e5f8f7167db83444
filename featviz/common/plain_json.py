"""Plain values, named tuples and dataclasses of known packages as JSON, and back: reading it runs no code of a file."""

import dataclasses
import json
import sys
from collections.abc import Collection
from typing import Any

from featviz.errors import FeatvizError


def to_json(value: Any, packages: Collection[str]) -> str:
    """A value as JSON.

    Args:
      value: of None, bools, numbers, text, tuples, lists, dicts, and named tuples and dataclasses of `packages`.
      packages: the packages whose classes may occur.

    Raises:
      FeatvizError: if anything else occurs.

    >>> text = to_json({"shape": (3, 4)}, ())
    >>> from_json(text, ())
    {'shape': (3, 4)}
    """
    return json.dumps(_encode(value, packages))


def from_json(text: str | bytes, packages: Collection[str]) -> Any:
    """The value that `to_json` was given.

    Args:
      text: the JSON.
      packages: the packages whose classes may occur; their modules are those that are loaded.

    Raises:
      FeatvizError: if a class is unknown or has other fields, or if this is no such text.
    """
    try:
        return _decode(json.loads(text), packages)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise FeatvizError(f"the text is not one of `to_json`: {error}") from None


def _encode(value: Any, packages: Collection[str]) -> Any:
    if value is None or type(value) in (bool, int, float, str):
        return value
    if type(value) in (tuple, list):
        return {type(value).__name__: [_encode(part, packages) for part in value]}
    if type(value) is dict:
        return {"dict": [[_encode(key, packages), _encode(part, packages)] for key, part in value.items()]}
    kind = type(value)
    name = f"{kind.__module__}:{kind.__qualname__}"
    names = _fields(kind)
    if names is None or _class(name, packages) is not kind:
        raise FeatvizError(f"a {name.replace(':', '.')} is no plain value")
    return {"class": name, "fields": {field: _encode(getattr(value, field), packages) for field in names}}


def _decode(value: Any, packages: Collection[str]) -> Any:
    if not isinstance(value, dict):
        return value
    if "class" in value:
        kind = _class(value["class"], packages)
        fields = {name: _decode(part, packages) for name, part in value["fields"].items()}
        if kind is None or _fields(kind) != tuple(fields):
            raise ValueError(f"`{value['class']}` is unknown or has other fields")
        return kind(**fields)
    ((kind, parts),) = value.items()
    if kind == "dict":
        return {_decode(key, packages): _decode(part, packages) for key, part in parts}
    return {"tuple": tuple, "list": list}[kind](_decode(part, packages) for part in parts)


def _class(name: str, packages: Collection[str]) -> Any:
    """A loaded class of one of the packages, None without one."""
    module, _, path = name.partition(":")
    place: Any = sys.modules.get(module) if module.partition(".")[0] in packages else None
    for part in path.split("."):
        place = getattr(place, part, None)
    return place if isinstance(place, type) else None


def _fields(kind: type) -> tuple[str, ...] | None:
    """The fields of a named tuple or a dataclass; None for any other class."""
    if issubclass(kind, tuple):
        return getattr(kind, "_fields", None)
    return tuple(field.name for field in dataclasses.fields(kind)) if dataclasses.is_dataclass(kind) else None
