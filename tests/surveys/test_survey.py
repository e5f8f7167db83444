"""A survey opened from the disk: its layers, its photographs, receptive fields, and the store."""

import os
from dataclasses import replace

import numpy as np
import zarr
from support.surveys import COUNT, IMAGES, LAYERS, make_folder, refused

import featviz.surveys.survey as module
from featviz.model import hash_weights
from featviz.surveys.run_survey import survey
from featviz.surveys.statistics import examples
from featviz.surveys.survey import open_survey


def test_a_layer_that_was_not_surveyed(whole_survey):
    refused("the survey has no layer `conv3`; did you mean `conv", whole_survey.maxima, "conv3")
    refused("`unit` 80 is out of range; conv1 has 80 units, 0 to 79", examples, whole_survey, "conv1", 80)
    refused("`unit` -1 is out of range", examples, whole_survey, "conv1", -1)


def test_a_folder_that_has_moved(tiny, tmp_path):
    photos = make_folder(tmp_path / "photos", IMAGES[:5])
    made = survey(tiny, photos, out=tmp_path / "s", layers=["fc"], progress=False)
    os.rename(photos, tmp_path / "elsewhere")
    refused("the photo `0003.png` cannot be read any more: ", made.photo, 3)
    refused("nowhere` does not exist; expected the folder of the survey's photos", open_survey, tmp_path / "s", tiny,
            photos=tmp_path / "nowhere")  # fmt: skip
    moved = open_survey(tmp_path / "s", tiny, photos=tmp_path / "elsewhere")
    assert np.array_equal(moved.photo(3), IMAGES[3]) and np.array_equal(moved.maxima("fc"), made.maxima("fc"))


def test_the_store_is_plain_zarr(whole_survey):
    group = zarr.open(str(whole_survey.store.path), mode="r")
    sha256 = hash_weights(whole_survey.model.weights)
    assert group["layers/conv1/maxima"].shape == (COUNT, 80) and group["layers/fc/positions"].dtype == np.int32
    assert np.array_equal(group["layers/conv1/maxima"][:], whole_survey.maxima("conv1"))
    assert np.array_equal(group["images"][:], IMAGES)
    assert group.attrs["total"] == COUNT and group.attrs["network"]["weights_sha256"] == sha256


def test_a_receptive_field_is_measured_once(tiny, tmp_path, monkeypatch):
    made = survey(tiny, IMAGES[:6], out=tmp_path / "s", layers=LAYERS, progress=False)
    side = made.receptive_field("conv2")
    assert 3 <= side <= 9 and made.receptive_field("fc") == 16
    monkeypatch.setattr(module, "receptive_fields", None)
    assert open_survey(tmp_path / "s", tiny).receptive_field("conv2") == side


def test_a_read_only_survey_still_has_receptive_fields(tiny, tmp_path, monkeypatch):
    survey(tiny, IMAGES[:6], out=tmp_path / "s", layers=["conv1"], progress=False)
    monkeypatch.setattr(os, "access", lambda *_: False)
    made = open_survey(tmp_path / "s", tiny)

    def read_only(*_, **__):
        raise OSError(30, "Read-only file system")

    with monkeypatch.context() as patch:
        patch.setattr("featviz.common.files.open", read_only, raising=False)
        assert 3 <= made.receptive_field("conv1") <= 4
    assert not (tmp_path / "s" / "receptive_fields.json").exists()


def test_a_survey_of_another_input_is_refused(tiny, tmp_path):
    options = {"out": tmp_path / "s", "layers": ["fc"]}
    survey(tiny, IMAGES[:5], progress=False, **options)
    same = replace(tiny, input=replace(tiny.input, mean=tiny.input.mean * tiny.input.channels, channels_first=True))
    assert len(open_survey(tmp_path / "s", same)) == 5
    other = replace(tiny, input=replace(tiny.input, bgr=True))
    refused("another input than tiny's: scale 1.0, mean [0.0, 0.0, 0.0]", open_survey, tmp_path / "s", other)
    refused("a survey of other input, scale 1.0", survey, other, IMAGES[:5], **options)


def test_a_damaged_array_is_named(tiny, tmp_path):
    made = survey(tiny, IMAGES[:6], out=tmp_path / "s", layers=["conv1"], progress=False)
    for name, read in (("layers/conv1/maxima", made.maxima), ("images", lambda layer: made.photo(0))):
        chunk = next(path for path in (tmp_path / "s" / name / "c").rglob("*") if path.is_file())
        data = bytearray(chunk.read_bytes())
        data[len(data) // 2] ^= 1
        chunk.write_bytes(data)
        refused(f"s`: {name} is damaged: ", read, "conv1")
