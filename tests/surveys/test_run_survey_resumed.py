"""A survey interrupted by Ctrl-C or by a kill and resumed is bit-identical to an uninterrupted one."""

import json

import numpy as np
import pytest
import zarr
from support.surveys import COUNT, IMAGES, LAYERS, arrays_of, assert_same

import featviz.surveys.run_survey as module
from featviz.surveys.reduction import BATCH
from featviz.surveys.run_survey import survey
from featviz.surveys.survey import open_survey
from featviz.surveys.survey_store import BLOCK, SurveyStore


class Interrupted(list):
    """Images that raise Ctrl-C once, before the one at index `stop`."""

    stop: int | None = None

    def __iter__(self):
        for index, image in enumerate(super().__iter__()):
            if index == self.stop:
                self.stop = None
                raise KeyboardInterrupt
            yield image


@pytest.mark.parametrize("stop", [3, 70, 150, 290, COUNT - 1])
def test_a_survey_of_images_is_resumed(tiny, whole_survey, tmp_path, stop):
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
        (module, "maxima_of", 1, False, 0),
        (module, "maxima_of", 10, False, 9 * BATCH),
        # While a block is written: it is written again, and counted once.
        (SurveyStore, "append", 1, True, BLOCK),
        (SurveyStore, "append", 2, True, 200),
        (SurveyStore, "append", 1, False, BLOCK),
        (SurveyStore, "write_json", 3, True, BLOCK),
        (SurveyStore, "write_json", 1, False, 0),  # the names of the photos are not stored yet
    ],
)
def test_a_survey_of_a_folder_is_resumed(tiny, broken_survey, tmp_path, monkeypatch, owner, name, call, after, done):
    photos, expected = broken_survey
    options = {"out": tmp_path / "s", "layers": LAYERS, "progress": False}
    with monkeypatch.context() as patch:
        interrupt_at(patch, owner, name, call, after=after)
        with pytest.raises(KeyboardInterrupt):
            survey(tiny, photos, **options)
    assert len(open_survey(tmp_path / "s", tiny)) == done
    assert_same(survey(tiny, photos, **options), expected)


def test_a_partly_written_block_is_overwritten(tiny, broken_survey, tmp_path, monkeypatch):
    photos, expected = broken_survey
    options = {"out": tmp_path / "s", "layers": LAYERS, "progress": False}
    with monkeypatch.context() as patch:
        interrupt_at(patch, module, "maxima_of", 9, after=False)
        with pytest.raises(KeyboardInterrupt):
            survey(tiny, photos, **options)
    # What a kill leaves in the middle of a block: rows that are not counted, faults of photos that are readable now.
    group = zarr.open_group(tmp_path / "s", mode="r+")
    array = group["layers/conv1/maxima"]
    array.resize((170, 80))
    array[BLOCK:] = 1e9
    faults = tmp_path / "s" / "faults.json"
    faults.write_text(json.dumps(json.loads(faults.read_text()) | {"150": "was half copied"}))
    part = open_survey(tmp_path / "s", tiny)
    assert len(part) == BLOCK and part.maxima("conv1")[part.readable].max() < 1e6
    assert_same(survey(tiny, photos, **options), expected)


def test_a_finished_survey_is_opened_without_computation(tiny, broken_survey, monkeypatch):
    photos, made = broken_survey

    def never(*_, **__):
        raise AssertionError("computed again")

    monkeypatch.setattr(module, "maxima_of", never)
    monkeypatch.setattr(module, "read_ahead", never)
    assert_same(survey(tiny, photos, out=made.store.path, layers=LAYERS, progress=False), made)
    assert_same(open_survey(str(made.store.path), tiny), made)
