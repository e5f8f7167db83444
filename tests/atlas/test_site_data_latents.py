"""What the pages of an atlas show of latents."""

import numpy as np
import pytest
from support.atlases import WITH_SITE, page
from support.dictionaries import draw_autoencoder
from support.surveys import IMAGES

import featviz as fv
from featviz.atlas.build import build_atlas
from featviz.atlas.site_data import SiteData
from featviz.dictionaries import Dictionary, latent_map
from featviz.dictionaries.kinds import TopKSae

LATENTS = 12


@pytest.fixture(scope="module", autouse=True)
def without_umap():
    """Its own tests have UMAP, which compiles for ten seconds."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(latent_map, "find_spec", lambda name: None)
        yield


@pytest.fixture(scope="module")
def latents(tiny):
    """The network with latents of its second layer."""
    arrays = draw_autoencoder(np.random.default_rng(0), units=8, latents=LATENTS)
    return tiny.with_dictionary("conv2", Dictionary(TopKSae(**arrays, k=3)))


@pytest.fixture(scope="module")
def folder(latents, tmp_path_factory):
    out = tmp_path_factory.mktemp("latents")
    made = fv.survey(latents, IMAGES[:40], out=out / "s", layers=["conv2/latents"], progress=False)
    options = WITH_SITE | {"layers": ["conv1", "conv2/latents"], "units": range(10), "survey": made}
    build_atlas(latents, out=out / "a", **options)
    return out / "a"


def test_a_layer_of_latents_has_a_map_of_those_that_are_drawn(folder, latents):
    pages = folder / "site" / "layers"
    assert "<canvas" in (pages / "conv2%2Flatents.html").read_text()
    assert "<canvas" not in (pages / "conv1.html").read_text()
    data = SiteData(fv.open_atlas(folder), latents)
    layout = data.latent_map("conv2/latents")
    assert len(layout.points) == LATENTS and data.latent_map("conv1") is None
    script = (folder / "site" / "grids" / "conv2%2Flatents" / "map.js").read_text()
    assert f'"x":{layout.points[:10, 0].tolist()}'.replace(" ", "") in script


def test_a_latent_has_a_profile_and_neighbors_by_its_decoder_row(folder, latents):
    decoder = np.asarray(latents.weights.dictionary.directions)
    directions = decoder / np.linalg.norm(decoder, axis=1, keepdims=True)
    records = [page(folder / "site", "conv2%2Flatents", unit) for unit in range(10)]
    for unit, found in enumerate(records):
        cosines = directions @ directions[unit]
        cosines[unit] = -2
        assert [each["unit"] for each in found["similar"]] == np.argsort(-cosines)[:10].tolist()
        activations = [example["activation"] for example in found["survey"]["examples"]]
        assert all(value > 0 for value in activations) and found["survey"]["profile"]["position_photos"] == 40
    assert any(found["survey"]["profile"]["held"] for found in records)
    # Another layer was not surveyed.
    assert page(folder / "site", "conv1", 0)["survey"] is None
