"""Plain arrays are read from Keras's .h5 files; everything else that HDF5 can hold is refused."""

import sys

import numpy as np
import pytest
from support import weight_files as files

from featviz.errors import FeatvizError
from featviz.zoo.readers.weight_file import read_tensors

h5py = pytest.importorskip("h5py", reason="h5py is not installed; the extra `hdf5` brings it")

LAYERS = {
    "conv1": {"conv1/kernel:0": np.arange(24, dtype=np.float32).reshape(2, 2, 3, 2), "conv1/bias:0": np.ones(2)},
    "bn": {"bn/moving_mean:0": np.zeros(2, np.float16)},
}


def refusal(path):
    with pytest.raises(FeatvizError) as caught:
        read_tensors(path)
    said = str(caught.value)
    assert said.startswith(f"`weights`: `{path.name}` ") and said.isprintable() and len(said) < 400
    return said


@pytest.fixture
def made(tmp_path):
    """`made(write)` is a file into which `write` wrote, beside a good array."""

    def make(write):
        with h5py.File(tmp_path / "net.h5", "w") as file:
            file["good"] = np.ones(3, np.float32)
            write(file)
        return tmp_path / "net.h5"

    return make


def test_names_are_those_of_keras(tmp_path):
    (tmp_path / "net.h5").write_bytes(files.keras(LAYERS))
    found = read_tensors(tmp_path / "net.h5")
    wanted = {name: array for weights in LAYERS.values() for name, array in weights.items()}
    assert found.keys() == wanted.keys()
    for name, array in wanted.items():
        np.testing.assert_array_equal(found[name], array, strict=True)


def test_a_layer_whose_name_has_a_slash(tmp_path):
    wanted = {"conv1/conv/kernel:0": np.ones((1, 1, 3, 2)), "conv1/bn/gamma:0": np.arange(2.0), "fc_W_1:0": np.ones(2)}
    layers = {layer: {name: wanted[name]} for layer, name in zip(("conv1/conv", "conv1/bn", "fc"), wanted, strict=True)}
    (tmp_path / "net.h5").write_bytes(files.keras(layers))
    found = read_tensors(tmp_path / "net.h5")
    assert found.keys() == wanted.keys() and all(np.array_equal(found[name], wanted[name]) for name in wanted)


def test_the_weights_of_a_whole_model(tmp_path):
    (tmp_path / "layers.h5").write_bytes(files.keras(LAYERS))
    with h5py.File(tmp_path / "layers.h5") as layers, h5py.File(tmp_path / "net.h5", "w") as file:
        layers.copy(layers, file, name="model_weights")
        file.create_group("optimizer_weights")["step"] = np.ones(2)
    assert sorted(read_tensors(tmp_path / "net.h5")) == ["bn/moving_mean:0", "conv1/bias:0", "conv1/kernel:0"]


def test_the_newer_kind_of_file_keeps_its_paths(made):
    def write(file):
        file["layers/conv/vars/0"] = np.ones(2, np.float32)

    assert sorted(read_tensors(made(write))) == ["good", "layers/conv/vars/0"]


def external(file):
    file.create_dataset("a", (4,), "u1", external=[("/etc/passwd", 0, 4)])


def virtual(file):
    layout = h5py.VirtualLayout((3,), "f4")
    layout[:] = h5py.VirtualSource(".", "good", (3,))
    file.create_virtual_dataset("a", layout)


WRONG = {
    "external link": (lambda file: file.__setitem__("a", h5py.ExternalLink("/etc/passwd", "/a")), "`a` is a link"),
    "soft link": (lambda file: file.__setitem__("a", h5py.SoftLink("/good")), "`a` is a link"),
    "external values": (external, "`a` has its values elsewhere"),
    "virtual": (virtual, "`a` has its values elsewhere"),
    "reference": (lambda file: file.__setitem__("a", file["good"].ref), "`a` holds values that are not numbers"),
    "text": (lambda file: file.__setitem__("a", "text"), "`a` holds values that are not numbers"),
    "compound": (lambda file: file.__setitem__("a", np.zeros(2, "i4,f4")), "`a` holds values that are not numbers"),
    "type": (lambda file: file.__setitem__("a", np.dtype("f4")), "neither a group nor an array"),
    "compressed": (
        lambda file: file.create_dataset("a", data=np.zeros(10**6), compression="gzip"),
        "`a` is compressed or chunked",
    ),
    "chunked": (lambda file: file.create_dataset("a", data=np.zeros(9), chunks=(3,)), "`a` is compressed or chunked"),
    "bomb": (lambda file: file.create_dataset("a", (2**40,), "f4"), "`a` lacks values"),
    "no shape": (lambda file: file.__setitem__("a", h5py.Empty("f4")), "`a` has no shape"),
    "circle": (lambda file: file.create_group("b").__setitem__("c", file["/"]), "16 deep"),
    "link to the model": (
        lambda file: file.__setitem__("model_weights", h5py.SoftLink("/")),
        "`model_weights` is a link",
    ),
}


@pytest.mark.parametrize("what", WRONG)
def test_anything_but_plain_arrays_is_refused(made, what):
    write, says = WRONG[what]
    assert says in refusal(made(write))


def test_one_array_under_many_names_counts_each_time(made):
    def names(file):
        file["large"] = np.ones(2**16, np.float32)
        for number in range(50):
            file[f"again{number}"] = file["large"]

    assert "its arrays have more bytes than the file" in refusal(made(names))


def test_cut_at_many_bytes(tmp_path):
    data = files.keras(LAYERS)
    for length in [*range(0, 200), *range(200, len(data), 37)]:
        (tmp_path / "net.h5").write_bytes(data[:length])
        refusal(tmp_path / "net.h5")


def test_the_error_without_h5py_says_what_to_install(made, monkeypatch):
    path = made(lambda file: None)
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(FeatvizError, match=r"reading HDF5 needs h5py; install it with `pip install featviz\[hdf5\]`"):
        read_tensors(path)
