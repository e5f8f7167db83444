"""Gratings lie on a ring by their orientation, in a layer that tells orientations apart."""

import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "experiments"))

from activation_maps import gratings, ring

from featviz.activation_atlas.map_layout import LayoutSettings, by_pca
from featviz.activation_atlas.map_positions import sample_positions
from featviz.surveys.photos import find_photos


def test_gratings_lie_on_a_ring_by_their_orientation(patterns, tmp_path):
    orientations, photos = gratings(96)
    options = {"per_photo": 4, "seed": 0, "tokens": False, "progress": False}
    found = sample_positions(patterns, "mixed4a", find_photos(photos), tmp_path / "a", **options)
    places = by_pca(found.values - found.center, LayoutSettings())
    degrees, explained = ring(places, orientations[found.photo], found.photo)
    # By chance 45 degrees and 0.
    assert degrees < 12 and explained > 0.5
    shuffled = np.random.default_rng(0).permutation(len(places))
    assert ring(places[shuffled], orientations[found.photo], found.photo)[1] < 0.1
