"""Caffe's `.caffemodel`: a protobuf NetParameter, whose layers hold their weights as blobs.

Field numbers are those of BVLC's caffe.proto. Blobs are named after their layer as PyTorch would name them,
`conv1/7x7_s2.weight` and `.bias`.
"""

import io
import math

import numpy as np

from featviz.zoo.readers.protobuf_wire import BYTES, FIXED_32, FIXED_64, VARINT, field_budget, fields, integers
from featviz.zoo.readers.reading_errors import Budget, MalformedError, one_line

# NetParameter: layers of 2014 (V1LayerParameter), and later ones (LayerParameter).
V1, V2 = 2, 100
# For each of the two: the field numbers of its name, its type, and its blobs.
PARTS = {V1: (4, 5, 6), V2: (1, 2, 7)}
# The type of a fully connected layer in each.
INNER_PRODUCT = {V1: 14, V2: "InnerProduct"}
# V1LayerParameter: the inner layer of 2013.
V0 = 1
# BlobProto: the four sides of the old format (num, channels, height, width), then the shape, and the values.
SIDES, SHAPE, DATA, DOUBLE = (1, 2, 3, 4), 7, 5, 8
# The names of a layer's blobs.
ROLES = ("weight", "bias")


def read_caffe(file: io.BufferedIOBase, size: int) -> dict[str, np.ndarray]:
    """The blobs of a Caffe network's layers by name.

    Raises:
        MalformedError: If the file is damaged.
    """
    message = memoryview(file.read(size))
    if len(message) != size:
        raise MalformedError("it is cut short")
    budget = field_budget()
    tensors: dict[str, np.ndarray] = {}
    for number, kind, value in fields(message, budget):
        if kind != BYTES or number not in PARTS:
            continue
        for name, array in _layer(value, number, budget):
            if name in tensors:
                raise MalformedError(f"it has two layers with the weights `{one_line(name, limit=80)}`")
            tensors[name] = array
    if not tensors:
        raise MalformedError("it has no layer with weights")
    return tensors


def _layer(message: memoryview, version: int, budget: Budget) -> list[tuple[str, np.ndarray]]:
    name_field, type_field, blob_field = PARTS[version]
    name, kind_of_layer, blobs = "", None, []
    for number, kind, value in fields(message, budget):
        if version == V1 and number == V0:
            raise MalformedError("its layers are of Caffe's format of 2013; expected that of 2014 or later")
        if kind == BYTES and number == name_field:
            name = _text(value)
        elif number == type_field and kind == (VARINT if version == V1 else BYTES):
            kind_of_layer = value if version == V1 else _text(value)
        elif kind == BYTES and number == blob_field:
            blobs.append(_blob(value, budget))
    dense = kind_of_layer == INNER_PRODUCT[version]
    roles = [*ROLES, *(f"blob{number}" for number in range(len(ROLES), len(blobs)))]
    return [
        (f"{name}.{role}", _without_unit_sides(blob, dense, role))
        for role, blob in zip(roles, blobs, strict=False)
        if blob.size
    ]


def _without_unit_sides(blob: np.ndarray, dense: bool, role: str) -> np.ndarray:
    """The blob without the sides of 1 that the old format puts before a matrix or a vector."""
    rank = {"weight": 2 if dense else blob.ndim, "bias": 1}.get(role, blob.ndim)
    extra = blob.ndim - rank
    return blob.reshape(blob.shape[extra:]) if extra > 0 and all(side == 1 for side in blob.shape[:extra]) else blob


def _blob(message: memoryview, budget: Budget) -> np.ndarray:
    old_sides: dict[int, int] = {}
    shape: list[int] | None = None
    parts: dict[int, list[np.ndarray]] = {DATA: [], DOUBLE: []}
    for number, kind, value in fields(message, budget):
        if kind == VARINT and number in SIDES:
            old_sides[number] = value
        elif kind == BYTES and number == SHAPE:
            shape = shape or []
            for inner, _, sides in fields(value, budget):
                shape += integers(sides, budget) if inner == 1 else []
        elif number in parts and kind in (BYTES, FIXED_32 if number == DATA else FIXED_64):
            parts[number].append(_values(value, "<f4" if number == DATA else "<f8"))
    axes = shape if shape is not None else [old_sides.get(number, 0) for number in SIDES] if old_sides else []
    pieces = parts[DATA] or parts[DOUBLE]
    if parts[DATA] and parts[DOUBLE]:
        raise MalformedError("it has a blob with two kinds of values")
    values = np.concatenate(pieces) if len(pieces) > 1 else pieces[0] if pieces else np.zeros(0, np.float32)
    if len(axes) > 16 or not all(0 <= side < 2**31 for side in axes):
        raise MalformedError("it has a blob with an invalid shape")
    if (math.prod(axes) if axes else min(values.size, 1)) != values.size:
        raise MalformedError(f"it has a blob of {values.size:,} values; its shape asks for {math.prod(axes):,}")
    return values.reshape(axes) if values.size else np.zeros(0, np.float32)


def _values(value: memoryview, form: str) -> np.ndarray:
    if len(value) % np.dtype(form).itemsize:
        raise MalformedError("it has a blob that ends within a number")
    return np.frombuffer(value, form)


def _text(value: memoryview) -> str:
    try:
        return bytes(value).decode("utf-8")
    except UnicodeDecodeError:
        raise MalformedError("it has a name that is not UTF-8") from None
