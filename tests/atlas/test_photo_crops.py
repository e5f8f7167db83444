"""Crops of photos lie in their source files where they say, and every photo is opened once."""

from urllib.parse import unquote, urlparse

import numpy as np
import pytest
from PIL import Image
from support.atlases import picture_of
from support.surveys import IMAGES
from support.tiny import build

from featviz.atlas.photo_crops import to_source_box
from featviz.atlas.photo_records import survey_records
from featviz.surveys.run_survey import survey

SIDEWAYS = 6  # EXIF: the camera was held on its side


def blobs(rng, size):
    small = rng.integers(0, 256, (max(2, size[1] // 12), max(2, size[0] // 12), 3), np.uint8)
    return Image.fromarray(small).resize(size, Image.Resampling.BICUBIC)


@pytest.fixture(scope="module")
def originals(tmp_path_factory):
    """A folder of photographs of many shapes and kinds, some on their side, one with a name that needs quoting."""
    folder = tmp_path_factory.mktemp("originals") / "my photos"
    (folder / "within").mkdir(parents=True)
    rng = np.random.default_rng(3)
    for number in range(24):
        size = (int(rng.integers(90, 500)), int(rng.integers(90, 500)))
        exif = Image.Exif()
        exif[0x0112] = SIDEWAYS if number % 3 == 0 else 1
        name = f"within/{number} of # 100%.jpg" if number % 2 else f"{number}.png"
        blobs(rng, size).save(folder / name, exif=exif)
    return folder


def correlation(a, b):
    return np.corrcoef(a.astype(float).ravel(), b.astype(float).ravel())[0, 1]


def assert_found_again(crop):
    """The crop, cut out of the original upright, looks like what the network saw."""
    with Image.open(unquote(urlparse(crop.href).path)) as file:
        upright = file.copy()
        upright = upright.transpose(Image.Transpose.ROTATE_270) if file.getexif()[0x0112] == SIDEWAYS else upright
    assert upright.size == crop.photo_size
    left, top, right, bottom = crop.box
    assert 0 <= left < right <= crop.photo_size[0] + 1e-6 and 0 <= top < bottom <= crop.photo_size[1] + 1e-6
    height, width = crop.pixels.shape[:2]
    again = upright.convert("RGB").resize((width, height), Image.Resampling.BICUBIC, box=crop.box)
    assert correlation(np.asarray(again), crop.pixels) > 0.98


@pytest.mark.parametrize("windows", [1, 3])
def test_crops_lie_in_their_source_files_where_they_say(originals, tmp_path, windows):
    model = build(size=64)
    made = survey(model, originals, out=tmp_path / "s", layers=["conv2"], windows=windows, progress=False)
    found = survey_records(made, "conv2", {0: picture_of(IMAGES[0]), 5: picture_of(IMAGES[1])})
    crops = [crop for each in found.values() for crop in each.examples]
    assert len(crops) > 20 and {crop.box for crop in crops if crop.box[0] > 0}
    for crop in crops:
        assert_found_again(crop)
        name = crop.photo.rsplit("#", 1)[0] if windows > 1 else crop.photo
        assert crop.href == (originals / name).resolve().as_uri()


def test_photos_that_a_survey_keeps_have_no_address(whole_survey):
    (found,) = survey_records(whole_survey, "conv1", {3: picture_of(IMAGES[3])}).values()
    assert all((crop.href, crop.photo_size, crop.box) == (None, None, None) for crop in found.examples)
    assert (
        found.examples[0].pixels.dtype == np.uint8 and found.examples[0].pixels.base is None
    )  # a copied_atlas of a small part


def test_each_photo_is_opened_once(broken_survey, monkeypatch):
    _, made = broken_survey
    # Receptive fields are measured once, on photos that are opened for it.
    survey_records(made, "conv2", {0: picture_of(IMAGES[0])})
    opened, photo = [], type(made).photo
    monkeypatch.setattr(type(made), "photo", lambda self, number: opened.append(number) or photo(self, number))
    survey_records(made, "conv2", {unit: picture_of(IMAGES[unit]) for unit in range(8)})
    assert opened and len(opened) == len(set(opened))


def test_boxes_of_windows_tile_the_photo():
    whole, size = (1000, 600), (50, 50)
    corners = [to_source_box((0, 0, 50, 50), size, whole, window=(3, number)) for number in range(9)]
    assert corners[0][:2] == (0, 0) and corners[8][2:] == pytest.approx(whole)
    assert to_source_box((0, 0, 50, 50), size, whole) == pytest.approx((200, 0, 800, 600))
