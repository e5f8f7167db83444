"""The description of an entry's objective as an array of bytes."""

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
from jaxtyping import UInt8

from featviz.common.canonical import canonical_json

# Room for the description of a facet's objective, besides its layer's name, and for the name of each photograph that a
# picture begins at.
TEXT_BYTES, NAME_BYTES = 2048, 128


def short_name(name: str) -> str:
    """The end of a file's name that has room, as JSON writes it.

    >>> short_name("birds/kite.jpg"), len(short_name("k" * 200))
    ('birds/kite.jpg', 120)
    """
    kept = name[-(NAME_BYTES - 8) :]
    while len(json.dumps(kept)) > NAME_BYTES - 4:
        kept = kept[1:]
    return kept


def encode(described: Mapping[str, Any], length: int) -> UInt8[np.ndarray, " length"]:
    """Canonical JSON in UTF-8, zeros after it.

    >>> encode({"b": 1}, 9).tobytes()
    b'{"b":1}\\x00\\x00'
    """
    return np.frombuffer(canonical_json(described).encode().ljust(length, b"\0"), np.uint8)


def decode(values: UInt8[np.ndarray, " length"]) -> dict[str, Any] | None:
    """The inverse of `encode`; None for zeros alone.

    >>> decode(encode({"b": 1}, 9)), decode(np.zeros(3, np.uint8))
    ({'b': 1}, None)
    """
    text = values.tobytes().rstrip(b"\0")
    found: dict[str, Any] | None = json.loads(text) if text else None
    return found
