"""Films on disk: the values of any frames that can be held, complete or not at all, else one line that says why."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from featviz.ascent.outcome import Outcome
from featviz.dreaming.film_files import save_film
from featviz.dreaming.video import read_frames
from featviz.errors import FeatvizError
from featviz.pictures.picture import Picture

# What `save_film` may be given as one value of a frame, and what is on the disk then; None where it is refused.
VALUES = {
    "float32": (np.float32(0.4), 0.4), "float64": (np.float64(0.4), 0.4), "float16": (np.float16(0.4), 0.4),
    "uint8": (np.uint8(102), 0.4), "slightly above": (np.float32(1.02), 1.0), "of 255": (np.float32(102), None),
    "int64": (np.int64(102), None), "uint16": (np.uint16(102), None), "bool": (np.bool_(True), None),
    "nan": (np.float32(np.nan), None), "complex": (np.complex64(0.4), None),
}  # fmt: skip


@pytest.mark.parametrize("suffix", ["gif", "webp", "mp4"])
def test_films_hold_all_frames(suffix, photo, tmp_path):
    if suffix == "mp4":
        pytest.importorskip("av", reason="PyAV is not installed")
    frames = [photo, 1 - photo, photo]
    path = save_film(iter(frames), tmp_path / f"film.{suffix}", rate=10)
    assert [each.name for each in tmp_path.iterdir()] == [path.name]
    found, rate = read_frames(path)
    assert rate == 10
    for one, other in zip(found, frames, strict=True):
        # A GIF has 256 colors.
        assert np.abs(one - other).mean() < (0.06 if suffix == "gif" else 0.03)


@pytest.mark.parametrize("name", VALUES)
def test_a_frame_is_saved_with_its_values_or_refused(name, tmp_path):
    value, expected = VALUES[name]
    frames = [np.full((8, 8, 3), value)] * 2
    if expected is None:
        with pytest.raises(FeatvizError, match=r"`frames\[0\]` is .*expected floats in \[0,1\], or uint8"):
            save_film(frames, tmp_path / "film.gif")
        assert not list(tmp_path.iterdir())
        return
    for frame in read_frames(save_film(frames, tmp_path / "film.gif"))[0]:
        np.testing.assert_allclose(frame, expected, atol=0.01)


def test_frames_may_be_pictures(tmp_path):
    picture = Picture(np.full((8, 8, 1), 0.4), 0, Outcome.DEAD, [], {}, np.ones((8, 8)))
    for frame in read_frames(save_film([picture] * 2, tmp_path / "film.webp"), channels=1)[0]:
        np.testing.assert_allclose(frame, 0.4, atol=0.02)


@settings(max_examples=60, deadline=None)
@given(
    suffix=st.sampled_from(["gif", "webp", "mp4"]),
    height=st.integers(0, 9),
    width=st.integers(0, 70),
    channels=st.integers(0, 7),
)
def test_any_shape_is_saved_or_refused_in_one_line(tmp_path_factory, suffix, height, width, channels):
    if suffix == "mp4":
        pytest.importorskip("av", reason="PyAV is not installed")
    folder = tmp_path_factory.mktemp("films")
    frames = [np.full((height, width, channels), value, np.float32) for value in (0.0, 0.5, 1.0)]
    try:
        path = save_film(frames, folder / f"film.{suffix}")
    except FeatvizError as error:
        assert "\n" not in str(error) and not list(folder.iterdir())
        assert channels not in (1, 3) or min(height, width) < (2 if suffix == "mp4" else 1)
        return
    even = suffix == "mp4"
    shape = (height - height % 2, width - width % 2) if even else (height, width)
    assert [frame.shape for frame in read_frames(path)[0]] == [(*shape, 3)] * 3


@pytest.mark.parametrize("suffix", ["gif", "webp", "mp4"])
def test_frames_of_several_sizes_are_refused(suffix, tmp_path):
    if suffix == "mp4":
        pytest.importorskip("av", reason="PyAV is not installed")
    with pytest.raises(FeatvizError, match=r"`frames\[1\]` has shape \(8, 10, 3\); expected \(8, 8, 3\)"):
        save_film([np.zeros((8, 8, 3)), np.zeros((8, 10, 3))], tmp_path / f"film.{suffix}")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("error", [FeatvizError("lost"), ValueError("lost"), KeyboardInterrupt("lost")])
def test_a_film_that_fails_leaves_nothing_and_the_error_is_its_own(photo, tmp_path, error):
    def frames():
        yield photo
        raise error

    with pytest.raises(type(error), match="^lost$"):
        save_film(frames(), tmp_path / "film.gif")
    with pytest.raises(FeatvizError, match="`frames` is empty"):
        save_film([], tmp_path / "film.gif")
    assert list(tmp_path.iterdir()) == []
