"""`featviz dream`: what it writes, what it refuses, and that it goes on."""

import numpy as np
import pytest
from PIL import Image

from featviz.cli.main import run
from featviz.picture import load_picture


@pytest.fixture
def here(tmp_path, monkeypatch):
    """An empty folder with a photo, a guide and a mask."""
    monkeypatch.chdir(tmp_path)
    draw = np.random.default_rng(0)
    for name in ("photo", "guide", "mask"):
        Image.fromarray(draw.integers(0, 256, (48, 64, 3), np.uint8)).save(f"{name}.png")
    frames = tmp_path / "frames"
    frames.mkdir()
    for number in range(2):
        Image.fromarray(draw.integers(0, 256, (48, 64, 3), np.uint8)).save(frames / f"{number}.png")
    return tmp_path


def call(*words):
    """The exit status of a command."""
    try:
        run([*words])
    except SystemExit as stopped:
        return stopped.code
    return 0


QUICK = ("--octaves", "1", "--steps", "1")


@pytest.mark.parametrize(
    "words",
    [
        ("--layer", "conv2"),
        ("--layer", "conv2", "--layer", "conv1", "--target", "conv2:3", "--laplacian", "3"),
        ("--layer", "conv2", "--guide", "guide.png", "--mask", "mask.png"),
        ("--target", "conv2:-3", "--size", "40", "--jitter", "4", "--preview", "now.png"),
    ],
)
def test_a_dream_is_written_with_its_record(words, here):
    assert call("dream", "patterns", "photo.png", "-o", "out.png", *QUICK, *words) == 0
    picture = load_picture("out.png")
    assert picture.provenance["dream"]["steps"] == 1 and max(picture.pixels.shape) == (40 if "--size" in words else 64)
    assert not list(here.glob(".*"))


@pytest.mark.parametrize("source", [("photo.png", "--zoom", "3", "--rotate", "2"), ("frames",)])
def test_films_are_written(source, here):
    assert call("dream", "patterns", source[0], "--layer", "conv2", "-o", "film.webp", *QUICK, *source[1:]) == 0
    with Image.open("film.webp") as film:
        assert film.n_frames == (3 if "--zoom" in source else 2)
    assert not list(here.glob(".*"))


def test_a_video_becomes_a_video(here):
    pytest.importorskip("av", reason="PyAV is not installed")
    assert call("dream", "patterns", "frames", "--layer", "conv2", "-o", "one.mp4", *QUICK, "--rate", "5") == 0
    assert call("dream", "patterns", "one.mp4", "--layer", "conv2", "-o", "two.mp4", *QUICK) == 0
    from featviz.dreaming.video import read_frames

    frames, rate = read_frames("two.mp4")
    assert rate == 5 and len(list(frames)) == 2


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("photo.png", "-o", "out.png"), "nothing to dream of; expected --layer"),
        (("photo.png", "-o", "out.png", "--layer", "conv9"), "did you mean `conv"),
        (("photo.png", "-o", "out.png", "--guide", "guide.png", "--target", "conv2:1"), "--guide needs a --layer"),
        (("photo.png", "-o", "out.gif", "--layer", "conv2"), "expected --zoom FRAMES"),
        (("photo.png", "-o", "out.xyz", "--layer", "conv2"), "out.xyz"),
        (("photo.png", "-o", "out.png", "--layer", "conv2", "--octaves", "many"), "expected a whole number or auto"),
        (("frames", "-o", "out.gif", "--layer", "conv2", "--zoom", "3"), "--zoom goes with a photo"),
        (("none.png", "-o", "out.png", "--layer", "conv2"), "`none.png` cannot be read as an image"),
        (("photo.png", "-o", "out.png", "--layer", "conv2", "--mask", "none.png"), "--mask: `none.png`"),
    ],
)
def test_a_wrong_command_is_told_in_one_line(words, said, here, capsys):
    assert call("dream", "patterns", *words) == 2
    printed = capsys.readouterr().err.strip()
    assert said in printed and "\n" not in printed


def test_a_stopped_film_goes_on(here, monkeypatch, capsys):
    from featviz.dreaming.dream import Dreamer

    made, own = [], Dreamer.picture

    def stopping(self, moment, seed):
        made.append(seed)
        if len(made) == 3:
            raise KeyboardInterrupt
        return own(self, moment, seed)

    monkeypatch.setattr(Dreamer, "picture", stopping)
    words = ("dream", "patterns", "photo.png", "--layer", "conv2", "-o", "film.gif", "--zoom", "4", *QUICK)
    assert call(*words) == 1
    assert "goes on from the last finished frame" in capsys.readouterr().err
    assert not (here / "film.gif").exists()
    assert call(*words) == 0
    with Image.open("film.gif") as film:
        assert film.n_frames == 4
