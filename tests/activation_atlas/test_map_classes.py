"""Classes of activations: the same as attribution's own, exact behind a linear head, none without classes."""

import flax.linen as nn
import numpy as np
import pytest
from support.tiny import build

import featviz as fv
from featviz.activation_atlas.map_classes import METHOD, MapClasses, attribute_classes, has_classes, strongest_classes
from featviz.activation_atlas.map_positions import sample_positions
from featviz.surveys.photos import find_photos

PHOTOS = np.random.default_rng(0).integers(0, 256, (5, 16, 16, 3), np.uint8)


@pytest.fixture(scope="module")
def found(tiny, tmp_path_factory):
    photos = [*PHOTOS[:2], np.zeros((2, 2, 2, 2), np.uint8), *PHOTOS[2:]]
    source = find_photos(photos)
    folder = tmp_path_factory.mktemp("map") / "activations"
    options = {"per_photo": 6, "seed": 1, "tokens": False, "progress": False}
    positions = sample_positions(tiny, "conv1/relu", source, folder, **options)
    return photos, positions, attribute_classes(tiny, "conv1/relu", source, positions, progress=False)


def test_shares_are_those_of_attribution(tiny, found):
    photos, positions, made = found
    assert positions.unreadable == 1 and made.classes[2].tolist() == [-1] * 5
    for index in (0, 1, 3, 4, 5):
        image = photos[index].astype(np.float32) / 255
        output = fv.observe(tiny, image, "<output>").reshape(-1)
        assert made.classes[index].tolist() == np.argsort(-output, kind="stable")[:5].tolist()
        rows = positions.photo == index
        for number, unit in enumerate(made.classes[index]):
            why = fv.attribute(tiny, image, fv.logit(int(unit)), layer="conv1/relu", method=METHOD)
            expected = why.positions[0].reshape(-1)[positions.position[rows]]
            np.testing.assert_allclose(made.scores[rows, number], expected, atol=1e-5, rtol=1e-3)


def test_behind_a_linear_head_all_shares_sum_to_the_logit(tiny, tmp_path):
    source = find_photos(list(PHOTOS[:2]))
    options = {"per_photo": 1000, "seed": 0, "tokens": False, "progress": False}
    positions = sample_positions(tiny, "conv2/relu", source, tmp_path / "a", **options)
    made = attribute_classes(tiny, "conv2/relu", source, positions, progress=False)
    output = fv.observe(tiny, PHOTOS[1].astype(np.float32) / 255, "<output>").reshape(-1)
    bias = np.asarray(tiny.weights["params"]["fc"]["bias"])
    total = made.scores[positions.photo == 1].sum(0)
    np.testing.assert_allclose(total, (output - bias)[made.classes[1]], rtol=1e-4, atol=1e-5)


def test_a_cell_lists_its_classes_by_what_they_get_on_average():
    made = MapClasses(np.array([[3, 5], [-1, -1], [5, 2]]), np.array([[1.0, 0.5], [2.0, -1.0], [0.0, 4.0]]))
    photo = np.array([0, 2, 2])
    assert strongest_classes(made, photo, np.array([0, 1]), count=5) == [(5, 1.25), (3, 0.5)]
    assert strongest_classes(made, photo, np.array([2]), count=5) == [(2, 4.0)]
    assert strongest_classes(made, photo, np.array([0, 1, 2]), count=1) == [(2, 1.0)]


def test_a_network_without_classes_behind_the_layer_has_none(tiny):
    assert has_classes(tiny, "conv1/relu") and has_classes(tiny, "fc")
    assert not has_classes(build(Maps()), "conv")


class Maps(nn.Module):
    @nn.compact
    def __call__(self, x):
        return nn.Conv(4, (3, 3), name="conv")(x)
