"""Pictures of explanations: of networks of any number of bands, and from atlases of the network alone."""

from dataclasses import replace
from types import SimpleNamespace

import jax
import numpy as np
import pytest
from PIL import Image

import featviz as fv
from featviz.ascent.outcome import Outcome
from featviz.attribution.explained_pictures import PictureFiles, check_atlas, drawn_size, write_atlas_pictures
from featviz.errors import FeatvizError
from featviz.model import hash_weights
from featviz.pictures.picture import Picture

FILES = PictureFiles("0")


def atlas_of(name, weights, **run):
    """What the check reads of an atlas."""
    attributes = {"run": {"network": {"name": name, "weights_sha256": hash_weights(weights)}}} | run
    return SimpleNamespace(
        plan=[SimpleNamespace(path="a")],
        entries=lambda path: SimpleNamespace(attributes=attributes),
        store=SimpleNamespace(location="atlas"),
    )


@pytest.mark.parametrize(
    ("bands", "shown"), [([0.2], [0.2] * 3), ([0.2, 0.4], [0.3] * 3), ([0.2, 0.3, 0.4, 0.5, 0.6], [0.5, 0.4, 0.3])]
)
def test_a_picture_of_many_bands_is_shown_in_the_colors_of_its_network(tiny, tmp_path, bands, shown):
    pixels, provenance = np.full((8, 8, len(bands)), bands, np.float32), {"network": {"rgb": [3, 2, 1]}}
    atlas = SimpleNamespace(picture=lambda name: Picture(pixels, 1.0, Outcome.CONVERGED, [], provenance))
    assert write_atlas_pictures({"conv1": [3]}, tmp_path, FILES, atlas) == []
    with Image.open(tmp_path / FILES.address(fv.channel("conv1", 3))) as image:
        np.testing.assert_allclose(np.asarray(image)[4, 4] / 255, shown, atol=0.02)


def test_what_an_atlas_lacks_is_left_to_be_drawn(tmp_path):
    def picture(name):
        raise FeatvizError(f"no {name}")

    for atlas in (None, SimpleNamespace(picture=picture)):
        lacking = write_atlas_pictures({"conv1": [3, 3], "conv2": [0]}, tmp_path, FILES, atlas)
        assert [each.label for each in lacking] == ["conv1:3", "conv2:0"] and not list(tmp_path.iterdir())


def test_an_atlas_is_of_the_network_with_or_without_its_dictionaries(tiny):
    atlas = atlas_of("tiny", tiny.weights)
    centers = np.eye(4, tiny.layer("conv1").units, dtype=np.float32)
    with_latents = tiny.with_dictionary("conv1", fv.Dictionary(fv.dictionaries.kinds.KMeans(centers=centers)))
    assert check_atlas(atlas, tiny) is atlas and check_atlas(atlas, with_latents) is atlas


def test_an_atlas_of_another_network_is_refused(tiny):
    trained = replace(tiny, weights=jax.tree.map(lambda leaf: leaf * 1.01, tiny.weights))
    for name, model, which in (
        ("googlenet", trained, "googlenet"),
        ("tiny", trained, "tiny with other weights"),
        ("tiny", tiny.edited({"conv1": fv.ablate([0])}), "tiny"),
    ):
        with pytest.raises(FeatvizError, match=f"`atlas` is `atlas`, one of {which}; expected one of {model.name}"):
            check_atlas(atlas_of(name, tiny.weights), model)


def test_an_atlas_that_does_not_say_its_weights_is_not_used(tiny):
    with pytest.warns(UserWarning, match="`atlas` does not say which weights it is of; its pictures are not used"):
        assert check_atlas(atlas_of("tiny", tiny.weights, run={}), tiny) is None


def test_pictures_are_of_the_networks_size_where_it_takes_no_other(tiny):
    assert drawn_size(tiny, 8) == (8, 8) and drawn_size(tiny, 128) == tiny.input.size
    at_places = tiny.edited({"conv2/relu": fv.ablate(None, positions=(7, 7))})
    assert drawn_size(at_places, 8) == tiny.input.size
