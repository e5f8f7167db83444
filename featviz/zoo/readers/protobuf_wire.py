"""Protobuf's wire format: the fields of a message, without a description of it (protobuf.dev, "Encoding")."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from featviz.zoo.readers.reading_errors import MalformedError

VARINT, FIXED_64, BYTES, FIXED_32 = 0, 1, 2, 5
WIDTHS = {FIXED_32: 4, FIXED_64: 8}
# Fields that are looked at in one file, a run of numbers being one: GoogLeNet has some thousand.
MOST = 200_000

# A field's number, its kind, and its value: of a VARINT a number, else the bytes.
Field = tuple[int, int, Any]


def fields(message: memoryview, left: list[int]) -> Iterator[Field]:
    """The fields of a message in their order; numbers of fixed width that follow one another are one, bytes in a row.

    `left` holds how many more fields may be looked at, in all messages together.

    >>> [(number, kind, value) for number, kind, value in fields(memoryview(bytes([8, 150, 1])), [9])]
    [(1, 0, 150)]

    Raises: MalformedError if it ends within a field or has what is none.
    """
    at = 0
    while at < len(message):
        left[0] -= 1
        if left[0] < 0:
            raise MalformedError(f"it has more than {MOST:,} fields")
        begin = at
        tag, at = varint(message, at)
        number, kind = tag >> 3, tag & 7
        if not 0 < number < 2**29:
            raise MalformedError("it has a field of no number")
        if kind == VARINT:
            value, at = varint(message, at)
            yield number, kind, value
        elif kind == BYTES:
            length, at = varint(message, at)
            if length > len(message) - at:
                raise MalformedError("it is cut short within a field")
            yield number, kind, message[at : at + length]
            at += length
        elif kind in WIDTHS:
            count, values = _run(message, begin, at - begin, WIDTHS[kind])
            at = begin + count * (at - begin + WIDTHS[kind])
            yield number, kind, values
        else:
            raise MalformedError(f"it has a field of the wire type {kind}, which no such file has")


def varint(message: memoryview, at: int) -> tuple[int, int]:
    """The number of variable length at a place, and the place after it.

    >>> varint(memoryview(bytes([150, 1])), 0)
    (150, 2)

    Raises: MalformedError if it does not end.
    """
    value = 0
    for shift in range(0, 70, 7):
        if at >= len(message):
            raise MalformedError("it is cut short within a number")
        byte = message[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, at
    raise MalformedError("it has a number of more than 10 bytes")


def numbers(values: Any, left: list[int]) -> list[int]:
    """The numbers of a repeated field of whole numbers, packed or a single one.

    Raises: MalformedError if they do not end.
    """
    if isinstance(values, int):
        return [values]
    found, at = [], 0
    while at < len(values):
        left[0] -= 1
        if left[0] < 0:
            raise MalformedError(f"it has more than {MOST:,} fields")
        value, at = varint(values, at)
        found.append(value)
    return found


def _run(message: memoryview, begin: int, head: int, width: int) -> tuple[int, memoryview]:
    """How many fields of one tag and a fixed width follow one another, and their values' bytes in a row."""
    step = head + width
    whole = (len(message) - begin) // step
    if not whole:
        raise MalformedError("it is cut short within a field")
    rows = np.frombuffer(message[begin : begin + whole * step], np.uint8).reshape(whole, step)
    # A run may be of millions or of one: the search grows with what it finds.
    count, chunk = 1, 64
    while count < whole:
        other = np.any(rows[count : count + chunk, :head] != rows[0, :head], axis=1)
        if other.any():
            count += int(np.argmax(other))
            break
        count, chunk = count + len(other), 2 * chunk
    return count, np.ascontiguousarray(rows[:count, head:]).reshape(-1).data
