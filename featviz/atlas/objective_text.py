"""The description of an entry's objective as an array of bytes."""

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
from jaxtyping import UInt8

from featviz.common.canonical import canonical_json

# Room for the description of a facet's objective, besides its layer's name.
TEXT_BYTES = 2048


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
