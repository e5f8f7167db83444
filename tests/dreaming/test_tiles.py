"""Tiles cover a photo once, and a gradient gathered from them has no seams."""

import numpy as np
import pytest
from scipy import ndimage

import featviz as fv
from featviz.dreaming.tile_margin import plan_tiling
from featviz.dreaming.tiles import ImageGradient, Tiling, cut_tile, tiles_of

QUIET = {"progress": False}


@pytest.mark.parametrize("size", [(5, 7), (100, 40), (64, 64), (193, 250)])
@pytest.mark.parametrize("shift", [(0, 0), (31, -32), (-7, 5), (-64, 64), (-1000, 1000), (-65, -129)])
def test_cores_cover_each_pixel_once(size, shift):
    count = np.zeros(size, int)
    tiling = Tiling(96, 16)
    for tile in tiles_of(size, tiling, shift):
        count[tile.core] += 1
        for axis in (0, 1):
            core = tile.core[axis]
            # Beside its core a tile has at least the margin.
            assert tile.corner[axis] + 16 <= core.start and core.stop <= tile.corner[axis] + 80
    assert (count == 1).all()


def test_beyond_the_edges_a_photo_is_mirrored():
    photo = np.random.default_rng(0).random((5, 6, 3)).astype(np.float32)
    np.testing.assert_array_equal(
        cut_tile(photo, (-3, -2), 12), np.pad(photo, ((3, 4), (2, 4), (0, 0)), mode="symmetric")
    )


@pytest.mark.parametrize(("layer", "side"), [("conv2", 128), ("mixed4a", 320)])
def test_no_seam(layer, side, patterns):
    photo = np.random.default_rng(1).random((480, 480, 3)).astype(np.float32)
    photo = ndimage.gaussian_filter(photo, (1, 1, 0)) * 3 - 1
    check_seams(patterns, patterns.weights, np.clip(photo, 0, 1), layer, side)


# At these sizes four tiles meet where the network sees neither the photo's edges nor those of a tile.
@pytest.mark.slow
@pytest.mark.parametrize(
    ("layer", "side", "size"), [("inception_3b", 384, (640, 672)), ("inception_4c", 896, (928, 960))]
)
def test_no_seam_in_googlenet(layer, side, size, googlenet):
    photo = np.random.default_rng(1).normal(size=(*size, 3))
    photo = np.clip(0.5 + 2 * ndimage.gaussian_filter(photo, (2, 2, 0)), 0, 1).astype(np.float32)
    check_seams(googlenet, googlenet.weights, photo, layer, side)


def test_a_dream_in_tiles_is_that_in_one_piece(patterns):
    photo = np.random.default_rng(1).random((192, 224, 3)).astype(np.float32)
    options = {"octaves": 2, "steps": 1, "jitter": 0, **QUIET}
    whole = fv.dream(patterns, photo, fv.deepdream("conv2"), **options)
    tiled = fv.dream(patterns, photo, fv.deepdream("conv2"), tile=160, **options)
    inside = (slice(32, -32), slice(32, -32))
    change = np.abs(whole.pixels - photo)[inside].mean()
    assert np.abs(whole.pixels - tiled.pixels)[inside].mean() < 0.1 * change
    assert tiled.provenance["tile"] == 160


def check_seams(model, weights, photo, layer, side):
    """The gradient in bands along tile borders within 5 % of that in one piece, and its size that inside tiles."""
    objective = fv.deepdream(layer)
    tiling = plan_tiling(model, weights, objective, side=side)
    _, whole = ImageGradient(model.apply, weights, objective)(photo, (0, 0))
    _, tiled = ImageGradient(model.apply, weights, objective, tiling)(photo, (0, 0))
    size = photo.shape[:2]
    borders = [{tile.core[axis].start for tile in tiles_of(size, tiling, (0, 0))} - {0} for axis in (0, 1)]
    assert all(borders)
    inner = np.zeros(size, bool)
    edge = 2 * tiling.margin  # at the edges one is mirrored, the other padded
    inner[edge:-edge, edge:-edge] = True
    band = np.zeros(size, bool)
    for row in borders[0]:
        band[row - 4 : row + 4] = True
    for column in borders[1]:
        band[:, column - 4 : column + 4] = True
    assert (band & inner).any()
    wrong, right = np.abs(tiled - whole).mean(-1), np.abs(whole).mean(-1)
    assert wrong[band & inner].mean() < 0.05 * right[band & inner].mean()
    assert np.abs(tiled).mean(-1)[band & inner].mean() == pytest.approx(right[band & inner].mean(), rel=0.05)


def test_a_photo_smaller_than_a_tile_is_mirrored_into_it(patterns, photo):
    small = photo[:24, :40]
    dreamed = fv.dream(patterns, small, fv.deepdream("conv1"), octaves=1, steps=1, tile=128, **QUIET)
    assert dreamed.pixels.shape == small.shape and np.abs(dreamed.pixels - small).mean() > 0.5 * 1.5 / 255
