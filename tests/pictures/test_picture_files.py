"""The files of pictures: complete or absent, refused before the work, and read whatever they hold."""

import os
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from support.pictures import make, one_line

from featviz.common import files
from featviz.errors import FeatvizError
from featviz.pictures.picture import check_picture_path, load_picture


@pytest.mark.parametrize("suffix", [".png", ".npy"])
@pytest.mark.parametrize("fails_at", [1, 2, 3])
def test_a_failing_write_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str, fails_at: int
) -> None:
    real, calls = files._write_beside, []

    def full_disk(target: Path, data: bytes) -> str:
        calls.append(target)
        if len(calls) == fails_at:
            raise FeatvizError("cannot write: No space left on device")
        return real(target, data)

    # The calls: the check before, the record, the picture.
    monkeypatch.setattr(files, "_write_beside", full_disk)
    with pytest.raises(FeatvizError, match="No space"):
        make().save(tmp_path / f"a{suffix}")
    assert os.listdir(tmp_path) == []


def test_an_interrupt_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", interrupt)
    with pytest.raises(KeyboardInterrupt):
        make().save(tmp_path / "a.png")
    assert os.listdir(tmp_path) == []


def test_the_picture_is_named_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real, order = os.replace, []
    monkeypatch.setattr(os, "replace", lambda a, b: (order.append(Path(b).name), real(a, b)))
    make().save(tmp_path / "a.png")
    assert order == ["a.json", "a.png"]


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
        for attempt in (check_picture_path, make().save):
            with pytest.raises(FeatvizError, match=match) as error:
                attempt(path)
            one_line(error)
    assert sorted(os.listdir(tmp_path)) == ["file", "folder.png"]


def test_a_read_only_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def read_only(*_: object, **__: object) -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr("builtins.open", read_only)
    with pytest.raises(FeatvizError, match="cannot write .*a.png`: Read-only file system"):
        check_picture_path(tmp_path / "a.png")


def test_checking_leaves_nothing(tmp_path: Path) -> None:
    assert check_picture_path(tmp_path / "a.png") == tmp_path / "a.png"
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("a.jpg", "ends in `.jpg`; did you mean `.png`?"),
        ("a.webpp", "ends in `.webpp`; did you mean `.webp`?"),
        ("a", "has no extension; expected one of `.png`, `.webp`, `.npy`"),
    ],
)
def test_unknown_extensions(tmp_path: Path, name: str, message: str) -> None:
    for attempt in (make().save, check_picture_path, load_picture):
        if attempt is load_picture:
            (tmp_path / name).write_bytes(b"")
        with pytest.raises(FeatvizError) as error:
            attempt(tmp_path / name)
        assert one_line(error).endswith(message)


def test_a_name_without_extension_of_nothing_is_refused_as_missing(tmp_path: Path) -> None:
    with pytest.raises(FeatvizError, match="there is no file `.*nofolder`; expected a picture"):
        load_picture(tmp_path / "nofolder")


@pytest.mark.parametrize("channels", [2, 4, 5])
def test_many_bands_only_as_array(tmp_path: Path, channels: int) -> None:
    for name in ("a.png", "a.webp"):
        with pytest.raises(FeatvizError, match=f"{channels} channels.*expected a `.npy` path"):
            make(channels).save(tmp_path / name)
    assert os.listdir(tmp_path) == []


def test_a_json_of_somebody_else_is_not_overwritten(tmp_path: Path) -> None:
    for text in ('{"dependencies": {}}', "[1]", "not json"):
        (tmp_path / "package.json").write_text(text)
        with pytest.raises(FeatvizError, match="is no picture's record"):
            make().save(tmp_path / "package.png")
        assert (tmp_path / "package.json").read_text() == text
    assert os.listdir(tmp_path) == ["package.json"]


def test_a_json_of_somebody_else_is_not_read(tmp_path: Path) -> None:
    Image.new("RGB", (3, 2), (255, 0, 51)).save(tmp_path / "a.png")
    (tmp_path / "a.json").write_text('{"name": "package"}')
    photo = load_picture(tmp_path / "a.png")
    assert photo.name == "picture" and photo.pixels.shape == (2, 3, 3)
    np.testing.assert_allclose(photo.pixels[0, 0], [1, 0, 0.2], atol=1e-7)


def test_other_kinds_of_png(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    Image.fromarray(np.array([[0, 65535, 13107]], np.uint16)).save(path)
    np.testing.assert_allclose(load_picture(path).pixels[0, :, 0], [0, 1, 0.2], atol=1e-7)
    Image.new("1", (2, 2), 1).save(path)
    np.testing.assert_array_equal(load_picture(path).pixels, np.ones((2, 2, 1)))
    Image.new("RGB", (2, 2), (255, 0, 0)).convert("P").save(path)
    np.testing.assert_array_equal(load_picture(path).pixels[0, 0], [1, 0, 0])
    Image.new("P", (2, 2)).save(path, transparency=0)
    assert load_picture(path).alpha is not None


def bomb() -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    # 100 million pixels: Pillow itself would only warn.
    header = struct.pack(">IIBBBBB", 10000, 10000, 8, 0, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


def test_files_that_hold_no_picture(tmp_path: Path) -> None:
    whole = make().save(tmp_path / "whole.png").read_bytes()
    array = make().save(tmp_path / "whole.npy").read_bytes()
    webp = make().save(tmp_path / "whole.webp").read_bytes()
    np.save(tmp_path / "objects.npy", np.array([[{}]], object), allow_pickle=True)
    np.save(tmp_path / "integers.npy", np.zeros((2, 2), int))
    np.save(tmp_path / "line.npy", np.zeros(3))
    np.save(tmp_path / "nothing.npy", np.zeros((0, 2, 3)))
    np.savez(tmp_path / "zip.npz", a=np.zeros(3))
    huge = array.replace(b"(6, 5, 3), }      ", b"(60000, 50000, 3)}")
    assert huge != array
    Image.new("RGB", (2, 2)).save(tmp_path / "jpeg.jpg")
    contents = {
        "empty.png": b"",
        "text.png": b"hello",
        "cut.png": whole[: len(whole) // 2],
        "webp.png": webp,
        "jpeg.png": (tmp_path / "jpeg.jpg").read_bytes(),
        "bomb.png": bomb(),
        "cut.webp": webp[:40],
        "empty.npy": b"",
        "text.npy": b"hello",
        "cut.npy": array[:-4],
        "huge.npy": huge,
        "zip.npy": (tmp_path / "zip.npz").read_bytes(),
        "flipped.png": whole[:-40] + b"????" + whole[-36:],
    }
    for name, data in contents.items():
        (tmp_path / name).write_bytes(data)
    (tmp_path / "folder.png").mkdir()
    others = ["objects.npy", "integers.npy", "line.npy", "nothing.npy", "folder.png", "none.png"]
    for name in [*contents, *others]:
        with pytest.raises(FeatvizError) as error:
            load_picture(tmp_path / name)
        assert name in one_line(error)


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[" * 100_000,
        '{"score": [], "outcome": "dead", "history": []}',
        '{"score": 1, "outcome": "ded", "history": []}',
        '{"score": 1, "outcome": "dead", "history": ["x"]}',
    ],
)
def test_damaged_records(tmp_path: Path, text: str) -> None:
    path = make().save(tmp_path / "a.png")
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(FeatvizError, match="record of .*a\\.(png|json)`") as error:
        load_picture(path)
    one_line(error)
