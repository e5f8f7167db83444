"""`fv.survey`: its maxima and positions, the photographs that it stores, and refusals."""

import gc
import shutil

import numpy as np
import pytest
from PIL import Image
from support.surveys import COUNT, IMAGES, LAYERS, arrays_of, make_folder, refused
from support.tiny import Fixed, Valid, build

from featviz.errors import FeatvizError
from featviz.model import Model, hash_weights
from featviz.surveys.photos import Photo
from featviz.surveys.receptive_fields import grid_of
from featviz.surveys.reduction import BATCH
from featviz.surveys.run_survey import survey
from featviz.surveys.survey import open_survey
from featviz.surveys.survey_store import BLOCK


def plain(model, layer, images=IMAGES):
    """Maxima over interior positions by model.apply and numpy, and the values of all positions."""
    values = np.asarray(model.apply(model.weights, images.astype(np.float32) / np.float32(255), layers=[layer])[layer])
    if values.ndim == 2:
        return values, values[:, None]
    rows, columns = values.shape[1:3]
    edges = [0 if side < 4 else max(1, side // 8) for side in (rows, columns)]
    inside = np.full(values.shape, -np.inf, np.float32)
    cut = np.s_[:, edges[0] : rows - edges[0], edges[1] : columns - edges[1]]
    inside[cut] = values[cut]
    inside = inside.reshape(len(values), rows * columns, -1)
    return inside.max(1), inside


def check(made, images=IMAGES):
    for layer in made.layers:
        maxima, everywhere = plain(made.model, layer, images)
        np.testing.assert_allclose(made.maxima(layer), maxima, rtol=1e-4, atol=1e-5)
        at = made.positions(layer)
        there = np.take_along_axis(everywhere, at[:, None].astype(int), 1)[:, 0]
        np.testing.assert_allclose(there, maxima, rtol=1e-4, atol=1e-5)
        # The position is unique where no other value is within rounding of the maximum; a silent unit has none.
        second = np.sort(everywhere, 1)[:, -2] if everywhere.shape[1] > 1 else maxima - 1
        clear = maxima - second > 1e-4
        assert clear.mean() > 0.5 and (at == everywhere.argmax(1))[clear].all()


def test_maxima_and_positions_agree_with_a_plain_computation(whole_survey):
    assert len(whole_survey) == COUNT and whole_survey.complete and whole_survey.layers == tuple(LAYERS)
    assert whole_survey.maxima("conv1").dtype == np.float32 and whole_survey.positions("conv1").dtype == np.int32
    check(whole_survey)
    for units in (5, np.int64(5), [5], np.array([5, 3]), slice(2, 9)):
        assert np.array_equal(whole_survey.maxima("conv1", units=units), whole_survey.maxima("conv1")[:, units])


def test_a_folder_gives_the_same_as_the_arrays(tiny, whole_survey, tmp_path):
    photos = make_folder(tmp_path / "photos", IMAGES[:40])
    made = survey(tiny, photos, out=tmp_path / "s", layers=LAYERS, progress=False)
    for key, values in arrays_of(made).items():
        assert np.array_equal(values, arrays_of(whole_survey)[key][:40])
    assert made.names == tuple(f"{number:04d}.png" for number in range(40))
    assert np.array_equal(made.photo(33), IMAGES[33]) and "images" not in made.store.group


def test_unreadable_photos_are_nan_and_named(broken_survey):
    _, made = broken_survey
    broken = [0, 17, 130, 199]
    assert np.flatnonzero(~made.readable).tolist() == broken and sorted(map(int, made.faults)) == broken
    assert all("cannot identify image file" in fault for fault in made.faults.values())
    for layer in LAYERS:
        assert np.isnan(made.maxima(layer)).all(1).nonzero()[0].tolist() == broken
        assert (made.positions(layer) == -1).all(1).nonzero()[0].tolist() == broken
        assert np.isfinite(made.maxima(layer)[made.readable]).all()
    with pytest.raises(FeatvizError, match="the photo `0017.png` cannot be read: cannot identify"):
        made.photo(17)


def test_images_from_python_are_stored(whole_survey, tiny, tmp_path):
    assert np.array_equal(np.stack([whole_survey.photo(number) for number in (0, 150, 299)]), IMAGES[[0, 150, 299]])
    images = [IMAGES[0] / 255, b"nothing", Image.fromarray(IMAGES[2])]
    made = survey(tiny, (image for image in images), out=tmp_path / "s", layers=["conv2"], progress=False)
    assert made.names == ("000000", "000001", "000002") and made.readable.tolist() == [True, False, True]
    again = open_survey(tmp_path / "s", tiny)
    assert np.array_equal(again.photo(0), IMAGES[0]) and np.array_equal(again.photo(2), IMAGES[2])
    for number, says in [
        (1, "`000001` cannot be read"),
        (3, "`index` 3 is out of range; the survey has 3"),
        (-1, "-1"),
    ]:
        with pytest.raises(FeatvizError, match=says):
            again.photo(number)


def test_layer_names_may_have_slashes(patterns, tmp_path):
    images = np.random.default_rng(1).integers(0, 256, (5, 64, 64, 3), np.uint8)
    layers = ["conv1/6x6", "conv1"]
    made = survey(patterns, images, out=tmp_path / "s", layers=layers, progress=False)
    assert open_survey(tmp_path / "s", patterns).layers == tuple(layers)
    check(made, images)
    assert made.maxima("conv1/6x6").shape == (5, patterns.layer("conv1/6x6").units)


def test_each_window_is_a_photo(tiny, tmp_path):
    photos = make_folder(tmp_path / "photos", np.random.default_rng(2).integers(0, 256, (3, 64, 64, 3), np.uint8))
    made = survey(tiny, photos, out=tmp_path / "s", layers=["conv2"], windows=2, progress=False)
    assert len(made) == 12 and made.names[:5] == (*(f"0000.png#{window}" for window in range(4)), "0001.png#0")
    seen = np.stack([made.photo(number) for number in range(12)])
    assert len({image.tobytes() for image in seen}) == 12
    check(made, seen)


def test_another_size_than_that_of_the_training(tiny, tmp_path):
    images = np.random.default_rng(3).integers(0, 256, (4, 40, 60, 3), np.uint8)
    made = survey(tiny, images, out=tmp_path / "s", layers=["conv1"], size=(24, 40), progress=False)
    assert made.grid("conv1") == grid_of((12, 20, 80), (24, 40)) and made.photo(0).shape == (24, 40, 3)
    check(made, np.stack([made.photo(number) for number in range(4)]))
    assert 3 <= made.receptive_field("conv1") <= 5


def test_real_photos_through_a_real_network(googlenet, photos, tmp_path):
    made = survey(googlenet, photos[:3], out=tmp_path / "s", layers=["conv2"], size=96, progress=False)
    assert made.readable.all() and made.names[0] == photos[0].name
    check(made, np.stack([made.photo(number) for number in range(3)]))


def test_memory_does_not_grow_with_the_number_of_images(tiny, tmp_path):
    held = []

    def images():
        for number in range(1200):
            if number % 150 == 149:
                held.append(sum(type(thing) is Photo for thing in gc.get_objects()))
            yield IMAGES[number % COUNT]

    survey(tiny, images(), out=tmp_path / "s", layers=["fc"], progress=False)
    assert len(held) == 8 and max(held) <= BLOCK + 5 * BATCH


# Refusals


def test_another_survey_in_the_same_folder_is_refused(tiny, other_weights, broken_survey, tmp_path):
    photos, made = broken_survey
    out, before = made.store.path, arrays_of(made)
    other = Model("tiny", tiny.apply, other_weights, tiny.layers, tiny.input)
    options = {"out": out, "layers": LAYERS}
    message = "is a survey of other {}; expected a new folder".format
    sha256 = [f"tiny ({hash_weights(each.weights)[:8]})" for each in (tiny, other)]
    refused(message(f"network, {sha256[0]} in place of {sha256[1]}"), survey, other, photos, **options)
    refused("with other weights", open_survey, out, other)
    refused(message("layers, conv1, conv2, fc in place of conv1"), survey, tiny, photos, out=out, layers=["conv1"])
    refused(message("size, 16x16 in place of 24x24"), survey, tiny, photos, **options, size=24)
    refused(message("windows, 1 in place of 2"), survey, tiny, photos, **options, windows=2)
    refused(message(f"photos, `{photos.resolve()}` in place of images from Python"), survey, tiny, IMAGES, **options)
    shutil.copytree(photos, tmp_path / "copy")
    refused("is a survey of other photos", survey, tiny, tmp_path / "copy", **options)
    (photos / "one_more.png").write_bytes(b"")
    refused("other photos in the same folder", survey, tiny, photos, **options)
    (photos / "one_more.png").unlink()
    after = arrays_of(open_survey(out, tiny))
    assert all(np.array_equal(before[key], after[key], equal_nan=True) for key in before)


def test_a_folder_with_other_files_is_refused(tiny, tmp_path):
    (tmp_path / "foreign").mkdir()
    (tmp_path / "foreign" / "notes.txt").write_text("mine")
    (tmp_path / "file").write_text("mine")
    refused("holds other things", survey, tiny, IMAGES[:4], out=tmp_path / "foreign", layers=LAYERS)
    refused("is a file; expected", survey, tiny, IMAGES[:4], out=tmp_path / "file", layers=LAYERS)
    refused("cannot be made", survey, tiny, IMAGES[:4], out=tmp_path / "file" / "s", layers=LAYERS)
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["file", "foreign", "notes.txt"]
    refused("does not exist; expected a folder that `featviz survey`", open_survey, tmp_path / "none", tiny)
    refused("holds no survey", open_survey, tmp_path / "foreign", tiny)
    refused("is a file", open_survey, tmp_path / "file", tiny)
    (tmp_path / "empty").mkdir()
    assert len(survey(tiny, IMAGES[:4], out=tmp_path / "empty", layers=["fc"], progress=False)) == 4


def test_wrong_arguments_are_refused_before_anything_is_made(tiny, tmp_path):
    (tmp_path / "photos").mkdir()
    out = {"out": tmp_path / "s"}
    refused("did you mean `conv1`?", survey, tiny, IMAGES, **out, layers=["conv1", "konv1"])
    refused("`layers` is 'conv1'; expected a list", survey, tiny, IMAGES, **out, layers="conv1")
    refused("`layers` is []; expected a list", survey, tiny, IMAGES, **out, layers=[])
    refused("holds no image", survey, tiny, tmp_path / "photos", **out)
    refused("does not exist", survey, tiny, tmp_path / "none", **out)
    refused("`size` is 4", survey, tiny, IMAGES, **out, size=4)
    refused("`windows` is 0", survey, tiny, IMAGES, **out, windows=0)
    refused("expected 1, or a folder", survey, tiny, IMAGES, **out, windows=2)
    refused("tiny cannot run on images of `size` 8x8: ", survey, build(Fixed()), IMAGES, **out, size=8)
    refused("conv is (0, 0, 4) for images of 8x8", survey, build(Valid()), IMAGES, **out, size=8)
    refused("`photos` has 3 bands; expected 4", survey, build(channels=4), IMAGES, **out)
    assert [path.name for path in tmp_path.iterdir()] == ["photos"]


def test_only_unreadable_photos_are_refused(tiny, tmp_path):
    for photos, says in [([b"a", b"b"], "none of 2 images can be read; is |S1"), ([], "none of 0 images")]:
        refused(says, survey, tiny, photos, out=tmp_path / str(len(photos)), layers=["fc"])
    refused("has no photos yet", open_survey(tmp_path / "0", tiny).receptive_field, "fc")
