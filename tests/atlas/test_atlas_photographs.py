"""What an atlas shows of a survey: numbers as the survey has them, crops that lie where they say in the originals."""

from urllib.parse import unquote, urlparse

import numpy as np
import pytest
from PIL import Image
from support.surveys import IMAGES, refused
from support.tiny import build

from featviz.ascent.outcome import Outcome
from featviz.atlas.photo_records import EACH, LARGEST, photographs_of
from featviz.atlas.source_photos import to_original
from featviz.evaluation.evidence import evidence
from featviz.evaluation.features import Features
from featviz.evaluation.figures import FIGURES
from featviz.pictures.picture import Picture
from featviz.surveys.reduction import maxima_of
from featviz.surveys.run_survey import survey
from featviz.surveys.statistics import INTERVALS

SIDEWAYS = 6  # EXIF: the camera was held on its side


def picture_of(pixels, name="a picture"):
    return Picture(pixels.astype(np.float32) / 255, 1.0, Outcome.CONVERGED, np.zeros(1), {"name": name})


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
def test_crops_lie_in_their_originals_where_they_say(originals, tmp_path, windows):
    model = build(size=64)
    made = survey(model, originals, out=tmp_path / "s", layers=["conv2"], windows=windows, progress=False)
    found = photographs_of(made, "conv2", {0: picture_of(IMAGES[0]), 5: picture_of(IMAGES[1])})
    crops = [crop for each in found.values() for crop in each.examples]
    assert len(crops) > 20 and {crop.box for crop in crops if crop.box[0] > 0}
    for crop in crops:
        assert_found_again(crop)
        name = crop.photo.rsplit("#", 1)[0] if windows > 1 else crop.photo
        assert crop.href == (originals / name).resolve().as_uri()


def test_the_numbers_are_the_surveys(broken_survey, tiny):
    folder, made = broken_survey
    units = {unit: picture_of(IMAGES[unit]) for unit in range(7)} | {7: picture_of(np.tile(IMAGES[7], (2, 2, 1)))}
    found = photographs_of(made, "conv2", units)
    assert list(found) == list(range(8))
    for unit, each in found.items():
        column = made.maxima("conv2", units=unit)[made.readable]
        assert each.count == 196 and each.counts.sum() == 196 and len(each.edges) == len(each.counts) + 1
        assert each.mean == pytest.approx(column.mean()) and each.std == pytest.approx(column.std(), rel=1e-4)
        assert each.active_fraction == pytest.approx((column > 0).mean())
        own = maxima_of(tiny, units[unit].to_uint8()[None], ("conv2",))["conv2"][0][0, unit]
        assert each.picture_activation == pytest.approx(float(own), rel=1e-5, abs=1e-6)
        assert not each.figures and each.trusted is None and each.verdict == ""
        for percentile in INTERVALS:
            some = [crop for crop in each.examples if crop.percentile == percentile]
            assert len(some) == (LARGEST if percentile == 100 else EACH)
            activations = [crop.activation for crop in some]
            assert activations == sorted(activations, reverse=True)
            if percentile in (0, 100):
                extreme = np.sort(column)[:EACH][::-1] if percentile == 0 else np.sort(column)[::-1][:LARGEST]
                np.testing.assert_array_equal(np.float32(activations), extreme)
            else:
                ranks = np.searchsorted(np.sort(column), activations) / (len(column) - 1) * 100
                assert (np.abs(ranks - percentile) < 3).all() or (column == activations[0]).sum() > 1
        for crop in each.examples:
            number = made.names.index(crop.photo)
            assert crop.href == (folder / crop.photo).resolve().as_uri() and crop.photo_size == (16, 16)
            left, top, right, bottom = (round(edge) for edge in crop.box)
            np.testing.assert_array_equal(crop.pixels, made.photo(number)[top:bottom, left:right])


def test_photos_that_a_survey_keeps_have_no_address(whole_survey):
    (found,) = photographs_of(whole_survey, "conv1", {3: picture_of(IMAGES[3])}).values()
    assert all((crop.href, crop.photo_size, crop.box) == (None, None, None) for crop in found.examples)
    assert (
        found.examples[0].pixels.dtype == np.uint8 and found.examples[0].pixels.base is None
    )  # a copy of a small part


def test_each_photo_is_opened_once(broken_survey, monkeypatch):
    _, made = broken_survey
    opened, photo = [], type(made).photo
    monkeypatch.setattr(type(made), "photo", lambda self, number: opened.append(number) or photo(self, number))
    photographs_of(made, "conv2", {unit: picture_of(IMAGES[unit]) for unit in range(8)})
    assert opened and len(opened) == len(set(opened))


def test_evidence_in_words(whole_survey, patterns):
    pictures = {unit: picture_of(IMAGES[whole_survey.maxima("conv2", units=unit).argmax()]) for unit in (1, 4)}
    phi = Features(patterns, "mixed3a")
    found = photographs_of(whole_survey, "conv2", pictures, other=phi)
    named = [picture_of(picture.to_uint8(), f"conv2:{unit}") for unit, picture in pictures.items()]
    rows = evidence(named, whole_survey, other=phi, progress=False).rows
    for each, row in zip(found.values(), rows, strict=True):
        assert each.trusted == row.trusted and each.verdict
        assert [figure.name for figure in each.figures] == [figure.heading for figure in FIGURES]
        assert each.figures[0].value == f"{row.figures['activation_z']:.3g} sd"
        assert each.picture_activation == pytest.approx(row.activation)
        assert all(figure.meaning.endswith(".") for figure in each.figures)


def test_little_and_wrong_is_told(whole_survey, tiny, tmp_path):
    assert photographs_of(whole_survey, "conv2", {}) == {}
    few = survey(tiny, IMAGES[:3], out=tmp_path / "few", layers=["conv2"], progress=False)
    assert [crop.percentile for crop in photographs_of(few, "conv2", {0: picture_of(IMAGES[0])})[0].examples] == [
        100
    ] * 3
    refused("expected 40", photographs_of, few, "conv2", {0: picture_of(IMAGES[0])}, other=tiny)
    refused("`units` has 8", photographs_of, whole_survey, "conv2", {8: picture_of(IMAGES[0])})
    refused("no layer `conv9`", photographs_of, whole_survey, "conv9", {0: picture_of(IMAGES[0])})


def test_boxes_of_windows_tile_the_photograph():
    whole, size = (1000, 600), (50, 50)
    corners = [to_original((0, 0, 50, 50), size, whole, window=(3, number)) for number in range(9)]
    assert corners[0][:2] == (0, 0) and corners[8][2:] == pytest.approx(whole)
    assert to_original((0, 0, 50, 50), size, whole) == pytest.approx((200, 0, 800, 600))
