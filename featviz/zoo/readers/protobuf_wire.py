"""Protobuf's wire format: the fields of a message, without a description of it (protobuf.dev, "Encoding")."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from featviz.zoo.readers.reading_errors import Budget, MalformedError

VARINT, FIXED_64, BYTES, FIXED_32 = 0, 1, 2, 5
WIDTHS = {FIXED_32: 4, FIXED_64: 8}
# The number of fields read from one file, a run of numbers counting once: GoogLeNet has some thousand.
MAX_FIELDS = 200_000

# A field's number, its wire type, and its value: an int for VARINT, else the bytes.
Field = tuple[int, int, Any]


def field_budget() -> Budget:
    """The budget of one file."""
    return Budget(MAX_FIELDS, f"it has more than {MAX_FIELDS:,} fields")


def fields(message: memoryview, budget: Budget) -> Iterator[Field]:
    """The fields of a message in order; consecutive values of fixed width are one field, their bytes concatenated.

    Args:
        message: The message.
        budget: The number of fields that may be read, shared by all messages of a file.

    Raises:
        MalformedError: If the message ends within a field or has an invalid one.

    >>> [(number, kind, value) for number, kind, value in fields(memoryview(bytes([8, 150, 1])), field_budget())]
    [(1, 0, 150)]
    """
    offset = 0
    while offset < len(message):
        budget.spend(1)
        begin = offset
        tag, offset = varint(message, offset)
        number, kind = tag >> 3, tag & 7
        if not 0 < number < 2**29:
            raise MalformedError("it has a field with an invalid number")
        if kind == VARINT:
            value, offset = varint(message, offset)
            yield number, kind, value
        elif kind == BYTES:
            length, offset = varint(message, offset)
            if length > len(message) - offset:
                raise MalformedError("it is cut short within a field")
            yield number, kind, message[offset : offset + length]
            offset += length
        elif kind in WIDTHS:
            count, values = _run(message, begin, offset - begin, WIDTHS[kind])
            offset = begin + count * (offset - begin + WIDTHS[kind])
            yield number, kind, values
        else:
            raise MalformedError(f"it has a field of the unknown wire type {kind}")


def varint(message: memoryview, offset: int) -> tuple[int, int]:
    """The integer of variable length at an offset, and the offset behind it.

    Raises:
        MalformedError: If it does not end.

    >>> varint(memoryview(bytes([150, 1])), 0)
    (150, 2)
    """
    value = 0
    for shift in range(0, 70, 7):
        if offset >= len(message):
            raise MalformedError("it is cut short within a number")
        byte = message[offset]
        offset += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, offset
    raise MalformedError("it has a number of more than 10 bytes")


def integers(values: int | memoryview, budget: Budget) -> list[int]:
    """The values of a repeated field of integers, packed or single.

    Raises:
        MalformedError: If they do not end.
    """
    if isinstance(values, int):
        return [values]
    unpacked, offset = [], 0
    while offset < len(values):
        budget.spend(1)
        value, offset = varint(values, offset)
        unpacked.append(value)
    return unpacked


def _run(message: memoryview, begin: int, head: int, width: int) -> tuple[int, memoryview]:
    """The number of consecutive fields of one tag and a fixed width, and the bytes of their values concatenated."""
    step = head + width
    available = (len(message) - begin) // step
    if not available:
        raise MalformedError("it is cut short within a field")
    rows = np.frombuffer(message[begin : begin + available * step], np.uint8).reshape(available, step)
    # A run may have one field or millions: the searched chunk grows.
    count, chunk = 1, 64
    while count < available:
        other = np.any(rows[count : count + chunk, :head] != rows[0, :head], axis=1)
        if other.any():
            count += int(np.argmax(other))
            break
        count, chunk = count + len(other), 2 * chunk
    return count, np.ascontiguousarray(rows[:count, head:]).reshape(-1).data
