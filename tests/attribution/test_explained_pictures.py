"""Pictures of explanations: of networks of any number of bands."""

from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from featviz.ascent.outcome import Outcome
from featviz.attribution.explained_pictures import unit_address, write_unit_pictures
from featviz.pictures.picture import Picture


@pytest.mark.parametrize(
    ("bands", "shown"), [([0.2], [0.2] * 3), ([0.2, 0.4], [0.3] * 3), ([0.2, 0.3, 0.4, 0.5, 0.6], [0.5, 0.4, 0.3])]
)
def test_a_picture_of_many_bands_is_shown_in_the_colors_of_its_network(tiny, tmp_path, bands, shown):
    pixels, provenance = np.full((8, 8, len(bands)), bands, np.float32), {"network": {"rgb": [3, 2, 1]}}
    atlas = SimpleNamespace(picture=lambda name: Picture(pixels, 1.0, Outcome.CONVERGED, [], provenance))
    write_unit_pictures(tiny, {"conv1": [3]}, tmp_path, atlas=atlas, draw=False, progress=False)
    with Image.open(tmp_path / unit_address("conv1", 3)) as image:
        np.testing.assert_allclose(np.asarray(image)[4, 4] / 255, shown, atol=0.02)
