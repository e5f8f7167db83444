"""Errors for a file of weights are one line that names the file and, where possible, the tensor."""

import json
import os
import pickle
import random
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest
import safetensors.numpy

from featviz.errors import FeatvizError
from featviz.zoo.readers.weight_file import read_tensors
from featviz.zoo.weights.load import flatten, read_weights, unflatten, write_weights

TREE = {
    "conv1": {"bias": np.arange(3, dtype=np.float32), "kernel": np.ones((1, 1, 2, 3), np.float32)},
    "fire2": {"expand1x1": {"bias": np.zeros(4, np.float32), "kernel": np.full((2, 4), 0.5, np.float32)}},
}
TEMPLATE = jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype), TREE)
FLAT = flatten(TREE)
WHOLE = safetensors.numpy.save(FLAT, metadata={"license": "none"})


def refusal(path: Path, template: Any = TEMPLATE) -> str:
    """The one line with which a file is refused, checked for what every such line promises."""
    with pytest.raises(FeatvizError) as caught:
        read_weights(path, template)
    text = str(caught.value)
    assert text.isprintable() and len(text) < 500
    assert text.startswith("`weights`: ") and f"`{path.name}`" in text
    assert str(path.parent) not in text
    return text


def made(folder: Path, data: bytes) -> Path:
    path = folder / "net.safetensors"
    path.write_bytes(data)
    return path


def with_header(header: Any, data: bytes = b"") -> bytes:
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def changed(**replaced: Any) -> bytes:
    """The whole file with tensors replaced, or left out where None; `__` stands for `/`."""
    tensors = FLAT | {name.replace("__", "/"): value for name, value in replaced.items()}
    return safetensors.numpy.save({name: value for name, value in tensors.items() if value is not None})


def test_round_trip(tmp_path):
    write_weights(tmp_path / "net.safetensors", TREE, metadata={"license": "none"})
    read = read_weights(tmp_path / "net.safetensors", TEMPLATE)
    jax.tree.map(np.testing.assert_array_equal, read, TREE)
    with safetensors.safe_open(tmp_path / "net.safetensors", framework="numpy") as tensors:
        assert tensors.metadata() == {"license": "none"}


def test_flatten_and_unflatten_are_inverse():
    assert unflatten(FLAT) == TREE
    assert sorted(FLAT)[-1] == "fire2/expand1x1/kernel"


@pytest.mark.parametrize("kind", ["transposed", "jax", "big endian", "scalar"])
def test_arrays_of_any_layout_are_written_by_value(tmp_path, kind):
    array = np.arange(6, dtype=np.float32).reshape(2, 3)
    value = {"transposed": array.T, "jax": jax.numpy.asarray(array), "big endian": array.astype(">f4")}
    value["scalar"] = np.float32(2)
    write_weights(tmp_path / "a.safetensors", {"a": value[kind]})
    shape = jax.ShapeDtypeStruct(np.shape(value[kind]), np.float32)
    np.testing.assert_array_equal(read_weights(tmp_path / "a.safetensors", {"a": shape})["a"], value[kind])


@pytest.mark.parametrize(
    "data, words",
    [
        (b"", ["is empty", "0 bytes"]),
        (b"{}", ["is not a safetensors file"]),
        (b"hello, these are my weights\n" * 9, ["is not a safetensors file"]),
        (b"\x89PNG\r\n\x1a\n" + bytes(60), ["a PNG picture"]),
        (b"\xff\xd8\xff\xe0" + bytes(60), ["a JPEG picture"]),
        (b"\x89HDF\r\n\x1a\n" + bytes(60), ["HDF5"]),
        (b"version https://git-lfs.github.com/spec/v1\n", ["Git LFS"]),
        (pickle.dumps(FLAT), ["a pickle"]),
        (struct.pack("<Q", 2**63) + b"{}", ["cut short or damaged", "header too large"]),
        (struct.pack("<Q", 90_000_000) + b"{}", ["cut short or damaged"]),
        (WHOLE + b"x", ["damaged", "not fully covered"]),
        (with_header([1]), ["is not a safetensors file"]),
        (with_header({}), ["holds another network", "of its 0 tensors 0 are among the 4 expected"]),
        (
            with_header({"a": {"dtype": "F32", "shape": [2**62, 8], "data_offsets": [0, 4]}}, bytes(4)),
            ["overflow"],
        ),
        (with_header({"a": {"dtype": "Z\n", "shape": [1], "data_offsets": [0, 4]}}, bytes(4)), ["damaged"]),
        (
            with_header({"a\nb" * 99: {"dtype": "F4", "shape": [8], "data_offsets": [0, 4]}}, bytes(4)),
            ["not `a?b"],
        ),
    ],
)
def test_invalid_safetensors_files(tmp_path, data, words):
    text = refusal(made(tmp_path, data))
    assert all(word in text for word in words), text


def test_a_zip_archive(tmp_path):
    with zipfile.ZipFile(tmp_path / "net.npz", "w") as archive:
        archive.writestr("conv1.npy", b"0" * 99)
    assert "zip archive, such as torch.save and numpy.savez write" in refusal(tmp_path / "net.npz")


def test_a_pickle_is_never_loaded(tmp_path):
    class Trap:
        def __reduce__(self) -> tuple[Callable, tuple]:
            return (os.mkdir, (str(tmp_path / "sprung"),))

    refusal(made(tmp_path, pickle.dumps(Trap())))
    assert not (tmp_path / "sprung").exists()


def test_cut_at_every_byte(tmp_path):
    for length in range(len(WHOLE)):
        refusal(made(tmp_path, WHOLE[:length]))


def test_random_damage_is_refused_or_harmless(tmp_path):
    random.seed(0)
    refused = 0
    for _ in range(300):
        data = bytearray(WHOLE)
        for _ in range(random.randint(1, 4)):
            # Most of the damage in the header, where it can mislead the reader.
            place = random.randrange(len(data) if random.random() < 0.3 else 300)
            match random.choice(["flip", "random", "drop", "add", "digit"]):
                case "flip":
                    data[place] ^= 1 << random.randrange(8)
                case "random":
                    data[place] = random.randrange(256)
                case "drop":
                    del data[place]
                case "add":
                    data.insert(place, random.randrange(256))
                case "digit":
                    data[place] = random.choice(b"0123456789[]{},:-")
        path = made(tmp_path, bytes(data))
        try:
            read = read_weights(path, TEMPLATE)
        except FeatvizError as error:
            refused += 1
            assert str(error).isprintable() and "net.safetensors" in str(error)
        else:
            assert {key: value.shape for key, value in flatten(read).items()} == {
                key: value.shape for key, value in FLAT.items()
            }
    assert refused > 150


def test_missing_file_hints_at_its_neighbor(tmp_path):
    assert "its folder does not exist" in refusal(tmp_path / "none" / "net.safetensors")
    assert "holds no safetensors file" in refusal(tmp_path / "net.safetensors")
    made(tmp_path, WHOLE)
    assert "did you mean `net.safetensors`?" in refusal(tmp_path / "nets.safetensors")


def test_things_that_are_not_regular_files(tmp_path):
    assert "is a folder" in refusal(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    assert "is not a regular file" in refusal(tmp_path / "pipe")
    assert "is a folder" in str(pytest.raises(FeatvizError, read_weights, "", TEMPLATE).value)
    made(tmp_path, WHOLE)
    assert "cannot be read: Not a directory" in refusal(tmp_path / "net.safetensors" / "inner")
    assert "cannot be read: File name too long" in str(
        pytest.raises(FeatvizError, read_weights, tmp_path / ("a" * 999), TEMPLATE).value
    )
    assert "null byte" in str(pytest.raises(FeatvizError, read_weights, "a\0b", TEMPLATE).value)


def test_file_that_may_not_be_read(tmp_path, monkeypatch):
    def forbid(path: Path, *_: Any, **__: Any) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    path = made(tmp_path, WHOLE)
    # A test may run as root, whom no mode stops.
    monkeypatch.setattr("safetensors.safe_open", forbid)
    monkeypatch.setattr("builtins.open", forbid)
    text = refusal(path)
    monkeypatch.undo()
    assert "cannot be read: Permission denied" in text


@pytest.mark.parametrize(
    "data, words",
    [
        (changed(conv1__bias=None), ["lacks the tensor `conv1/bias` of the 4 expected"]),
        (changed(conv1__bias=None, conv1__kernel=None), ["lacks the tensor `conv1/bias` and 1 more"]),
        (
            changed(conv1__bias=None, conv1__biases=FLAT["conv1/bias"]),
            ["lacks the tensor `conv1/bias`", "did you mean `conv1/biases`?"],
        ),
        (changed(conv9__bias=FLAT["conv1/bias"]), ["holds the tensor `conv9/bias` that the network lacks"]),
        (
            safetensors.numpy.save({f"params/{key}": value for key, value in FLAT.items()}),
            ["holds another network", "0 are among the 4", "`conv1/bias`", "not `params/conv1/bias`"],
        ),
        (changed(conv1__bias=np.zeros(5, np.float32)), ["`conv1/bias` of shape (5,)", "expected (3,)"]),
        (changed(conv1__bias=np.zeros((3, 1), np.float32)), ["shape (3, 1)", "expected (3,)"]),
        (changed(conv1__bias=np.zeros((), np.float32)), ["shape ()", "expected (3,)"]),
        (changed(conv1__bias=np.zeros(3, np.float64)), ["`conv1/bias` in float64", "expected float32"]),
        (changed(conv1__bias=np.zeros(3, np.int8)), ["`conv1/bias` in int8"]),
        (changed(conv1__bias=np.asarray(jax.numpy.zeros(3, "bfloat16"))), ["`conv1/bias` in bfloat16"]),
        (
            changed(conv1__bias=np.array([0, np.nan, 1], np.float32)),
            ["1 of 3 values of `conv1/bias` not finite"],
        ),
        (changed(conv1__bias=np.full(3, -np.inf, np.float32)), ["3 of 3 values of `conv1/bias` not finite"]),
    ],
)
def test_weights_of_another_network(tmp_path, data, words):
    text = refusal(made(tmp_path, data))
    assert all(word in text for word in words), text


def test_a_shape_of_many_axes_stays_one_line(tmp_path):
    header = {
        key: {"dtype": "F32", "shape": [1] * 999, "data_offsets": [4 * i, 4 * i + 4]} for i, key in enumerate(FLAT)
    }
    assert "of shape (1, 1, " in refusal(made(tmp_path, with_header(header, bytes(16))))


def test_writing_keeps_the_old_file_when_it_fails(tmp_path, monkeypatch):
    path = made(tmp_path, WHOLE)

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(FeatvizError, match="cannot write `.*net.safetensors`: No space left on device"):
        write_weights(path, TREE)
    assert path.read_bytes() == WHOLE
    assert [file.name for file in tmp_path.iterdir()] == ["net.safetensors"]


def test_writing_where_one_cannot(tmp_path):
    with pytest.raises(FeatvizError, match="none` does not exist; expected a folder for `a.safetensors`"):
        write_weights(tmp_path / "none" / "a.safetensors", TREE)
    (tmp_path / "folder").mkdir()
    with pytest.raises(FeatvizError, match="folder` is a folder; expected a path for a file"):
        write_weights(tmp_path / "folder", TREE)
    with pytest.raises(FeatvizError, match="`a.safetensors` cannot be written"):
        write_weights(tmp_path / "a.safetensors", {"a": np.array(["text"], dtype=object)})
    assert [file.name for file in tmp_path.iterdir()] == ["folder"]


def test_numbers_that_numpy_lacks_are_named(tmp_path):
    header = json.dumps({"a": {"dtype": "F8_E4M3", "shape": [4], "data_offsets": [0, 4]}}).encode()
    (tmp_path / "net.safetensors").write_bytes(len(header).to_bytes(8, "little") + header + bytes(4))
    with pytest.raises(FeatvizError, match="it has numbers of type float8_e4m3fn, which NumPy lacks"):
        read_tensors(tmp_path / "net.safetensors")
