"""What is known of a survey's photographs whatever the layer: computed once."""

from types import SimpleNamespace

import numpy as np

from featviz.atlas import surveyed_photos as module
from featviz.atlas.surveyed_photos import PhotoCache, all_outputs, photo_classes, photo_outputs, sampled_embeddings
from featviz.evaluation.features import Features


def test_features_and_outputs_are_computed_once(broken_survey, patterns, monkeypatch):
    _, made = broken_survey
    features = Features(patterns, "conv1")
    found, outputs = sampled_embeddings(made, features), all_outputs(made)
    assert found.shape == (196, 20) and sorted(outputs) == np.flatnonzero(made.readable).tolist()
    some = photo_outputs(made, [3, 5])
    np.testing.assert_allclose(some[5], outputs[5], atol=1e-5)
    monkeypatch.setattr(module, "network_outputs", None)
    assert sampled_embeddings(made, features) is found and all_outputs(made) is outputs
    assert photo_outputs(made, []) == {}


def test_the_photographs_used_last_are_kept(whole_survey, monkeypatch):
    monkeypatch.setattr(module, "KEPT_PHOTOS", 2)
    photos = PhotoCache(whole_survey)
    first = photos(0)
    assert photos(1) is not None and photos(0) is first
    photos(2)
    assert photos(0) is first and len(photos._kept) == 2


def test_classes_are_folders_or_what_the_network_sees(broken_survey):
    _, made = broken_survey
    outputs = {3: np.array([0.0, 2.0]), 4: np.array([1.0, 0.0])}
    assert photo_classes(made, ("cat", "dog"), outputs) == ({0: "cat", 1: "dog"}, "folders")
    # The network's classes have no names.
    assert photo_classes(made, None, outputs) == ({}, "the network")
    named = SimpleNamespace(model=SimpleNamespace(classes=("crane", "crane")))
    assert photo_classes(named, None, outputs)[0] == {3: "crane (1)", 4: "crane (0)"}
