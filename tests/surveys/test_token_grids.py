"""Where a transformer's tokens lie in images of any proportions."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from featviz.adapters.linen import from_linen
from featviz.model import InputSpec
from featviz.surveys.receptive_fields import grid_of, largest_activations
from featviz.surveys.run_survey import survey
from featviz.surveys.token_grids import UNLOCATED, token_grid, warn_of_guessed_places


@given(st.integers(1, 40), st.integers(1, 40), st.integers(2, 32), st.integers(0, UNLOCATED))
def test_patches_that_divide_the_image_are_found(rows, columns, patch, unlocated):
    # Fewer tokens than this may be of smaller patches too.
    assume(max(rows, columns) >= 4)
    assert token_grid(rows * columns + unlocated, (rows * patch, columns * patch)) == (rows, columns)


@pytest.mark.parametrize(
    ("tokens", "size", "expected"),
    [
        (196, (230, 230), (14, 14)),
        (197, (230, 230), (14, 14)),
        (99, (230, 118), (14, 7)),  # patches of 16, the rest omitted
        (120, (230, 118), (15, 8)),  # padded
        (1, (224, 224), (1, 1)),
        (2, (7, 300), (1, 2)),
        (261, (224, 224), (16, 16)),  # a class token and four registers
        (3136, (224, 224), (56, 56)),
    ],
)
def test_grids_of_known_networks(tokens, size, expected):
    assert token_grid(tokens, size) == expected


@given(st.integers(1, 2000), st.tuples(st.integers(1, 500), st.integers(1, 500)))
def test_a_grid_has_at_most_as_many_patches_as_tokens(tokens, size):
    rows, columns = token_grid(tokens, size)
    assert rows >= 1 and columns >= 1 and rows * columns <= tokens


SQUARE = (224, 224)


@pytest.mark.parametrize(
    ("shape", "size", "how"),
    [
        ((100, 256), SQUARE, "its 100 tokens fit no grid of patches and are taken for 10 x 10"),
        ((27, 32), (32, 128), "its 27 tokens fit no grid of patches and are taken for 3 x 9"),
        (
            (64, 49, 96),
            SQUARE,
            "its 64 x 49 positions, perhaps windows and their tokens, are taken for rows and columns",
        ),
    ],
)
def test_places_that_are_a_guess_are_said(shape, size, how):
    with pytest.warns(UserWarning, match="of `queries` .and of 1 more. lie in the image is a guess: " + how):
        warn_of_guessed_places({"conv": (7, 7, 8), "queries": shape, "more": shape}, size)


@pytest.mark.parametrize(
    ("shape", "size"),
    [
        ((197, 192), SQUARE),
        ((196, 192), SQUARE),
        ((13, 13, 64), SQUARE),
        ((1, 33, 64), (32, 128)),  # strides that differ
        ((27, 40, 8), (53, 80)),
        ((1000,), SQUARE),
        ((1, 64), SQUARE),
    ],
)
def test_nothing_is_said_of_places_that_are_known(shape, size):
    warn_of_guessed_places({"layer": shape}, size)


class Patches(nn.Module):
    """Patches of 8 pixels by their mean colors, after a class token that is larger than all."""

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        count, height, width, _ = x.shape
        tokens = x.reshape(count, height // 8, 8, width // 8, 8, 3).mean((2, 4)).reshape(count, -1, 3)
        tokens = jnp.concatenate([jnp.full_like(tokens[:, :1], 9.0), tokens], axis=1)
        return nn.Dense(3, use_bias=False, kernel_init=lambda *_: jnp.eye(3), name="tokens")(tokens)


def test_a_survey_of_tall_images_finds_the_patch(tmp_path):
    size = (48, 24)
    weights = Patches().init(jax.random.key(0), jnp.zeros((1, *size, 3)))
    model = from_linen(Patches(), weights, input=InputSpec(size=size))
    photos = np.zeros((3, *size, 3), np.uint8)
    places = [(0, 2), (4, 1), (5, 0)]
    for photo, (row, column) in zip(photos, places, strict=True):
        photo[8 * row : 8 * row + 8, 8 * column : 8 * column + 8] = 255
    made = survey(model, photos, out=tmp_path / "s", layers=["tokens"], progress=False)
    grid = made.grid("tokens")
    assert (grid.rows, grid.columns, grid.skipped) == (6, 3, 1) and grid == grid_of((19, 3), size)
    np.testing.assert_allclose(made.maxima("tokens"), 1, rtol=1e-6)
    assert made.positions("tokens")[:, 0].tolist() == [3 * row + column for row, column in places]
    # The same image lying on its side.
    tokens = jnp.zeros((1, 19, 1)).at[0, 1 + 6 * 2 + 5].set(1.0)
    assert int(largest_activations(tokens, (24, 48))[1][0, 0]) == 17
