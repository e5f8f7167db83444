"""Maps of weights: a pixel a place, red and blue, and words for who does not see them."""

import base64
import io

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from PIL import Image

from featviz.pages.map_images import EXCITES, INHIBITS, describe_map, map_image, map_pixels


@settings(deadline=None)
@given(arrays(np.float16, array_shapes(min_dims=2, max_dims=2, max_side=7), elements=st.floats(-1, 1, width=16)))
def test_each_place_is_a_pixel_whose_opacity_is_its_weight(weights):
    shown = map_image(weights)
    assert (shown.rows, shown.columns) == weights.shape and shown.alt
    pixels = np.asarray(Image.open(io.BytesIO(base64.b64decode(shown.src.partition(",")[2]))).convert("RGBA"))
    np.testing.assert_array_equal(pixels[..., 3], np.round(np.abs(weights.astype(np.float32)) * 255))
    for color, where in ((EXCITES, weights > 0), (INHIBITS, weights < 0)):
        visible = where & (pixels[..., 3] > 0)
        assert (pixels[visible][:, :3] == color).all()


def test_a_map_is_said_in_words():
    weights = np.array([[0.0, 0.0, 0.0], [0.0, 0.5, 0.0], [-0.9, 0.0, 0.0]])
    words = describe_map(weights)
    assert words.startswith("inhibits most at the lower left") and "excites most at the center (+0.50)" in words
    assert describe_map(np.zeros((3, 3))) == "no weight"
    assert describe_map(np.array([[np.nan, 1.0]])) == "excites most at the right (+1.00)"
    assert map_pixels(np.array([[np.nan]]))[0, 0, 3] == 0
