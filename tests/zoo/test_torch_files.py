"""Files of torch.save are read without PyTorch, and nothing in them is executed."""

import os
import pickle
import struct
import zipfile

import numpy as np
import pytest
from support import weight_files as files
from support.weight_files import call, items, name, number, pickled, several, storage, tensor, text, whole, zipped

from featviz.errors import FeatvizError
from featviz.zoo.readers.weight_file import read_tensors

KINDS = ("float32", "float64", "float16", "bool", "uint8", "int8", "int16", "int32", "int64")
TENSORS = {f"{kind}.weight": np.arange(6).reshape(2, 3).astype(kind) for kind in KINDS} | {
    "scalar": np.array(7, np.int64),
    "empty": np.zeros((0, 3), np.float32),
}
ONE = np.arange(6, dtype=np.float32)
FLOATS = storage("0", "Float", 6)


def read(folder, data, file="net.pth"):
    (folder / file).write_bytes(data)
    return read_tensors(folder / file)


def refusal(folder, data):
    """The one line with which a file is refused."""
    with pytest.raises(FeatvizError) as caught:
        read(folder, data)
    said = str(caught.value)
    assert said.startswith("`weights`: `net.pth` ") and said.isprintable() and len(said) < 400
    return said


def of_pickle(value, stored=(ONE,)):
    return files.torch_zip(pickled(value), [array.tobytes() for array in stored])


@pytest.mark.parametrize("legacy", [False, True])
@pytest.mark.parametrize("file", ["net.pth", "net.safetensors", "net"])
def test_every_kind_of_value_whatever_the_file_is_called(tmp_path, legacy, file):
    found = read(tmp_path, files.saved(TENSORS, legacy=legacy), file)
    assert found.keys() == TENSORS.keys()
    for key, array in TENSORS.items():
        assert (found[key].dtype, found[key].shape) == (array.dtype, array.shape)
        np.testing.assert_array_equal(found[key], array)


def test_bfloat16_comes_as_float32(tmp_path):
    halves = np.array([0x3F80, 0xC000, 0x0001], "<u2")
    value = items({"a": tensor(storage("0", "BFloat16", 3), 0, (3,), (1,))})
    found = read(tmp_path, files.torch_zip(pickled(value), [halves.tobytes()]))["a"]
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, np.array([1, -2, 2.0**-133], np.float32))


def test_strides_offsets_and_shared_storages(tmp_path):
    value = items(
        {
            "transposed": tensor(FLOATS, 0, (3, 2), (1, 3)),
            "part": tensor(FLOATS, 1, (2,), (2,)),
            "parameter": call(name("torch._utils", "_rebuild_parameter"), whole("0", ONE), b"\x88", files.ORDERED),
            "older": tensor(FLOATS, 5, (), (), function="_rebuild_tensor"),
        }
    )
    found = read(tmp_path, of_pickle(value))
    np.testing.assert_array_equal(found["transposed"], ONE.reshape(2, 3).T)
    np.testing.assert_array_equal(found["part"], [1, 3])
    np.testing.assert_array_equal(found["parameter"], ONE)
    assert found["older"] == 5 and found["older"].shape == ()


@pytest.mark.parametrize(
    "wrap",
    [
        lambda state: state,
        lambda state: items({"epoch": number(3), "state_dict": state, "optimizer": items({"m": whole("0", ONE)})}),
        lambda state: items({"model": items({"state_dict": state})}, start=b"}"),
        lambda state: items({"module.layer": items({"weight": whole("0", ONE)})}),
        lambda state: several(state, items({"_metadata": b"}"}, start=b"}"))[1:-1] + b"b",
    ],
)
def test_checkpoints_that_hold_a_state_dict(tmp_path, wrap):
    found = read(tmp_path, of_pickle(wrap(items({"layer.weight": whole("0", ONE)}))))
    assert list(found) == ["layer.weight"]
    np.testing.assert_array_equal(found["layer.weight"], ONE)


def test_a_module_of_torchscript_is_named_as_its_state_dict(tmp_path):
    def module(fields):
        made = name("__torch__.torch.nn.modules.conv.___torch_mangle_3", "Conv2d") + b")\x81"
        return made + items(fields, start=b"}") + b"b"

    conv = module({"training": b"\x89", "weight": whole("0", ONE), "hook": b"N", "sizes": b"](K\x01e"})
    data = zipped(
        [
            ("net/data.pkl", pickled(module({"visual": module({"conv1": conv})}))),
            ("net/data/0", ONE.tobytes()),
            ("net/constants.pkl", b"\x80\x02)."),
        ]
    )
    assert list(read(tmp_path, data)) == ["visual.conv1.weight"]


def test_code_of_torchscript_may_be_compressed_since_it_is_not_read(tmp_path):
    plain = zipped([("net/data.pkl", pickled(items({"a": whole("0", ONE)}))), ("net/data/0", ONE.tobytes())])
    (tmp_path / "net.pth").write_bytes(plain)
    with zipfile.ZipFile(tmp_path / "net.pth", "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("net/code/__torch__.py", "class A: pass\n" * 99)
    np.testing.assert_array_equal(read_tensors(tmp_path / "net.pth")["a"], ONE)
    packed = zipped([("net/data.pkl", pickled(items({}))), ("net/data/0", b"0" * 999)], packing=zipfile.ZIP_DEFLATED)
    assert "`net/data.pkl` is compressed" in refusal(tmp_path, packed)


@pytest.mark.parametrize("legacy", [False, True])
def test_cut_at_every_byte(tmp_path, legacy):
    data = files.saved({"conv1.weight": ONE.reshape(2, 3), "conv1.bias": ONE[:2]}, legacy=legacy)
    for length in range(len(data)):
        refusal(tmp_path, data[:length])


def test_a_flipped_bit_of_the_values_is_detected(tmp_path):
    data = bytearray(files.saved({"a": ONE}))
    data[data.index(ONE.tobytes()) + 5] ^= 16
    assert "`net/data/0` is damaged: its checksum differs" in refusal(tmp_path, bytes(data))


class Trap:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
@pytest.mark.parametrize("legacy", [False, True])
def test_calls_in_a_pickle_are_not_executed(tmp_path, legacy, protocol):
    trap = pickle.dumps(Trap(tmp_path / "sprung"), protocol)
    data = files.torch_legacy(trap, [], []) if legacy else files.torch_zip(trap, [])
    assert "it names `posix.mkdir`, which is not part of a tensor; nothing was run" in refusal(tmp_path, data)
    assert not (tmp_path / "sprung").exists()


ATTACKS = {
    "a name of this reader": (name("featviz.zoo.readers.weight_file", "read_tensors"), "names `featviz.zoo.readers"),
    "a name within torch": (name("torch.hub", "load"), "it names `torch.hub.load`"),
    "a storage that is none": (name("torch", "evil.FloatStorage"), "it names `torch.evil.FloatStorage`"),
    "a storage called": (call(name("torch", "FloatStorage"), number(2**40)), "calls `torch.FloatStorage`"),
    "a text called": (call(text("os.mkdir"), text("a")), "calls something that is not a name"),
    "a stack global": (text("os") + text("mkdir") + b"\x93", "it names `os.mkdir`"),
    "a name of numbers": (number(1) + number(2) + b"\x93", "an invalid name"),
    "an instance": (b"(" + text("a") + b"ios\nmkdir\n", "the opcode 0x69"),
    "an extension": (b"\x82\x01", "the opcode 0x82"),
    "keywords": (b")}\x92", "the opcode 0x92"),
    "a persistent text": (b"Pos.mkdir\n", "the opcode 0x50"),
    "a persistent number": (number(3) + b"Q", "outside the pickle that is not a storage"),
    "a state of a tensor": (whole("0", ONE) + b"}b", "sets the state of something that is not a state dict"),
    "a state that is none": (files.ORDERED + number(3) + b"b", "sets the state of something that is not a state dict"),
    "an attribute": (files.ORDERED + several(b"N", items({"__class__": text("a")}, start=b"}")) + b"b", "the state of"),
    "a huge number": (b"\x8b" + struct.pack("<I", 2**31 - 1), "the opcode 0x8b"),
    "a huge text": (b"X" + struct.pack("<I", 2**32 - 1), "a text of 4,294,967,295 bytes"),
    "a huge memo": (b"}r\xff\xff\xff\xffj\xff\xff\xff\xff\x86", "no tensors with names"),
    "a memo that is not there": (b"h\x07", "recalls what it never kept"),
    "deep tuples": (b")" + b"\x85" * 400_000, "no tensors with names"),
    "deep lists": (b"]" * 100_000 + b"a" * 99_999, "no tensors with names"),
    "deep tuples as a key": (b"})" + b"\x85" * 1000 + b"Ns", "a key that is neither a text nor a number"),
    "deep dicts": (b"}" + (text("a") + b"}") * 99 + b"s" * 99, "more than 32 deep"),
    "a dict in itself": (b"}q\0" + text("a") + b"h\0s", "more than 32 deep"),
    "many steps": (b")" * 600_000, "more than 500,000 steps"),
    "an empty stack": (b"\x85", "takes from an empty stack"),
    "below a mark": (b"}(s", "takes from an empty stack"),
    "two values": (b"}}", "ends with values left over"),
    "a mark left": (b"}(", "ends with values left over"),
}  # fmt: skip


@pytest.mark.parametrize("attack", ATTACKS)
def test_malicious_pickles(tmp_path, attack):
    value, says = ATTACKS[attack]
    assert says in refusal(tmp_path, of_pickle(value))


def test_shared_nested_dicts_are_bounded(tmp_path):
    """Thirty levels of eight names for one dict are 8^30 paths to the lowest."""
    levels = {"0": b"}q\0"}
    for level in range(1, 30):
        eight = items({key: b"h" + bytes([level - 1]) for key in "abcdefgh"}, start=b"}")
        levels[str(level)] = eight + b"q" + bytes([level])
    assert "more than 200,000 values" in refusal(tmp_path, of_pickle(items(levels)))


SHAPES = [
    (0, (2**40,), (0,), "a tensor of 1,099,511,627,776 values"),
    (0, (7,), (1,), "a tensor of 7 values up to index 6; its storage has 6"),
    (1, (6,), (1,), "up to index 6"),
    (0, (2, 3), (4, 1), "up to index 6"),
    (6, (1,), (1,), "up to index 6"),
    (-1, (2,), (1,), "with an invalid shape"),
    (0, (2,), (-1,), "with an invalid shape"),
    (0, (-2,), (1,), "with an invalid shape"),
    (0, (2,), (1, 1), "with an invalid shape"),
    (0, (2**900,), (1,), "with an invalid shape"),
    (0, (1,) * 40, (1,) * 40, "with an invalid shape"),
    (0, (0, 2**40, 2**40), (1, 1, 1), "with an invalid shape"),
]


@pytest.mark.parametrize("offset, shape, strides, says", SHAPES)
def test_tensors_that_reach_beyond_their_storage(tmp_path, offset, shape, strides, says):
    assert says in refusal(tmp_path, of_pickle(items({"a": tensor(FLOATS, offset, shape, strides)})))


@pytest.mark.parametrize(
    "value, says",
    [
        (whole("9", ONE), "lacks `net/data/9`"),
        (tensor(storage("../../0", "Float", 6), 0, (6,), (1,)), "lacks `net/data/../../0`"),
        (tensor(storage("0", "Double", 6), 0, (6,), (1,)), "a storage of 24 bytes; its pickle says 48"),
        (tensor(storage("0", "Float", 2**40), 0, (6,), (1,)), "a storage of 24 bytes"),
        (tensor(storage("0", "Float", -6), 0, (6,), (1,)), "with an invalid size"),
        (tensor(storage("0", "Quantized", 6), 0, (6,), (1,)), "names `torch.QuantizedStorage`"),
        (number(3), "no tensors with names"),
    ],
)
def test_missing_and_invalid_storages(tmp_path, value, says):
    assert says in refusal(tmp_path, of_pickle(items({"a": value})))


def test_duplicate_names_and_storages(tmp_path):
    both = items({"a.b": whole("0", ONE), "a": items({"b": whole("0", ONE)})})
    assert "two tensors with the name `a.b`" in refusal(tmp_path, of_pickle(both))
    kinds = items({"a": whole("0", ONE), "b": tensor(storage("0", "Int", 6), 0, (6,), (1,))})
    assert "two storages with the key `0`" in refusal(tmp_path, of_pickle(kinds))


GOOD = [("net/data.pkl", pickled(items({"a": whole("0", ONE)}))), ("net/data/0", ONE.tobytes())]


@pytest.mark.parametrize(
    "extra, says",
    [
        ("../../etc/passwd", "the name `../../etc/passwd`, which leads out of its folder"),
        ("net/../../a", "leads out of its folder"),
        ("/etc/passwd", "leads out of its folder"),
        ("net\\..\\a", "leads out of its folder"),
        ("c:/a", "leads out of its folder"),
        ("other/data.pkl", "without the data.pkl of torch.save"),
    ],
)
def test_archives_with_names_outside_their_folder(tmp_path, extra, says):
    assert says in refusal(tmp_path, zipped([*GOOD, (extra, b"x")]))


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_malicious_archives(tmp_path):
    assert "two members `net/data/0`" in refusal(tmp_path, zipped([*GOOD, GOOD[1]]))
    assert "without the data.pkl" in refusal(tmp_path, zipped([("a.npy", b"x")]))
    assert "big-endian" in refusal(tmp_path, files.torch_zip(GOOD[0][1], [ONE.tobytes()], byteorder=b"big"))
    # The second entry is moved onto the first: its bytes would be counted twice.
    data = bytearray(zipped([*GOOD, ("net/data/1", ONE.tobytes())]))
    entries = [at for at in range(len(data)) if data.startswith(b"PK\1\2", at)]
    data[entries[2] + 42 : entries[2] + 46] = data[entries[1] + 42 : entries[1] + 46]
    assert "members that overlap" in refusal(tmp_path, bytes(data))
    # A size of four gigabytes, in the directory and its 64-bit field.
    data = bytearray(zipped(GOOD))
    entry = data.rindex(b"PK\1\2")
    data[entry + 20 : entry + 28] = struct.pack("<2I", 2**32 - 2, 2**32 - 2)
    assert "members that overlap" in refusal(tmp_path, bytes(data))
    data[entry + 20 : entry + 28] = struct.pack("<2I", 999, 24)
    assert "a member of two sizes" in refusal(tmp_path, bytes(data))


def test_legacy_files_that_contradict_themselves(tmp_path):
    pickle_ = pickled(files.state_dict({"a": ONE}, view=(b"N",)))
    data = files.torch_legacy(pickle_, [ONE.tobytes()], [6])
    np.testing.assert_array_equal(read(tmp_path, data)["a"], ONE)
    assert "1 bytes after its last storage" in refusal(tmp_path, data + b"x")
    assert "whose number of values is not the one in its pickle" in refusal(
        tmp_path, files.torch_legacy(pickle_, [ONE.tobytes()], [5])
    )
    assert "lacks the storage of a tensor" in refusal(tmp_path, files.torch_legacy(pickle_, [], []))
    assert "storage that no tensor uses" in refusal(tmp_path, files.torch_legacy(pickle_, [ONE.tobytes(), b""], [6, 0]))
    little = files.torch_legacy(pickle_, [ONE.tobytes()], [6], little=False)
    assert "big-endian" in refusal(tmp_path, little)


@pytest.mark.parametrize(
    "data, says",
    [
        (pickle.dumps({"a": 1}), "is a pickle; expected safetensors, a file of torch.save"),
        (b"\x93NUMPY\1\0" + bytes(99), "is a NumPy array file"),
        (b"<!DOCTYPE html><html>", "is a web page, not the file it offers"),
        (b"hello", "is of an unknown kind"),
        (b"", "is empty (0 bytes)"),
    ],
)
def test_other_files(tmp_path, data, says):
    assert says in refusal(tmp_path, data)
