"""`featviz dream`: what it writes, what it refuses, and that it continues."""

import json

import numpy as np
import pytest
from PIL import Image
from support.commands import status as call

from featviz.pictures.picture import load_picture


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


QUICK = ("--octaves", "1", "--steps", "1")
DREAM = ("photo.png", "-o", "out.png", "--layer", "conv2")
ZOOM = ("photo.png", "-o", "out.gif", "--layer", "conv2", "--zoom")
WRONG = [(option, text) for option in ("--octaves", "--steps") for text in ("0", "9" * 20)]
WRONG += [("--octave-scale", "nan"), ("--octave-scale", "inf"), ("--jitter", "-1"), ("--laplacian", "13")]
WRONG += [("--tile", "7"), ("--seed", "-1"), ("--keep", "nan"), ("--keep", "1"), ("--rate", "0"), ("--rate", "inf")]
WRONG_FILMS = [
    (("0",), "`frames` is 0"),
    (("2", "--zoom-by", "1"), "`zoom` is 1.0"),
    (("2", "--zoom-by", "nan"), "`zoom` is nan"),
    (("2", "--rotate", "inf"), "`rotate` is inf"),
]


@pytest.mark.parametrize(
    "words",
    [
        ("--layer", "conv2"),
        ("--layers", "conv2,conv1", "--target", "conv2:3", "--laplacian", "3"),
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


@pytest.mark.parametrize(
    ("words", "out"),
    [((), "out.png"), (("--zoom", "2", "--zoom-by", "0"), "film.webp"), (("--size", "40"), "small.png")],
)
def test_channels_are_kept(words, out, here):
    keep = ("--keep-channels", "0,2")
    assert call("dream", "patterns", "photo.png", "--layer", "conv2", "-o", out, *QUICK, *keep, *words) == 0
    if out == "out.png":
        photo, dreamed = (np.asarray(Image.open(name)) for name in ("photo.png", "out.png"))
        np.testing.assert_array_equal(dreamed[..., [0, 2]], photo[..., [0, 2]])
        assert (dreamed[..., 1] != photo[..., 1]).any()


def test_a_mask_holds_for_frames_as_well(here):
    Image.fromarray(np.zeros((48, 64), np.uint8)).save("black.png")
    ramp = np.broadcast_to(np.linspace(60, 190, 64).astype(np.uint8)[None, :, None], (48, 64, 3))
    for number in range(2):
        Image.fromarray(ramp).save(f"frames/{number}.png")
    changed = []
    for mask in ((), ("--mask", "black.png")):
        words = ("--layer", "conv2", *QUICK, "--step-size", "60", *mask)
        assert call("dream", "patterns", "frames", "-o", "film.webp", *words) == 0
        with Image.open("film.webp") as film:
            changed.append(np.abs(np.asarray(film.convert("RGB"), float) - ramp).mean())
    # WebP's own loss is some 2 levels.
    assert changed[1] < 5 < 20 < changed[0]


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
        (("photo.png", "-o", "out.png"), "there is nothing to maximize; expected --layer"),
        (("photo.png", "-o", "out.png", "--layer", "conv9"), "did you mean `conv"),
        (("photo.png", "-o", "out.png", "--guide", "guide.png", "--target", "conv2:1"), "--guide goes with --layers"),
        (("photo.png", "-o", "out.gif", "--layer", "conv2"), "expected --zoom FRAMES"),
        (("photo.png", "-o", "out.xyz", "--layer", "conv2"), "out.xyz"),
        (("photo.png", "-o", "out.png", "--layer", "conv2", "--octaves", "many"), "expected a whole number or auto"),
        (("frames", "-o", "out.gif", "--layer", "conv2", "--zoom", "3"), "--zoom goes with a photo"),
        (("frames", "-o", "out.gif", "--layer", "conv2", "--size", "40"), "--size goes with a photo"),
        (("frames", "-o", "out.gif", "--layer", "conv2", "--preview", "now.png"), "--preview goes with a single dream"),
        (("photo.png", "-o", "out.png", "--layer", "conv2", "--rotate", "2"), "expected --zoom FRAMES as well"),
        (("photo.png", "-o", "out.png", "--layer", "conv2", "--size", "0"), "`--size` is 0; expected a whole number"),
        (("photo.png", "-o", "out.png", "--layer", "conv2", "--step-size", "0"), "of 255, such as 1.5"),
        *[((*DREAM, option, text), f"`{option[2:].replace('-', '_')}` is ") for option, text in WRONG],
        ((*DREAM, "--octaves", "12"), "the smallest would be"),
        *[((*ZOOM, *more), said) for more, said in WRONG_FILMS],
        (("photo.png", "-o", "out.png", "--layer", "conv2", "--keep-channels", "r"), "is `r`; expected channels, such"),
        (("photo.png", "-o", "out.png", "--layer", "conv2", "--keep-channels", "3"), "expected some of the 3 channels"),
        (("none.png", "-o", "out.png", "--layer", "conv2"), "`none.png` does not exist"),
        (("photo.png", "-o", "out.png", "--layer", "conv2", "--mask", "none.png"), "--mask: `none.png`"),
    ],
)
def test_a_wrong_command_is_told_in_one_line(words, said, here, capsys):
    assert call("dream", "patterns", *words) == 2
    printed = capsys.readouterr().err.strip()
    assert said in printed and "\n" not in printed


def test_an_interrupted_film_continues(here, monkeypatch, capsys):
    from featviz.dreaming.prepared_dream import PreparedDream

    made, own = [], PreparedDream.picture

    def stopping(self, state, seed):
        made.append(seed)
        if len(made) == 3:
            raise KeyboardInterrupt
        return own(self, state, seed)

    monkeypatch.setattr(PreparedDream, "picture", stopping)
    words = ("dream", "patterns", "photo.png", "--layer", "conv2", "-o", "film.gif", "--zoom", "4", *QUICK)
    assert call(*words) == 130
    assert "the same command continues from the last finished frame" in capsys.readouterr().err
    assert not (here / "film.gif").exists()
    assert call(*words) == 0
    with Image.open("film.gif") as film:
        assert film.n_frames == 4


def test_a_spectrum_of_ones_own_photographs_is_drawn_with(here, capsys):
    assert call("spectrum", "frames", "-o", "own.safetensors", "--size", "32") == 0
    words = ("render", "patterns", "conv2:3", "--recipe", "maco_uniform", "--size", "32", "--steps", "2")
    assert call(*words, "-o", "own.png", "--spectrum", "own.safetensors") == 0
    assert call(*words, "-o", "shipped.png") == 0
    own, shipped = load_picture("own.png"), load_picture("shipped.png")
    assert np.abs(own.pixels - shipped.pixels).mean() > 0.01
    assert own.provenance["command"] is None and shipped.provenance["command"] is not None
    assert call("render", "patterns", "conv2:3", "-o", "x.png", "--spectrum", "own.safetensors") == 2
    assert "--recipe maco_2023" in capsys.readouterr().err
    assert call(*words, "-o", "x.png", "--spectrum", "photo.png") == 2


def test_facets_of_a_unit_differ(here):
    words = ("render", "patterns", "mixed3a:3", "--size", "32", "--steps", "12", "-o", "facets")
    assert call(*words, "--facets", "3") == 0
    pictures = [load_picture(f"facets/mixed3a-3-facet{number}.png").pixels for number in range(3)]
    assert np.abs(pictures[0] - pictures[1]).mean() > 0.02
    assert (here / "facets" / "sheet.png").exists()


def test_a_class_by_its_name_and_a_negative_unit(here):
    from featviz import load

    number = load("patterns").class_index("ring")
    assert call("render", "patterns", "logit:Ring", "--size", "32", "--steps", "2", "-o", "class.png") == 0
    assert load_picture("class.png").name == f"logit:{number}"
    assert call("render", "patterns", "conv2:-3", "--size", "32", "--steps", "2", "-o", "negative.png") == 0
    assert load_picture("negative.png").name == "-conv2:3"
    assert call("render", "patterns", "logit:no such thing", "-o", "x.png") == 2


@pytest.mark.parametrize(
    ("name", "text", "status"),
    [
        ("names.txt", "\n".join(f"thing {number}" for number in range(58)), 0),
        ("names.json", json.dumps({str(number): [f"n{number}", f"thing {number}, it"] for number in range(58)}), 0),
        ("names.json", json.dumps([f"thing {number}" for number in range(57)]), 2),
        ("names.json", "{", 2),
        ("names.json", json.dumps([[]] * 58), 2),
        ("names.json", json.dumps([1] * 58), 2),
    ],
)
def test_classes_are_named_by_a_file(name, text, status, here):
    (here / name).write_text(text)
    words = ("render", "patterns", "logit:thing 5", "--classes", name, "--size", "32", "--steps", "1", "-o", "x.png")
    assert call(*words) == status
    assert status or load_picture("x.png").name == "logit:5"
