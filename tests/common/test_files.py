"""A file is whole or absent, and a path that cannot take one is told before the work."""

import os
from pathlib import Path

import pytest

from featviz.common.files import check_folder, check_suffix, check_writable, write_all_atomic, write_atomic
from featviz.errors import ArgumentError, FeatvizError


def test_a_failing_rename_keeps_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_atomic(tmp_path / "a.bin", b"old")

    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", refuse)
        with pytest.raises(FeatvizError, match="Permission denied") as error:
            write_atomic(tmp_path / "a.bin", b"new")
    assert "\n" not in str(error.value)
    assert os.listdir(tmp_path) == ["a.bin"] and (tmp_path / "a.bin").read_bytes() == b"old"
    write_atomic(tmp_path / "a.bin", b"new")
    assert (tmp_path / "a.bin").read_bytes() == b"new"


def test_a_full_disk_changes_no_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_atomic(tmp_path / "a.bin", b"old")
    real, calls = os.fsync, []

    def full_disk(descriptor: int) -> None:
        calls.append(descriptor)
        if len(calls) == 2:
            raise OSError(28, "No space left on device")
        real(descriptor)

    monkeypatch.setattr(os, "fsync", full_disk)
    with pytest.raises(FeatvizError, match="cannot write .*b.bin`: No space left on device"):
        write_all_atomic([(tmp_path / "a.bin", b"new"), (tmp_path / "b.bin", b"new")])
    assert os.listdir(tmp_path) == ["a.bin"] and (tmp_path / "a.bin").read_bytes() == b"old"


def test_a_file_is_readable_by_those_whom_the_umask_lets(tmp_path: Path) -> None:
    (tmp_path / "plain.bin").write_bytes(b"")
    path = write_atomic(tmp_path / "a.bin", b"new")
    assert path.stat().st_mode == (tmp_path / "plain.bin").stat().st_mode


def test_checking_leaves_nothing(tmp_path: Path) -> None:
    assert check_writable(tmp_path / "a.bin") == tmp_path / "a.bin"
    (tmp_path / "b.bin").write_bytes(b"old")
    check_writable(tmp_path / "b.bin")
    assert os.listdir(tmp_path) == ["b.bin"] and (tmp_path / "b.bin").read_bytes() == b"old"


def test_places_that_take_no_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "folder.png").mkdir()
    for path, match in [
        (tmp_path / "missing" / "a.png", "missing` does not exist; expected a folder"),
        (tmp_path / "file" / "a.png", "file` is not a folder"),
        (tmp_path / "folder.png", "is a folder; expected a path for a file"),
        (tmp_path / ("a" * 300 + ".png"), "File name too long"),
        (tmp_path / "a\0.png", "is not a path"),
    ]:
        for attempt in (check_writable, lambda target: write_atomic(target, b"")):
            with pytest.raises(FeatvizError, match=match) as error:
                attempt(path)
            assert "\n" not in str(error.value)
    with pytest.raises(FeatvizError, match="device"):
        check_writable("/dev/null")
    assert sorted(os.listdir(tmp_path)) == ["file", "folder.png"]


def test_a_read_only_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def read_only(*_: object, **__: object) -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr("builtins.open", read_only)
    with pytest.raises(FeatvizError, match="cannot write .*a.png`: Read-only file system"):
        check_writable(tmp_path / "a.png")


def test_unknown_extensions() -> None:
    with pytest.raises(FeatvizError, match=r"`a/b.jpg` ends in `.jpg`; did you mean `.png`"):
        check_suffix("a/b.jpg", (".png", ".webp"))
    with pytest.raises(FeatvizError, match=r"`b` has no extension; expected one of `.png`, `.webp`"):
        check_suffix("b", (".png", ".webp"))


def test_a_file_in_the_place_of_a_folder_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "file", tmp_path / "file" / "deep" / "down"):
        with pytest.raises(ArgumentError, match=r"file` is a file; expected a folder for the pages"):
            check_folder(path, purpose="the pages")
    assert check_folder(tmp_path / "new" / "er", purpose="the pages") == tmp_path / "new" / "er"
    assert check_folder(tmp_path, purpose="the pages").is_dir() and not (tmp_path / "new").exists()
