"""A survey that is stopped, by Ctrl-C or by a kill, and continued: not a bit is different."""

import json

import numpy as np
import pytest
import zarr
from support.surveys import COUNT, IMAGES, LAYERS, arrays_of, assert_same

import featviz.surveys.survey as room
from featviz.surveys.reduction import BATCH
from featviz.surveys.survey import open_survey, survey
from featviz.surveys.survey_store import BLOCK, Store


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
def test_images_that_are_stopped_and_continued(tiny, whole_survey, tmp_path, stop):
    images = Interrupted(IMAGES)
    images.stop = stop
    with pytest.raises(KeyboardInterrupt):
        survey(tiny, images, out=tmp_path / "s", layers=LAYERS, progress=False)
    part = open_survey(tmp_path / "s", tiny)
    assert not part.complete and len(part) < stop and len(part) % BATCH == 0 and "unfinished" in repr(part)
    assert len(part) >= stop - 5 * BATCH
    for key, values in arrays_of(part).items():
        assert np.array_equal(values, arrays_of(whole_survey)[key][: len(part)])
    assert_same(survey(tiny, images, out=tmp_path / "s", layers=LAYERS, progress=False), whole_survey)


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
    tiny, broken_survey, tmp_path, monkeypatch, owner, name, call, after, done
):
    photos, expected = broken_survey
    options = {"out": tmp_path / "s", "layers": LAYERS, "progress": False}
    with monkeypatch.context() as patch:
        interrupt_at(patch, owner, name, call, after=after)
        with pytest.raises(KeyboardInterrupt):
            survey(tiny, photos, **options)
    assert len(open_survey(tmp_path / "s", tiny)) == done
    assert_same(survey(tiny, photos, **options), expected)


def test_a_half_written_block_is_overwritten(tiny, broken_survey, tmp_path, monkeypatch):
    photos, expected = broken_survey
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


def test_a_finished_survey_is_opened_without_computing(tiny, broken_survey, monkeypatch):
    photos, made = broken_survey

    def never(*_, **__):
        raise AssertionError("computed again")

    monkeypatch.setattr(room, "maxima_of", never)
    monkeypatch.setattr(room, "read_ahead", never)
    assert_same(survey(tiny, photos, out=made.store.path, layers=LAYERS, progress=False), made)
    assert_same(open_survey(str(made.store.path), tiny), made)
