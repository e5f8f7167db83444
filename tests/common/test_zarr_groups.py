"""A Zarr group is whole or absent, says its kind, and grows by rows."""

import os

import numpy as np
import pytest
import zarr

from featviz.common.zarr_groups import holds_kind, new_group, read_json, reading_errors, write_json, write_rows
from featviz.errors import FeatvizError


def test_a_group_that_is_filled_has_its_name(tmp_path):
    path = tmp_path / "deep" / "a"
    with new_group(path, purpose="numbers") as group:
        group.attrs["kind"] = "numbers"
        assert not path.exists()
    assert os.listdir(path.parent) == ["a"] and path.stat().st_mode & 0o777 == 0o755
    assert holds_kind(path, "numbers") and not holds_kind(path, "letters")


@pytest.mark.parametrize("error", [ValueError("x"), KeyboardInterrupt()], ids=["error", "Ctrl-C"])
def test_a_group_whose_filling_fails_is_absent(tmp_path, error):
    with pytest.raises(type(error)), new_group(tmp_path / "a", purpose="numbers"):
        raise error
    assert os.listdir(tmp_path) == []


def test_a_full_disk_is_said_in_one_line(tmp_path):
    with (
        pytest.raises(FeatvizError, match=r"a` cannot be written: No space left on device$"),
        new_group(tmp_path / "a", purpose="numbers"),
    ):
        raise OSError(28, "No space left on device")
    assert os.listdir(tmp_path) == []


def test_what_cannot_be_a_new_folder_is_refused(tmp_path):
    (tmp_path / "note.txt").write_text("x")
    for path in (tmp_path, tmp_path / "note.txt"):
        with (
            pytest.raises(FeatvizError, match="(holds other things|is a file); expected a new folder for numbers"),
            new_group(path, purpose="numbers"),
        ):
            pass
    with (
        pytest.raises(FeatvizError, match="cannot be made: "),
        new_group(tmp_path / "note.txt" / "a", purpose="numbers"),
    ):
        pass
    assert os.listdir(tmp_path) == ["note.txt"]


@pytest.mark.parametrize("text", [None, "no JSON", "[]", '{"attributes": {}}'])
def test_other_folders_are_of_no_kind(tmp_path, text):
    if text is not None:
        (tmp_path / "zarr.json").write_text(text)
    assert not holds_kind(tmp_path, "numbers")


def test_rows_extend_an_array_and_replace_what_is_there(tmp_path):
    array = zarr.create_array(tmp_path / "a", shape=(0, 2), chunks=(3, 2), dtype="int32")
    write_rows(array, 0, np.ones((5, 2), np.int32))
    write_rows(array, 3, np.full((4, 2), 2, np.int32))
    write_rows(array, 0, np.zeros((1, 2), np.int32))
    assert array[:, 0].tolist() == [0, 1, 1, 2, 2, 2, 2]


def test_json_beside_the_arrays(tmp_path):
    assert read_json(tmp_path, "names", []) == []
    write_json(tmp_path, "names", ["a"])
    assert (tmp_path / "names.json").read_bytes() == b'["a"]\n' and read_json(tmp_path, "names", []) == ["a"]
    (tmp_path / "names.json").write_text("[")
    with pytest.raises(FeatvizError, match=r"names.json cannot be read: "):
        read_json(tmp_path, "names", [])


def test_an_array_that_cannot_be_decoded_is_named(tmp_path):
    damaged = pytest.raises(
        FeatvizError, match=r"a`: maxima is damaged: no zstd; delete the folder and run its command"
    )
    with damaged, reading_errors(tmp_path / "a", "maxima"):
        raise RuntimeError("no zstd")
    with pytest.raises(IndexError), reading_errors(tmp_path / "a", "maxima"):
        [][1]


def test_a_damaged_description_is_told_from_a_folder_of_other_things(tmp_path):
    (tmp_path / "zarr.json").write_text("{")
    damaged = pytest.raises(FeatvizError, match=r"has a damaged zarr\.json; expected a new folder for numbers")
    with damaged, new_group(tmp_path, purpose="numbers"):
        pass
    (tmp_path / "zarr.json").write_text("{}")
    with pytest.raises(FeatvizError, match="holds other things"), new_group(tmp_path, purpose="numbers"):
        pass
