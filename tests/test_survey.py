"""The survey: its numbers, what an interruption leaves, what is refused, and the statistics drawn from it."""

import gc
import json
import os
import shutil

import flax.linen as nn
import numpy as np
import pytest
import zarr
from PIL import Image
from tiny import Fixed, Gauges, Valid, build

import featviz.natural.survey as room
from featviz.errors import FeatvizError
from featviz.model import Model, hash_weights
from featviz.natural.photos import Photo
from featviz.natural.positions import grid_of
from featviz.natural.reduction import BATCH
from featviz.natural.statistics import BINS, INTERVALS, examples, halves, moments, statistics
from featviz.natural.store import BLOCK, Store
from featviz.natural.survey import open_survey, survey

LAYERS = ["conv1", "conv2", "fc"]
COUNT = 300
IMAGES = np.random.default_rng(0).integers(0, 256, (COUNT, 16, 16, 3), np.uint8)


def make_folder(path, images, *, broken=()):
    path.mkdir()
    for number, image in enumerate(images):
        file = path / f"{number:04d}.png"
        if number in broken:
            file.write_bytes(b"no image")
        else:
            Image.fromarray(image).save(file, compress_level=1)
    return path


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
        # Where nothing is within rounding of it, it is the one place; a silent unit has none.
        second = np.sort(everywhere, 1)[:, -2] if everywhere.shape[1] > 1 else maxima - 1
        clear = maxima - second > 1e-4
        assert clear.mean() > 0.5 and (at == everywhere.argmax(1))[clear].all()


def arrays_of(made):
    return {(layer, what): getattr(made, what)(layer) for layer in made.layers for what in ("maxima", "positions")}


def assert_same(first, second):
    a, b = arrays_of(first), arrays_of(second)
    assert a.keys() == b.keys() and all(np.array_equal(a[key], b[key], equal_nan=True) for key in a)
    assert first.names == second.names and first.faults == second.faults and len(first) == len(second)


@pytest.fixture(scope="module")
def whole(tiny, tmp_path_factory):
    """A finished survey of all images, which came as an array."""
    return survey(tiny, IMAGES, out=tmp_path_factory.mktemp("whole") / "s", layers=LAYERS, progress=False)


@pytest.fixture(scope="module")
def broken_folder(tiny, tmp_path_factory):
    """200 photos in a folder, some of them unreadable, and their survey."""
    path = tmp_path_factory.mktemp("broken")
    photos = make_folder(path / "photos", IMAGES[:200], broken=(0, 17, 130, 199))
    return photos, survey(tiny, photos, out=path / "s", layers=LAYERS, progress=False)


def test_the_numbers_are_those_of_a_plain_computation(whole):
    assert len(whole) == COUNT and whole.complete and whole.layers == tuple(LAYERS)
    assert whole.maxima("conv1").dtype == np.float32 and whole.positions("conv1").dtype == np.int32
    check(whole)
    for units in (5, np.int64(5), [5], np.array([5, 3]), slice(2, 9)):
        assert np.array_equal(whole.maxima("conv1", units=units), whole.maxima("conv1")[:, units])


def test_a_folder_gives_the_same_as_the_arrays(tiny, whole, tmp_path):
    photos = make_folder(tmp_path / "photos", IMAGES[:40])
    made = survey(tiny, photos, out=tmp_path / "s", layers=LAYERS, progress=False)
    for key, values in arrays_of(made).items():
        assert np.array_equal(values, arrays_of(whole)[key][:40])
    assert made.names == tuple(f"{number:04d}.png" for number in range(40))
    assert np.array_equal(made.photo(33), IMAGES[33]) and "images" not in made.store.group


class Interrupted(list):
    """Images that stop with Ctrl-C, the first time, before one of them."""

    stop: int | None = None

    def __iter__(self):
        for number, image in enumerate(super().__iter__()):
            if number == self.stop:
                self.stop = None
                raise KeyboardInterrupt
            yield image


@pytest.mark.parametrize("stop", [3, 70, 150, 290, COUNT - 1])
def test_images_that_are_stopped_and_continued(tiny, whole, tmp_path, stop):
    images = Interrupted(IMAGES)
    images.stop = stop
    with pytest.raises(KeyboardInterrupt):
        survey(tiny, images, out=tmp_path / "s", layers=LAYERS, progress=False)
    part = open_survey(tmp_path / "s", tiny)
    assert not part.complete and len(part) < stop and len(part) % BATCH == 0 and "unfinished" in repr(part)
    assert len(part) >= stop - 5 * BATCH
    for key, values in arrays_of(part).items():
        assert np.array_equal(values, arrays_of(whole)[key][: len(part)])
    assert_same(survey(tiny, images, out=tmp_path / "s", layers=LAYERS, progress=False), whole)


def interrupt_at(monkeypatch, owner, name, call, *, after):
    """Ctrl-C before or after a call of a function."""
    real, calls = getattr(owner, name), []

    def interrupted(*args, **options):
        calls.append(args)
        if len(calls) != call:
            return real(*args, **options)
        if after:
            real(*args, **options)
        raise KeyboardInterrupt

    monkeypatch.setattr(owner, name, interrupted)


@pytest.mark.parametrize(
    ("owner", "name", "call", "after", "done"),
    [
        (room, "maxima_of", 1, False, 0),
        (room, "maxima_of", 10, False, 9 * BATCH),
        # While a block is being written: it is written again, and counted once.
        (Store, "append", 1, True, BLOCK),
        (Store, "append", 2, True, 200),
        (Store, "append", 1, False, BLOCK),
        (Store, "note", 3, True, BLOCK),
        (Store, "note", 1, False, 0),  # nobody knows of what photos it is
    ],
)
def test_a_folder_that_is_stopped_and_continued(
    tiny, broken_folder, tmp_path, monkeypatch, owner, name, call, after, done
):
    photos, expected = broken_folder
    options = {"out": tmp_path / "s", "layers": LAYERS, "progress": False}
    with monkeypatch.context() as patch:
        interrupt_at(patch, owner, name, call, after=after)
        with pytest.raises(KeyboardInterrupt):
            survey(tiny, photos, **options)
    assert len(open_survey(tmp_path / "s", tiny)) == done
    assert_same(survey(tiny, photos, **options), expected)


def test_a_half_written_block_is_overwritten(tiny, broken_folder, tmp_path, monkeypatch):
    photos, expected = broken_folder
    options = {"out": tmp_path / "s", "layers": LAYERS, "progress": False}
    with monkeypatch.context() as patch:
        interrupt_at(patch, room, "maxima_of", 9, after=False)
        with pytest.raises(KeyboardInterrupt):
            survey(tiny, photos, **options)
    # What a kill leaves in the middle of a block: rows that are not counted, faults of photos that are fine now.
    group = zarr.open_group(tmp_path / "s", mode="r+")
    array = group["layers/conv1/maxima"]
    array.resize((170, 80))
    array[BLOCK:] = 1e9
    noted = tmp_path / "s" / "faults.json"
    noted.write_text(json.dumps(json.loads(noted.read_text()) | {"150": "was half copied"}))
    part = open_survey(tmp_path / "s", tiny)
    assert len(part) == BLOCK and part.maxima("conv1")[part.readable].max() < 1e6
    assert_same(survey(tiny, photos, **options), expected)


def test_unreadable_photos_are_nan_and_named(broken_folder):
    _, made = broken_folder
    broken = [0, 17, 130, 199]
    assert np.flatnonzero(~made.readable).tolist() == broken and sorted(map(int, made.faults)) == broken
    assert all("cannot identify image file" in fault for fault in made.faults.values())
    for layer in LAYERS:
        assert np.isnan(made.maxima(layer)).all(1).nonzero()[0].tolist() == broken
        assert (made.positions(layer) == -1).all(1).nonzero()[0].tolist() == broken
        assert np.isfinite(made.maxima(layer)[made.readable]).all()
    with pytest.raises(FeatvizError, match="the photo `0017.png` cannot be read: cannot identify"):
        made.photo(17)


def test_a_finished_survey_is_opened_without_computing(tiny, broken_folder, monkeypatch):
    photos, made = broken_folder

    def never(*_, **__):
        raise AssertionError("computed again")

    monkeypatch.setattr(room, "maxima_of", never)
    monkeypatch.setattr(room, "read_ahead", never)
    assert_same(survey(tiny, photos, out=made.store.path, layers=LAYERS, progress=False), made)
    assert_same(open_survey(str(made.store.path), tiny), made)


def test_images_of_no_folder_are_kept(whole, tiny, tmp_path):
    assert np.array_equal(np.stack([whole.photo(number) for number in (0, 150, 299)]), IMAGES[[0, 150, 299]])
    images = [IMAGES[0] / 255, b"nothing", Image.fromarray(IMAGES[2])]
    made = survey(tiny, (image for image in images), out=tmp_path / "s", layers=["conv2"], progress=False)
    assert made.names == ("000000", "000001", "000002") and made.readable.tolist() == [True, False, True]
    again = open_survey(tmp_path / "s", tiny)
    assert np.array_equal(again.photo(0), IMAGES[0]) and np.array_equal(again.photo(2), IMAGES[2])
    for number, says in [
        (1, "`000001` cannot be read"),
        (3, "`number` 3 is out of range; the survey has 3"),
        (-1, "-1"),
    ]:
        with pytest.raises(FeatvizError, match=says):
            again.photo(number)


def test_the_store_is_plain_zarr(whole):
    group = zarr.open(str(whole.store.path), mode="r")
    assert group["layers/conv1/maxima"].shape == (COUNT, 80) and group["layers/fc/positions"].dtype == np.int32
    assert np.array_equal(group["layers/conv1/maxima"][:], whole.maxima("conv1"))
    assert np.array_equal(group["images"][:], IMAGES)
    assert group.attrs["total"] == COUNT and group.attrs["network"]["weights_sha256"] == hash_weights(
        whole.model.weights
    )


def test_layers_whose_names_hold_slashes(patterns, tmp_path):
    images = np.random.default_rng(1).integers(0, 256, (5, 64, 64, 3), np.uint8)
    layers = ["conv1/6x6", "conv1"]
    made = survey(patterns, images, out=tmp_path / "s", layers=layers, progress=False)
    assert open_survey(tmp_path / "s", patterns).layers == tuple(layers)
    check(made, images)
    assert made.maxima("conv1/6x6").shape == (5, patterns.layer("conv1/6x6").units)


def test_windows_are_photos_of_their_own(tiny, tmp_path):
    photos = make_folder(tmp_path / "photos", np.random.default_rng(2).integers(0, 256, (3, 64, 64, 3), np.uint8))
    made = survey(tiny, photos, out=tmp_path / "s", layers=["conv2"], windows=2, progress=False)
    assert len(made) == 12 and made.names[:5] == (*(f"0000.png#{window}" for window in range(4)), "0001.png#0")
    seen = np.stack([made.photo(number) for number in range(12)])
    assert len({image.tobytes() for image in seen}) == 12
    check(made, seen)


def test_a_size_of_its_own(tiny, tmp_path):
    images = np.random.default_rng(3).integers(0, 256, (4, 40, 60, 3), np.uint8)
    made = survey(tiny, images, out=tmp_path / "s", layers=["conv1"], size=(24, 40), progress=False)
    assert made.grid("conv1") == grid_of((12, 20, 80)) and made.photo(0).shape == (24, 40, 3)
    check(made, np.stack([made.photo(number) for number in range(4)]))
    assert 3 <= made.receptive_field("conv1") <= 5


def test_real_photos_through_a_real_network(googlenet, photos, tmp_path):
    made = survey(googlenet, photos[:3], out=tmp_path / "s", layers=["conv2"], size=96, progress=False)
    assert made.readable.all() and made.names[0] == photos[0].name
    check(made, np.stack([made.photo(number) for number in range(3)]))


# Refusals


def refused(says, call, *args, **options):
    with pytest.raises(FeatvizError) as error:
        call(*args, **{"progress": False, **options} if call is survey else options)
    assert says in str(error.value) and str(error.value).isprintable() and len(str(error.value)) < 400


def test_what_is_not_the_same_survey_is_refused(tiny, other_weights, broken_folder, tmp_path):
    photos, made = broken_folder
    out, before = made.store.path, arrays_of(made)
    other = Model("tiny", tiny.apply, other_weights, tiny.layers, tiny.input)
    options = {"out": out, "layers": LAYERS}
    refused("is a survey of other network; expected a new folder", survey, other, photos, **options)
    refused("with other weights", open_survey, out, other)
    refused("is a survey of other layers", survey, tiny, photos, out=out, layers=["conv1"])
    refused("is a survey of other size", survey, tiny, photos, **options, size=24)
    refused("is a survey of other windows", survey, tiny, photos, **options, windows=2)
    refused("is a survey of other photos", survey, tiny, IMAGES, **options)
    shutil.copytree(photos, tmp_path / "copy")
    refused("is a survey of other photos", survey, tiny, tmp_path / "copy", **options)
    (photos / "one_more.png").write_bytes(b"")
    refused("other photos in the same folder", survey, tiny, photos, **options)
    (photos / "one_more.png").unlink()
    after = arrays_of(open_survey(out, tiny))
    assert all(np.array_equal(before[key], after[key], equal_nan=True) for key in before)


def test_what_is_no_place_for_a_survey_is_refused(tiny, tmp_path):
    (tmp_path / "foreign").mkdir()
    (tmp_path / "foreign" / "notes.txt").write_text("mine")
    (tmp_path / "file").write_text("mine")
    for name in ("foreign", "file"):
        refused("holds other things", survey, tiny, IMAGES[:4], out=tmp_path / name, layers=LAYERS)
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
    refused("tiny wants 4 channels", survey, build(channels=4), IMAGES, **out)
    assert [path.name for path in tmp_path.iterdir()] == ["photos"]


def test_photos_of_which_none_can_be_read(tiny, tmp_path):
    for photos, says in [([b"a", b"b"], "none of 2 images can be read; is |S1"), ([], "none of 0 images")]:
        refused(says, survey, tiny, photos, out=tmp_path / str(len(photos)), layers=["fc"])
    refused("has no photos yet", open_survey(tmp_path / "0", tiny).receptive_field, "fc")


def test_a_layer_that_was_not_surveyed(whole):
    refused("the survey has no layer `conv3`; did you mean `conv", whole.maxima, "conv3")
    refused("`unit` 80 is out of range; conv1 has 80 units, 0 to 79", examples, whole, "conv1", 80)
    refused("`unit` -1 is out of range", examples, whole, "conv1", -1)


def test_a_folder_that_has_moved(tiny, tmp_path):
    photos = make_folder(tmp_path / "photos", IMAGES[:5])
    made = survey(tiny, photos, out=tmp_path / "s", layers=["fc"], progress=False)
    os.rename(photos, tmp_path / "elsewhere")
    refused("the photo `0003.png` cannot be read any more: ", made.photo, 3)
    moved = open_survey(tmp_path / "s", tiny, photos=tmp_path / "elsewhere")
    assert np.array_equal(moved.photo(3), IMAGES[3]) and np.array_equal(moved.maxima("fc"), made.maxima("fc"))


def test_memory_does_not_grow_with_the_number_of_images(tiny, tmp_path):
    held = []

    def images():
        for number in range(1200):
            if number % 150 == 149:
                held.append(sum(type(thing) is Photo for thing in gc.get_objects()))
            yield IMAGES[number % COUNT]

    survey(tiny, images(), out=tmp_path / "s", layers=["fc"], progress=False)
    assert len(held) == 8 and max(held) <= BLOCK + 5 * BATCH


# Statistics and examples


def test_statistics_are_those_of_numpy(broken_folder):
    _, made = broken_folder
    values = made.maxima("conv1")[made.readable].astype(np.float64)
    found = statistics(made, "conv1")
    np.testing.assert_allclose(found.mean, values.mean(0), rtol=1e-12)
    np.testing.assert_allclose(found.sd, values.std(0), rtol=1e-9)
    assert np.array_equal(found.low, values.min(0)) and np.array_equal(found.high, values.max(0))
    assert np.array_equal(found.firing, (values > 0).mean(0)) and len(set(found.firing)) > 3
    assert found.histogram.shape == (80, BINS) and (found.histogram.sum(1) == 196).all()
    for unit in range(80):
        counts, edges = np.histogram(values[:, unit], BINS)
        assert np.array_equal(found.histogram[unit], counts)
        np.testing.assert_allclose(found.edges(unit), edges, rtol=1e-5, atol=1e-6)


def test_statistics_do_not_depend_on_how_many_units_are_in_memory(whole, monkeypatch):
    expected = statistics(whole, "conv1")
    monkeypatch.setattr("featviz.natural.statistics.AT_ONCE", 7 * COUNT)
    found = statistics(whole, "conv1")
    assert all(np.array_equal(getattr(found, name), getattr(expected, name)) for name in vars(found))


class Named(nn.Module):
    """The units of Gauges as a layer."""

    @nn.compact
    def __call__(self, x):
        return 2 * Gauges(name="gauges")(x)


def test_statistics_of_units_that_are_constant_or_nan(tmp_path):
    tones = np.arange(100, 160, 3)
    images = np.stack([np.full((16, 16, 3), tone, np.uint8) for tone in tones])
    made = survey(build(Named()), images, out=tmp_path / "s", layers=["gauges"], progress=False)
    found = statistics(made, "gauges")
    assert found.histogram.sum(1).tolist() == [20, 20, 0, 20, 20, 20]
    assert np.isnan([found.mean[2], found.sd[2], found.low[2], found.high[2]]).all()
    # One bin for what never changes, and most of them for what grows evenly.
    assert found.histogram[3].tolist() == [20, *[0] * (BINS - 1)] and found.histogram[0].max() == 1
    assert np.array_equal(found.firing, [(tones > 127).mean()] * 2 + [found.firing[2], 1, (tones > 130).mean(), 0])


def test_moments_and_halves(broken_folder):
    _, made = broken_folder
    a, b = halves(made)
    assert len(a) == len(b) == 98 and not set(a) & set(b) and set(a) | set(b) == set(np.flatnonzero(made.readable))
    mean, sd = moments(made, "conv2", a)
    values = made.maxima("conv2")[a].astype(np.float64)
    np.testing.assert_allclose(mean, values.mean(0), rtol=1e-12)
    np.testing.assert_allclose(sd, values.std(0), rtol=1e-9)


@pytest.mark.parametrize("unit", [0, 41, 79])
def test_examples_by_interval(broken_folder, unit):
    _, made = broken_folder
    values = made.maxima("conv1", units=unit)
    ranked = np.sort(values[made.readable])[::-1]
    found = examples(made, "conv1", unit, each=4)
    assert [example.percentile for example in found] == [p for p in INTERVALS for _ in range(4)]
    numbers = [example.number for example in found]
    assert len(set(numbers)) == len(numbers) == 24 and made.readable[numbers].all()
    assert [example.activation for example in found] == [float(values[number]) for number in numbers]
    assert [example.photo for example in found] == [made.names[number] for number in numbers]
    assert [e.activation for e in found[:4]] == ranked[:4].tolist()
    assert [e.activation for e in found[-4:]] == ranked[-4:].tolist()
    for example in found:
        below = 100 * (ranked < example.activation).mean()
        assert abs(below - example.percentile) <= 3
        left, top, right, bottom = example.box
        assert 0 <= left < right <= 16 and 0 <= top < bottom <= 16
        assert right - left == bottom - top == made.receptive_field("conv1")


def test_examples_of_few_photos_take_each_once(tiny, tmp_path):
    made = survey(tiny, IMAGES[:5], out=tmp_path / "s", layers=["conv1"], progress=False)
    found = examples(made, "conv1", 3, each=2)
    assert sorted(example.number for example in found) == [0, 1, 2, 3, 4]
    best = made.maxima("conv1", units=3).argmax()
    assert found[0].number == best and found[0].percentile == 100


def test_a_receptive_field_is_measured_once(tiny, tmp_path, monkeypatch):
    made = survey(tiny, IMAGES[:6], out=tmp_path / "s", layers=LAYERS, progress=False)
    side = made.receptive_field("conv2")
    assert 3 <= side <= 9 and made.receptive_field("fc") == 16
    monkeypatch.setattr(room, "receptive_fields", None)
    assert open_survey(tmp_path / "s", tiny).receptive_field("conv2") == side


def test_a_survey_that_cannot_be_written_still_gives_its_fields(tiny, tmp_path, monkeypatch):
    survey(tiny, IMAGES[:6], out=tmp_path / "s", layers=["conv1"], progress=False)
    monkeypatch.setattr(os, "access", lambda *_: False)
    made = open_survey(tmp_path / "s", tiny)

    def read_only(*_, **__):
        raise OSError(30, "Read-only file system")

    with monkeypatch.context() as patch:
        patch.setattr("featviz.files.open", read_only, raising=False)
        assert 3 <= made.receptive_field("conv1") <= 4
    assert not (tmp_path / "s" / "receptive_fields.json").exists()
