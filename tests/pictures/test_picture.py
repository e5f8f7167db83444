"""A picture keeps what it was given, in memory and in its files: pixels, alpha, record."""

import json
import os
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from support.pictures import PROVENANCE, make, one_line

from featviz.ascent.outcome import Outcome
from featviz.errors import FeatvizError
from featviz.pictures.picture import Picture, load_picture, plain_json


@pytest.mark.parametrize("suffix", [".png", ".webp", ".PNG"])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("alpha", [False, True])
def test_image_files_are_exact_to_8_bits(tmp_path: Path, suffix: str, channels: int, alpha: bool) -> None:
    drawn = make(channels, alpha=alpha)
    path = drawn.save(tmp_path / f"103{suffix}")
    again = load_picture(path)
    assert again.pixels.shape == drawn.pixels.shape and again.pixels.dtype == np.float32
    np.testing.assert_array_equal(again.to_uint8(), drawn.to_uint8())
    assert (again.alpha is not None) == alpha
    assert (again.score, again.outcome, dict(again.provenance)) == (12.5, Outcome.CONVERGED, PROVENANCE)
    np.testing.assert_array_equal(again.history, drawn.history)
    assert sorted(os.listdir(tmp_path)) == sorted(["103.json", f"103{suffix}"])


@pytest.mark.parametrize("channels", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("alpha", [False, True])
def test_arrays_are_exact(tmp_path: Path, channels: int, alpha: bool) -> None:
    drawn = make(channels, alpha=alpha)
    drawn = make(channels, alpha=alpha, pixels=drawn.pixels * 3 - 1)
    again = load_picture(drawn.save(str(tmp_path / "a.npy")))
    np.testing.assert_array_equal(again.pixels, drawn.pixels)
    if alpha:
        np.testing.assert_array_equal(again.alpha, drawn.alpha)
    else:
        assert again.alpha is None


def test_an_array_without_record_is_all_pixels(tmp_path: Path) -> None:
    make(3, alpha=True).save(tmp_path / "a.npy")
    (tmp_path / "a.json").unlink()
    again = load_picture(tmp_path / "a.npy")
    assert again.pixels.shape == (6, 5, 4) and again.alpha is None
    assert np.isnan(again.score) and again.history.size == 0 and again.name == "picture"


def test_bytes_round_half_to_even_and_clip() -> None:
    # In float32, 0.5 / 255 and 2.5 / 255 times 255 are exactly 0.5 and 2.5.
    row = np.array([0.5, 1.5, 2.5, -9.0, 300.0], np.float32) / np.float32(255)
    assert (row[[0, 2]] * np.float32(255)).tolist() == [0.5, 2.5]
    assert make(pixels=row[None, :, None]).to_uint8()[0, :, 0].tolist() == [0, 2, 2, 0, 255]
    odd = np.array([np.nan, np.inf, -np.inf])[None, :, None]
    assert make(pixels=odd).to_uint8()[0, :, 0].tolist() == [0, 255, 0]


@pytest.mark.parametrize(
    ("channels", "alpha", "mode"), [(1, False, "L"), (1, True, "LA"), (3, False, "RGB"), (3, True, "RGBA")]
)
def test_png_mode(tmp_path: Path, channels: int, alpha: bool, mode: str) -> None:
    with Image.open(make(channels, alpha=alpha).save(tmp_path / "a.png")) as image:
        assert image.mode == mode


def test_the_json_is_strict_and_sorted(tmp_path: Path) -> None:
    history = np.array([1, np.nan, np.inf, -np.inf])
    provenance = {"name": "a:1", "limit": float("inf"), "lanes": np.int64(8), "size": (6, 5)}
    drawn = make(score=np.nan, outcome=Outcome.NOT_FINITE, history=history, provenance=provenance)
    drawn.save(tmp_path / "a.png")
    text = (tmp_path / "a.json").read_text()

    def refuse(constant: str) -> None:
        raise AssertionError(constant)

    record = json.loads(text, parse_constant=refuse)
    assert record == {
        "channels": 3,
        "history": [1.0, "NaN", "Infinity", "-Infinity"],
        "lanes": 8,
        "limit": "Infinity",
        "name": "a:1",
        "outcome": "not finite",
        "score": "NaN",
        "size": [6, 5],
    }
    assert text == json.dumps(record, sort_keys=True, indent=1) + "\n"
    again = load_picture(tmp_path / "a.png")
    np.testing.assert_array_equal(again.history, history.astype(np.float32))
    assert np.isnan(again.score) and again.outcome is Outcome.NOT_FINITE


def test_the_png_holds_the_record_in_its_own_chunk(tmp_path: Path) -> None:
    path = make().save(tmp_path / "a.png")
    data, at, found = path.read_bytes(), 8, []
    while at < len(data):
        (length,), kind = struct.unpack(">I", data[at : at + 4]), data[at + 4 : at + 8]
        found += [data[at + 8 : at + 8 + length]] if kind == b"iTXt" else []
        at += length + 12
    assert len(found) == 1 and found[0].startswith(b"featviz\0")
    assert json.loads(found[0].split(b"\0")[-1]) == json.loads((tmp_path / "a.json").read_text())
    (tmp_path / "a.json").unlink()
    again = load_picture(path)
    assert dict(again.provenance) == PROVENANCE and again.score == 12.5
    np.testing.assert_array_equal(again.history, make().history)


def test_saving_twice_gives_the_same_bytes(tmp_path: Path) -> None:
    first, second = make().save(tmp_path / "a.png"), make().save(tmp_path / "b.png")
    assert first.read_bytes() == second.read_bytes()
    assert make(score=3).save(first) == first and load_picture(first).score == 3


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"pixels": np.zeros((2, 2, 3), np.uint8)}, "`pixels` are uint8; expected floats"),
        ({"pixels": np.zeros((2, 2))}, r"`pixels` have shape \(2, 2\); expected"),
        ({"pixels": np.zeros((0, 2, 3))}, "`pixels` have shape"),
        ({"history": np.zeros((2, 2))}, "`history` has shape"),
    ],
)
def test_bad_pictures(changes: dict[str, Any], match: str) -> None:
    with pytest.raises(FeatvizError, match=match):
        make(**changes)
    with pytest.raises(FeatvizError, match=r"`alpha` has shape \(2, 2\); expected \(6, 5\)"):
        Picture(make().pixels, 0, Outcome.DEAD, np.zeros(1), {}, np.zeros((2, 2)))


def test_provenance_must_be_plain(tmp_path: Path) -> None:
    with pytest.raises(FeatvizError, match="`provenance.recipe.blur` holds a function; expected plain JSON"):
        make(provenance={"recipe": {"blur": one_line}}).save(tmp_path / "a.png")
    assert os.listdir(tmp_path) == []
    assert plain_json({1: np.bool_(True)}) == {"1": True}


def test_notebook_and_window(monkeypatch: pytest.MonkeyPatch) -> None:
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot

    monkeypatch.setattr(pyplot, "show", lambda: None)
    for channels in (1, 2, 3, 5):
        drawn = make(channels, alpha=True)
        assert drawn._repr_png_().startswith(b"\x89PNG")
        assert drawn.preview().mode == ("RGBA" if channels > 2 else "LA")
        drawn.show()
    pyplot.close("all")


def test_a_picture_is_an_array_of_its_pixels() -> None:
    picture = make(alpha=True)
    assert np.shares_memory(np.asarray(picture), picture.pixels)
    np.testing.assert_array_equal(np.asarray(picture), picture.pixels)
    assert np.asarray(picture, np.float64).dtype == np.float64
    copied = np.array(picture)
    assert not np.shares_memory(copied, picture.pixels) and copied.dtype == np.float32
    assert np.stack([picture, picture]).shape == (2, *picture.pixels.shape)
    from matplotlib.figure import Figure

    shown = Figure().add_subplot().imshow(picture)
    np.testing.assert_allclose(shown.get_array(), picture.pixels)


def test_the_repr_is_short() -> None:
    assert repr(make()) == "<Picture inception_4c:103, 6 x 5 x 3, score 12.5, converged>"


@pytest.mark.parametrize("interactive", [False, True])
def test_show_leaves_no_figure_open_and_warns_of_none(interactive, monkeypatch, recwarn):
    import matplotlib
    from matplotlib import pyplot

    matplotlib.use("Agg", force=True)
    with pyplot.ioff() if not interactive else pyplot.ion():
        for _ in range(25):
            make().show()
        # What goes wrong while it draws leaves none either.
        monkeypatch.setattr(pyplot, "show", lambda: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            make().show()
    assert pyplot.get_fignums() == []
    assert not [warning for warning in recwarn if "figures" in str(warning.message)]
