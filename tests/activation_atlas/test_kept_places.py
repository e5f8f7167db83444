"""Where activations are in their photographs, and the places that they follow on another map."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from featviz.activation_atlas.kept_places import PlacedActivations, follow, read_placed, where_in_photos
from featviz.activation_atlas.map_positions import MapPositions
from featviz.activation_atlas.map_store import open_map
from featviz.errors import FeatvizError
from featviz.surveys.receptive_fields import Grid


def rows(rng, count, grid):
    photo = np.sort(rng.integers(0, 4, count))
    position = rng.integers(grid.skipped, grid.skipped + grid.rows * grid.columns, count)
    return MapPositions(np.zeros((count, 3), np.float32), photo, position, 0, 0)


@given(st.integers(1, 5), st.integers(1, 5), st.integers(0, 3))
def test_positions_are_in_the_middles_of_their_parts_of_a_photo(tall, wide, skipped):
    found = where_in_photos(np.arange(tall * wide) + skipped, Grid(tall, wide, skipped)).reshape(tall, wide, 2)
    np.testing.assert_allclose(found[:, 0, 0], (np.arange(tall) + 0.5) / tall, rtol=1e-6)
    np.testing.assert_allclose(found[0, :, 1], (np.arange(wide) + 0.5) / wide, rtol=1e-6)


@given(st.integers(0, 2**16))
def test_each_activation_follows_the_nearest_one_of_its_photo(seed):
    rng = np.random.default_rng(seed)
    own, other = Grid(4, 4, 1), Grid(3, 5)
    positions, theirs = rows(rng, 30, own), rows(rng, 20, other)
    guide = PlacedActivations(
        rng.random((20, 2)).astype(np.float32), theirs.photo, where_in_photos(theirs.position, other), ""
    )
    found, where = follow(positions, own, guide), where_in_photos(positions.position, own)
    for index, photo in enumerate(positions.photo):
        same = np.flatnonzero(guide.photo == photo)
        if not len(same):
            np.testing.assert_allclose(found[index], guide.places.mean(0), rtol=1e-5)
            continue
        apart = np.linalg.norm(guide.where[same] - where[index], axis=1)
        nearest = guide.places[same[apart < apart.min() + 1e-6]]
        assert (nearest == found[index]).all(1).any()


def test_a_folder_without_a_layout_is_named(tmp_path):
    with pytest.raises(
        FeatvizError, match="nowhere` does not exist; expected a folder that `featviz activation-atlas`"
    ):
        read_placed(tmp_path / "nowhere")
    open_map(tmp_path / "begun")
    with pytest.raises(FeatvizError, match="begun` has no layout yet"):
        read_placed(tmp_path / "begun")
