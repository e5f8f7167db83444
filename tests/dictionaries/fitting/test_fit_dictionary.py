"""`fv.fit_dictionary`: what it says of the dictionary, and what it refuses before it works."""

import numpy as np
import pytest
from support.surveys import IMAGES, make_folder, refused

import featviz as fv
from featviz.dictionaries.dictionary_files import read_dictionary
from featviz.dictionaries.fitting import fit_dictionary as module

SMALL = {"latents": 12, "k": 3, "steps": 20, "batch": 64, "progress": False}


def test_a_dictionary_says_what_it_was_fitted_on(tiny, tmp_path):
    made = fv.fit_dictionary(tiny, "conv2", IMAGES[:60], activations=tmp_path / "a", **SMALL)
    assert (made.units, made.latents) == (8, 12) and made.code.name == "batch_topk"
    notes = dict(made.record.notes)
    assert made.record.layer == "conv2" and notes["photos"] == "60, one of 10 held out"
    assert {"explained variance", "L0", "dead latents", "high norms", "class tokens", "positions"} <= set(notes)
    # As many latents as there are in the histogram.
    assert sum(int(part.rpartition(": ")[2]) for part in notes["densities"].split(", ")) == 12
    again = read_dictionary(fv.save_dictionary(tmp_path / "d.safetensors", made))
    assert np.array_equal(again.encode(np.ones(8)), made.encode(np.ones(8))) and again.record == made.record
    # Another kind takes the same activations, and the same kind is bitwise the same.
    fv.fit_dictionary(tiny, "conv2", IMAGES[:60], activations=tmp_path / "a", kind="pca", latents=3, progress=False)
    twin = fv.fit_dictionary(tiny, "conv2", IMAGES[:60], activations=tmp_path / "b", **SMALL)
    assert np.array_equal(twin.code.decoder, made.code.decoder)


@pytest.mark.parametrize(
    ("says", "options"),
    [
        ("`kind` is 'tokp'; did you mean `topk`", {"kind": "tokp"}),
        ("`latents` is 9", {"kind": "pca", "latents": 9}),
        ("`k` is 13", {"k": 13}),
        ("`steps` is 0", {"steps": 0}),
        ("`rate` is -1", {"rate": -1}),
        ("`seed` is -1", {"seed": -1}),
    ],
)
def test_numbers_out_of_range_are_refused(tiny, says, options):
    refused(says, fv.fit_dictionary, tiny, "conv2", IMAGES[:60], **{**SMALL, **options})


def test_too_few_photos_are_said_before_anything_is_computed(tiny, tmp_path, monkeypatch):
    folder = make_folder(tmp_path / "photos", IMAGES[:12])
    monkeypatch.setattr(module, "harvest", None)
    refused("photos with as many positions each, or", fv.fit_dictionary, tiny, "fc", folder, **SMALL)


def test_too_few_images_of_a_list_are_said_before_the_training(tiny, monkeypatch):
    monkeypatch.setattr(module, "fit_code", None)
    refused("photos with as many positions each, or", fv.fit_dictionary, tiny, "fc", list(IMAGES[:12]), **SMALL)


def test_where_none_is_held_out_the_record_says_so(tiny, tmp_path):
    made = fv.fit_dictionary(tiny, "conv2", IMAGES[:9], kind="pca", latents=3, progress=False)
    assert dict(made.record.notes)["photos"] == "9, none held out: the figures are of those that it was fitted to"
