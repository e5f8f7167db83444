"""A survey of latents goes on wherever the dictionary's file lies, and not with a dictionary of another k."""

import numpy as np
import pytest
from PIL import Image
from support.dictionaries import draw_autoencoder

import featviz as fv
from featviz.dictionaries import Dictionary
from featviz.dictionaries.kinds import TopKSae
from featviz.errors import FeatvizError
from featviz.model.network_record import record_network, same_network

ARRAYS = draw_autoencoder(np.random.default_rng(0), units=20, latents=12)


def latents_of(path, k=3):
    path.parent.mkdir(exist_ok=True)
    fv.save_dictionary(path, Dictionary(TopKSae(**ARRAYS, k=k)))
    return fv.load("patterns").with_dictionary("conv1", fv.load_dictionary(path))


def test_a_file_has_its_name_and_its_folder_without_being_another_network(tmp_path):
    first, moved = latents_of(tmp_path / "a.safetensors"), latents_of(tmp_path / "b" / "c.safetensors")
    assert record_network(first)["dictionary"] != record_network(moved)["dictionary"]
    assert same_network(record_network(first), record_network(moved))
    assert not same_network(record_network(first), record_network(latents_of(tmp_path / "k.safetensors", k=4)))


def test_a_survey_of_latents_goes_on_with_the_same_dictionary_alone(tmp_path):
    photos = tmp_path / "photos"
    photos.mkdir()
    for index, pixels in enumerate(np.random.default_rng(0).integers(0, 255, (3, 32, 32, 3), np.uint8)):
        Image.fromarray(pixels).save(photos / f"{index}.png")
    options = {"out": tmp_path / "survey", "size": 32, "progress": False}
    made = fv.survey(latents_of(tmp_path / "a.safetensors"), photos, **options)
    again = fv.survey(latents_of(tmp_path / "b" / "a.safetensors"), photos, **options)
    np.testing.assert_array_equal(again.maxima("conv1/latents"), made.maxima("conv1/latents"))
    with pytest.raises(FeatvizError, match=r"k 3, 20 units, 12 latents> in place of .* k 4, 20 units, 12 latents>"):
        fv.survey(latents_of(tmp_path / "k.safetensors", k=4), photos, **options)
