"""Frames of folders, videos and animations: all of them, in their order, upright, or one line that says why not."""

import io
import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from featviz.common.photograph import IMAGE_SUFFIXES, readable_suffixes
from featviz.dreaming.film_files import save_film
from featviz.dreaming.video import frame_order, read_frames, turn
from featviz.errors import FeatvizError


def as_bytes(image):
    return np.round(image * 255).astype(np.uint8)


def test_a_folder_of_frames_is_read_in_order(photo, tmp_path):
    for number, values in enumerate([photo, 1 - photo]):
        Image.fromarray(as_bytes(values)).save(tmp_path / f"{number:03d}.png")
    found = list(read_frames(tmp_path)[0])
    np.testing.assert_allclose(found, [photo, 1 - photo], atol=1 / 255)
    assert next(read_frames(tmp_path, channels=1)[0]).shape == (72, 96, 1)
    with pytest.raises(FeatvizError, match="the network wants 5 channels; expected 1 or 3"):
        read_frames(tmp_path, channels=5)


@settings(max_examples=50, deadline=None)
@given(
    numbers=st.sets(st.integers(0, 2000), min_size=2, max_size=8),
    pattern=st.sampled_from(["{}", "frame{}", "frame_{:03d}", "a2_{}_b", "{:02d}x", "Frame {}", "shot-1.{}"]),
    mixed=st.booleans(),
)
def test_numbers_in_names_are_ordered_by_value(numbers, pattern, mixed):
    names = [pattern.format(number) + (".png" if number % 2 or not mixed else ".JPG") for number in sorted(numbers)]
    assert sorted(sorted(names), key=frame_order) == names


WRITTEN = sorted(
    {suffix for suffix, kind in Image.registered_extensions().items() if kind in Image.SAVE}
    & readable_suffixes()
    & IMAGE_SUFFIXES
    # Of floats, and vector formats.
    - {".pfm"}
)


@pytest.mark.parametrize("suffix", WRITTEN)
def test_images_of_every_type_are_frames(suffix, tmp_path):
    image = Image.new("L" if suffix in (".pgm",) else "1" if suffix == ".pbm" else "RGB", (16, 16), "white")
    Image.new("RGB", (16, 16)).save(tmp_path / "1.png")
    image.save(tmp_path / f"2{suffix}")
    (tmp_path / "notes.txt").write_text("not a frame")
    (tmp_path / "._1.png").write_text("the system's note about 1.png")
    means = [float(frame.mean()) for frame in read_frames(tmp_path)[0]]
    np.testing.assert_allclose(means, [0, 1], atol=0.02)


@pytest.mark.parametrize("suffix", sorted(IMAGE_SUFFIXES - readable_suffixes()))
def test_images_that_cannot_be_read_are_refused_at_once(suffix, tmp_path):
    Image.new("RGB", (16, 16)).save(tmp_path / "1.png")
    (tmp_path / f"2{suffix}").write_bytes(b"\0" * 64)
    with pytest.raises(FeatvizError, match=f"`2{suffix}` in the folder .* cannot be read") as error:
        read_frames(tmp_path)
    assert "\n" not in str(error.value)


# The display matrix of each quarter turn and mirroring, ((a, b), (c, d)) in units of 65536.
MATRICES = [((a, b), (c, d)) for a in (-1, 0, 1) for b in (-1, 0, 1) for c in (-1, 0, 1) for d in (-1, 0, 1)
            if abs(a * d - b * c) == 1 and a * c + b * d == 0 and abs(a) + abs(b) == 1]  # fmt: skip


@pytest.mark.parametrize("matrix", MATRICES, ids=str)
def test_a_turned_video_is_shown_as_its_matrix_says(matrix, tmp_path):
    pytest.importorskip("av", reason="PyAV is not installed")
    # Three corners of different brightness, so that all eight ways to turn and mirror differ.
    image = np.zeros((32, 64, 3), np.float32)
    image[:12, :12], image[:12, -12:], image[-12:, :12] = 1, 0.66, 0.33
    path = save_film([image] * 2, tmp_path / "film.mp4")
    data = bytearray(path.read_bytes())
    start = data.index(b"tkhd") + 44
    (a, b), (c, d) = (np.array(matrix) * 65536).tolist()
    data[start : start + 36] = struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30)
    path.write_bytes(bytes(data))
    # The definition, pixel by pixel: (x, y) is shown at (x a + y c, x b + y d), moved into the first quadrant.
    rows, columns = np.mgrid[:32, :64]
    (a, b), (c, d) = matrix
    shown_columns, shown_rows = columns * a + rows * c, columns * b + rows * d
    shown_rows, shown_columns = shown_rows - shown_rows.min(), shown_columns - shown_columns.min()
    expected = np.zeros((shown_rows.max() + 1, shown_columns.max() + 1, 3), np.float32)
    expected[shown_rows, shown_columns] = image
    for frame in read_frames(path)[0]:
        assert frame.shape == expected.shape and np.abs(frame - expected).mean() < 0.03


def test_a_matrix_that_is_no_quarter_turn_leaves_the_frame(photo):
    half = int(65536 * np.sqrt(0.5))
    for matrix in (None, np.zeros((2, 2)), np.array([[half, half], [-half, half]]), np.array([[1, 0], [1, 0]])):
        np.testing.assert_array_equal(turn(photo, matrix), photo)


def test_an_animation_is_read_frame_by_frame(photo, tmp_path):
    frames = [Image.fromarray(as_bytes(values)) for values in (photo, 1 - photo)]
    for suffix in (".gif", ".webp", ".png", ".avif"):
        if suffix not in readable_suffixes():
            continue
        path = tmp_path / f"film{suffix}"
        frames[0].save(path, save_all=True, append_images=frames[1:], duration=200)
        found, rate = read_frames(path)
        shown = list(found)
        assert rate == 5 and len(shown) == 2
        for one, other in zip(shown, (photo, 1 - photo), strict=True):
            assert np.abs(one - other).mean() < 0.06


def sound_only(path):
    import av

    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=8000)
        stream.layout = "mono"
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), "f4"), format="fltp", layout="mono")
        frame.rate = 8000
        for packet in [*stream.encode(frame), *stream.encode()]:
            container.mux(packet)


def damaged(path):
    save_film([np.random.default_rng(0).random((72, 96, 3), np.float32)] * 30, path)
    data = bytearray(path.read_bytes())
    start = data.index(b"mdat") + 4
    data[start : start + 4000] = bytes(min(4000, len(data) - start))
    path.write_bytes(bytes(data))


def cut_animation(path):
    buffer = io.BytesIO()
    frames = [Image.fromarray(as_bytes(np.random.default_rng(i).random((64, 64, 3)))) for i in range(3)]
    frames[0].save(buffer, "WEBP", save_all=True, append_images=frames[1:])
    path.write_bytes(buffer.getvalue()[: len(buffer.getvalue()) // 3])


UNREADABLE = {
    "sound.mp4": sound_only,
    "damaged.mp4": damaged,
    "text.mp4": lambda path: path.write_text("no video"),
    "empty.mov": lambda path: path.write_bytes(b""),
    "cut.webp": cut_animation,
    "text.gif": lambda path: path.write_text("no animation"),
    "folder": lambda path: path.mkdir(),
    "missing.mp4": lambda path: None,
}


@pytest.mark.parametrize("name", UNREADABLE)
def test_what_cannot_be_read_is_refused_in_one_line(name, tmp_path):
    pytest.importorskip("av", reason="PyAV is not installed")
    UNREADABLE[name](tmp_path / name)
    with pytest.raises(FeatvizError, match=name) as error:
        list(read_frames(tmp_path / name)[0])
    assert "\n" not in str(error.value) and "tuple index" not in str(error.value)


def test_a_video_may_be_read_in_gray(photo, tmp_path):
    pytest.importorskip("av", reason="PyAV is not installed")
    shown = list(read_frames(save_film([photo] * 2, tmp_path / "gray.mp4"), channels=1)[0])
    assert shown[0].shape == (72, 96, 1)
