"""What the pages of an atlas show of latents."""

import numpy as np
import pytest
from support.atlases import WITH_SITE
from support.dictionaries import draw_autoencoder

import featviz as fv
from featviz.atlas.build import build_atlas
from featviz.atlas.site_data import SiteData
from featviz.dictionaries import Dictionary
from featviz.dictionaries.kinds import TopKSae

LATENTS = 12


@pytest.fixture(scope="module")
def latents(tiny):
    """The network with latents of its second layer."""
    arrays = draw_autoencoder(np.random.default_rng(0), units=8, latents=LATENTS)
    return tiny.with_dictionary("conv2", Dictionary(TopKSae(**arrays, k=3)))


@pytest.fixture(scope="module")
def folder(latents, tmp_path_factory):
    out = tmp_path_factory.mktemp("latents") / "a"
    build_atlas(latents, out=out, **WITH_SITE | {"layers": ["conv1", "conv2/latents"], "units": range(10)})
    return out


def test_a_layer_of_latents_has_a_map_of_those_that_are_drawn(folder, latents):
    pages = folder / "site" / "layers"
    assert "<canvas" in (pages / "conv2%2Flatents.html").read_text()
    assert "<canvas" not in (pages / "conv1.html").read_text()
    data = SiteData(fv.open_atlas(folder), latents)
    layout = data.latent_map("conv2/latents")
    assert len(layout.points) == LATENTS and data.latent_map("conv1") is None
    script = (folder / "site" / "grids" / "conv2%2Flatents" / "map.js").read_text()
    assert f'"x":{layout.points[:10, 0].tolist()}'.replace(" ", "") in script
