"""Caffemodels of both formats are read field by field."""

import numpy as np
import pytest
from support import weight_files as files
from support.mutations import LAYERS
from support.weight_files import blob, caffemodel, field, varint

from featviz.errors import FeatvizError
from featviz.zoo.readers.weight_file import read_tensors

FOUND = {f"{layer}.{role}": blobs[at] for layer, blobs in LAYERS.items() for at, role in enumerate(("weight", "bias"))}


def read(folder, data):
    (folder / "net.caffemodel").write_bytes(data)
    return read_tensors(folder / "net.caffemodel")


def refusal(folder, data):
    with pytest.raises(FeatvizError) as caught:
        read(folder, data)
    said = str(caught.value)
    assert said.startswith("`weights`: `net.caffemodel` ") and said.isprintable() and len(said) < 400
    return said


def of_blob(*parts, version=100):
    name, blobs = (1, 7) if version == 100 else (4, 6)
    return field(1, "net") + field(version, field(name, "ip") + b"".join(field(blobs, part) for part in parts))


@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize("old", [True, False])
def test_both_kinds_of_layers_and_of_values(tmp_path, old, packed):
    found = read(tmp_path, caffemodel(LAYERS, old=old, packed=packed))
    assert found.keys() == FOUND.keys()
    for name, array in FOUND.items():
        np.testing.assert_array_equal(found[name], array, strict=True)


def test_values_in_several_pieces_and_fields_of_no_use(tmp_path):
    data = np.arange(6, dtype="<f4").tobytes()
    pieces = field(5, data[:8]) + varint(5 << 3 | 5) + data[8:12] + field(9, b"12345678") + field(5, data[12:])
    found = read(tmp_path, of_blob(field(7, field(1, 2) + field(1, 3)) + pieces))
    np.testing.assert_array_equal(found["ip.weight"], np.arange(6, dtype=np.float32).reshape(2, 3), strict=True)


def test_doubles_and_further_blobs(tmp_path):
    double = field(7, field(1, varint(2))) + field(8, np.arange(2, dtype="<f8").tobytes())
    found = read(tmp_path, of_blob(double, double, double))
    assert list(found) == ["ip.weight", "ip.bias", "ip.blob2"]
    np.testing.assert_array_equal(found["ip.blob2"], np.arange(2.0), strict=True)


@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize("old", [True, False])
def test_cut_at_every_byte_it_is_refused_or_lacks_layers(tmp_path, old, packed):
    data = caffemodel(LAYERS, old=old, packed=packed)
    refused = 0
    for length in range(len(data)):
        try:
            found = read(tmp_path, data[:length])
        except FeatvizError:
            refused += 1
        else:  # between two layers, where a file may end
            assert found.keys() < FOUND.keys()
    assert refused == len(data) - 1


VALUES = field(5, np.zeros(6, "<f4").tobytes())


@pytest.mark.parametrize(
    "data, says",
    [
        (of_blob(field(7, field(1, varint(2) + varint(4))) + VALUES), "a blob of 6 values; its shape asks for 8"),
        (of_blob(field(7, field(1, varint(2**62) * 9)) + VALUES), "with an invalid shape"),
        (of_blob(field(7, field(1, varint(1) * 40)) + VALUES), "with an invalid shape"),
        (of_blob(field(7, field(1, varint(2**31 - 1) * 3))), "a blob of 0 values"),
        (of_blob(VALUES), "a blob of 6 values; its shape asks for 1"),
        (of_blob(field(1, 6) + VALUES), "a blob of 6 values; its shape asks for 0"),
        (of_blob(field(5, b"123")), "ends within a number"),
        (of_blob(field(7, field(1, 6)) + VALUES + field(8, bytes(48))), "two kinds of values"),
        (of_blob(blob(FOUND["classifier.bias"])) + of_blob(blob(FOUND["classifier.bias"]))[5:], "two layers"),
        (field(1, "net") + field(2, field(1, "old")), "Caffe's format of 2013"),
        (field(1, "net") + field(100, field(1, b"\xff\xfe")), "a name that is not UTF-8"),
        (field(1, "net"), "has no layer with weights"),
        (field(1, "net") + b"\x0b" * 9, "a field of the unknown wire type 3"),
        (field(1, "net") + b"\x00\x00", "a field with an invalid number"),
        (field(1, "net") + b"\x10" + b"\xff" * 11, "a number of more than 10 bytes"),
        (field(1, "net") + b"\xa2\x06" + varint(2**60), "cut short within a field"),
        (field(1, "net") + b"\x08\x01" * 200_001, "more than 200,000 fields"),
        (of_blob(field(7, field(1, b"\x01" * 200_001)) + VALUES), "more than 200,000 fields"),
        (b'name: "GoogleNet"\nlayer { }', "is of an unknown kind"),
        (b"\nlayer { }", "cannot be read as a .caffemodel"),
    ],
)
def test_invalid_files(tmp_path, data, says):
    assert says in refusal(tmp_path, data)


def test_a_million_separate_numbers_are_read_quickly(tmp_path):
    many = np.arange(1_000_000, dtype=np.float32)
    found = read(tmp_path, files.caffemodel({"ip": [many.reshape(1000, 1000), many[:3]]}, packed=False))
    np.testing.assert_array_equal(found["ip.weight"].ravel(), many)
