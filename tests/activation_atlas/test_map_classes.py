"""Classes of activations: the same as attribution's own, exact behind a linear head, none without classes."""

import flax.linen as nn
import numpy as np
import pytest
from support.tiny import build

import featviz as fv
from featviz.activation_atlas import kept_classes as kept
from featviz.activation_atlas.kept_classes import kept_classes
from featviz.activation_atlas.map_classes import METHOD, MapClasses, count_classes, strongest_classes
from featviz.activation_atlas.map_positions import sample_positions
from featviz.activation_atlas.map_store import open_map
from featviz.surveys.photos import find_photos

PHOTOS = np.random.default_rng(0).integers(0, 256, (5, 16, 16, 3), np.uint8)


@pytest.fixture(scope="module")
def found(tiny, tmp_path_factory):
    photos = [*PHOTOS[:2], np.zeros((2, 2, 2, 2), np.uint8), *PHOTOS[2:]]
    source = find_photos(photos)
    folder = tmp_path_factory.mktemp("map") / "activations"
    options = {"per_photo": 6, "seed": 1, "tokens": False, "progress": False}
    positions = sample_positions(tiny, "conv1/relu", source, folder, **options)
    store = open_map(folder.parent)
    return photos, positions, kept_classes(tiny, "conv1/relu", source, positions, store, progress=False)


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
    positions = sample_positions(tiny, "conv2/relu", source, tmp_path / "activations", **options)
    made = kept_classes(tiny, "conv2/relu", source, positions, open_map(tmp_path), progress=False)
    output = fv.observe(tiny, PHOTOS[1].astype(np.float32) / 255, "<output>").reshape(-1)
    bias = np.asarray(tiny.weights["params"]["fc"]["bias"])
    total = made.scores[positions.photo == 1].sum(0)
    np.testing.assert_allclose(total, (output - bias)[made.classes[1]], rtol=1e-4, atol=1e-5)


def test_stopped_and_resumed_they_are_the_same(tiny, found, tmp_path, monkeypatch):
    photos, positions, whole = found
    monkeypatch.setattr(kept, "BLOCK", 2)
    seen = []

    def attributed(*args, **options):
        for each in given(*args, **options):
            if len(seen) == 3:
                raise KeyboardInterrupt
            seen.append(each)
            yield each

    given = kept.attribute_classes
    monkeypatch.setattr(kept, "attribute_classes", attributed)
    options = (tiny, "conv1/relu", find_photos(photos), positions, open_map(tmp_path))
    with pytest.raises(KeyboardInterrupt):
        kept_classes(*options, progress=False)
    starts = []
    monkeypatch.setattr(kept, "attribute_classes", lambda *a, start: (starts.append(start), given(*a, start=start))[1])
    for again, expected in zip(kept_classes(*options, progress=False), whole, strict=True):
        np.testing.assert_array_equal(again, expected)
    assert starts == [3]


def test_a_cell_lists_its_classes_by_what_they_get_on_average():
    made = MapClasses(np.array([[3, 5], [-1, -1], [5, 2]]), np.array([[1.0, 0.5], [2.0, -1.0], [0.0, 4.0]]))
    photo = np.array([0, 2, 2])
    assert strongest_classes(made, photo, np.array([0, 1]), count=5) == [(5, 1.25), (3, 0.5)]
    assert strongest_classes(made, photo, np.array([2]), count=5) == [(2, 4.0)]
    assert strongest_classes(made, photo, np.array([0, 1, 2]), count=1) == [(2, 1.0)]


def test_a_network_without_classes_behind_the_layer_has_none(tiny):
    assert count_classes(tiny, "conv1/relu") == 5
    assert count_classes(build(Maps()), "conv") == 0


class Maps(nn.Module):
    @nn.compact
    def __call__(self, x):
        return nn.Conv(4, (3, 3), name="conv")(x)
