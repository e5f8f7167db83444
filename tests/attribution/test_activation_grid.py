"""The activation grid: cells are means over squares of positions, each as large as its activation is long."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import featviz as fv
from featviz.attribution.activation_grid import ActivationGrid, cell_vectors
from featviz.errors import FeatvizError

PHOTO = np.random.default_rng(0).random((16, 16, 3), np.float32)


@settings(deadline=None)
@given(st.integers(1, 20), st.integers(1, 20), st.integers(1, 60))
def test_cells_are_means_of_squares_and_no_more_than_asked(rows, columns, cells):
    h = np.random.default_rng(rows).random((rows, columns, 3))
    found = cell_vectors(h, cells, (64, 64))
    assert found.shape[0] * found.shape[1] <= cells
    side = -(-rows // found.shape[0])
    while -(-rows // side) != found.shape[0] or -(-columns // side) != found.shape[1]:
        side += 1
    for row, column in np.ndindex(found.shape[:2]):
        square = h[row * side : (row + 1) * side, column * side : (column + 1) * side]
        np.testing.assert_allclose(found[row, column], square.mean((0, 1)))


def test_tokens_without_a_place_are_left_out():
    tokens = np.arange(10.0).reshape(5, 2)
    np.testing.assert_array_equal(cell_vectors(tokens, 4, (16, 16)), tokens[1:].reshape(2, 2, 2))
    assert cell_vectors(np.ones(7), 4, (16, 16)).shape == (1, 1, 7)


def test_a_cell_is_as_large_as_its_activation_is_long():
    vectors = np.zeros((1, 3, 2), np.float32)
    vectors[0, :2, 0] = 4.0, 1.0
    pictures = np.full((1, 3, 8, 8, 3), 200, np.uint8)
    grid = ActivationGrid("conv", vectors, pictures)
    np.testing.assert_allclose(grid.sides, [[1.0, 0.5, 0.0]])
    alpha = np.asarray(grid.to_pil())[..., 3] / 255
    assert [alpha[:, 8 * index : 8 * index + 8].sum() for index in range(3)] == [64, 16, 0]
    with pytest.raises(FeatvizError, match="the grid has no pictures"):
        ActivationGrid("conv", vectors).to_pil()


def test_each_cell_is_the_picture_of_its_direction(tiny):
    grid = fv.activation_grid(tiny, PHOTO, "conv2/relu", size=16, steps=3, cells=4, progress=False)
    assert grid.pictures.shape == (2, 2, 16, 16, 3)
    alone = fv.render(tiny, grid.objectives[2], size=16, steps=3, progress=False)
    np.testing.assert_array_equal(grid.pictures[1, 0], np.asarray(alone.preview().convert("RGB")))
    with pytest.raises(FeatvizError, match="`cells` is 0"):
        fv.activation_grid(tiny, PHOTO, "conv2/relu", cells=0)


@pytest.mark.parametrize("size", [0, -3, 2.5, "large", 5000])
def test_a_size_that_no_picture_has_is_refused(tiny, size):
    with pytest.raises(FeatvizError, match="`size` is .*; expected a whole number from 8 to 4096"):
        fv.activation_grid(tiny, PHOTO, "conv2/relu", size=size, cells=1)


def test_a_silent_layer_is_black_at_the_size_that_is_asked(tiny):
    silent = tiny.edited({"conv2/relu": fv.ablate(None)})
    grid = fv.activation_grid(silent, PHOTO, "conv2/relu", size=16, steps=1, cells=4, progress=False)
    assert grid.pictures.shape == (2, 2, 16, 16, 3) and not grid.pictures.any()
    assert grid.to_pil().size == (32, 32)
