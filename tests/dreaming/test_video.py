"""Films on disk: written complete or not at all, and read frame by frame."""

import numpy as np
import pytest

from featviz.dreaming.video import read_frames, save_film
from featviz.errors import FeatvizError


@pytest.mark.parametrize("suffix", ["gif", "webp", "mp4"])
def test_films_hold_all_frames(suffix, photo, tmp_path):
    if suffix == "mp4":
        pytest.importorskip("av", reason="PyAV is not installed")
    frames = [photo, 1 - photo, photo]
    path = save_film(iter(frames), tmp_path / f"film.{suffix}", rate=10)
    assert [each.name for each in tmp_path.iterdir()] == [path.name]
    if suffix == "mp4":
        found, rate = read_frames(path)
        assert rate == 10
        for one, other in zip(found, frames, strict=True):
            assert np.abs(one - other).mean() < 0.03
    else:
        from PIL import Image

        with Image.open(path) as film:
            assert film.n_frames == 3


def test_a_film_that_fails_leaves_nothing(photo, tmp_path):
    def frames():
        yield photo
        raise FeatvizError("lost")

    with pytest.raises(FeatvizError, match="lost"):
        save_film(frames(), tmp_path / "film.gif")
    with pytest.raises(FeatvizError, match="`frames` is empty"):
        save_film([], tmp_path / "film.gif")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_of_frames_is_read_in_order(photo, tmp_path):
    from PIL import Image

    for number, values in enumerate([photo, 1 - photo]):
        Image.fromarray(np.round(values * 255).astype(np.uint8)).save(tmp_path / f"{number:03d}.png")
    found = list(read_frames(tmp_path)[0])
    np.testing.assert_allclose(found, [photo, 1 - photo], atol=1 / 255)
    assert next(read_frames(tmp_path, channels=1)[0]).shape == (72, 96, 1)
    with pytest.raises(FeatvizError, match="the network wants 5 channels; expected 1 or 3"):
        read_frames(tmp_path, channels=5)


def test_a_damaged_video_is_refused_in_one_line(photo, tmp_path):
    pytest.importorskip("av", reason="PyAV is not installed")
    whole = save_film([photo] * 30, tmp_path / "film.mp4")
    data = bytearray(whole.read_bytes())
    at = data.index(b"mdat") + 4
    data[at : at + 4000] = bytes(min(4000, len(data) - at))
    whole.write_bytes(bytes(data))
    with pytest.raises(FeatvizError, match=r"the video `film.mp4` (is damaged|cannot be read)"):
        list(read_frames(whole)[0])
    shown = list(read_frames(save_film([photo] * 2, tmp_path / "gray.mp4"), channels=1)[0])
    assert shown[0].shape == (72, 96, 1)
