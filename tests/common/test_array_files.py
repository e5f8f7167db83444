import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import save_file

from featviz.common.array_files import array_bytes, read_arrays
from featviz.errors import FeatvizError


def read(path):
    return read_arrays(path, "form 1", "a thing", missing="a file of a thing", other="a file of `make`")


def test_arrays_and_metadata_come_back(tmp_path):
    save_file({"a": np.arange(3)}, tmp_path / "thing.safetensors", {"format": "form 1", "more": "text"})
    metadata, arrays = read(tmp_path / "thing.safetensors")
    assert metadata["more"] == "text"
    np.testing.assert_array_equal(arrays["a"], np.arange(3))


def test_the_same_arrays_and_metadata_are_the_same_bytes(tmp_path):
    arrays = {"b": np.arange(5, dtype=np.float32), "a": np.ones((2, 3), np.float16)}
    metadata = {name: name.upper() + " é" for name in ("record", "format", "code", "normalization", "more")}
    files = {array_bytes(arrays, dict(sorted(metadata.items(), reverse=turn))) for turn in (False, True) * 4}
    assert len(files) == 1
    (tmp_path / "d.safetensors").write_bytes(files.pop())
    with safe_open(tmp_path / "d.safetensors", "numpy") as file:
        assert file.metadata() == metadata
        for name, array in arrays.items():
            np.testing.assert_array_equal(file.get_tensor(name), array, strict=True)


def test_what_cannot_be_read_is_said_in_one_line(tmp_path):
    path = tmp_path / "thing.safetensors"
    for write, message in [
        (lambda: None, f"`{path}` does not exist; expected a file of a thing"),
        (lambda: path.write_bytes(b"no"), "`thing.safetensors` cannot be read as a thing: "),
        (
            lambda: save_file({}, path),
            "`thing.safetensors` is not a thing in this version's format; expected a file of `make`",
        ),
    ]:
        write()
        with pytest.raises(FeatvizError) as caught:
            read(path)
        assert str(caught.value).startswith(message)
        assert "\n" not in str(caught.value)
