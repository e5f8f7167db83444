"""Largest activations and their positions, the box around a position, and effective receptive fields."""

from functools import partial

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.tiny import build

from featviz.surveys.receptive_fields import (
    ENERGY,
    Grid,
    box_around,
    grid_of,
    interior,
    largest_activations,
    receptive_fields,
)

RNG = np.random.default_rng(0)


def plain_largest(x):
    """`largest_activations` in plain loops over images and units."""
    if x.ndim == 2:
        return x, np.zeros(x.shape, int)
    if x.ndim == 3:
        side = int(np.sqrt(x.shape[1]))
        skipped = x.shape[1] - side * side
        x = x[:, skipped:].reshape(len(x), side, side, x.shape[2])
    else:
        skipped = 0
    rows, columns = x.shape[1:3]
    edges = [0 if side < 4 or skipped else max(1, side // 8) for side in (rows, columns)]
    inside = [r * columns + c for r in range(edges[0], rows - edges[0]) for c in range(edges[1], columns - edges[1])]
    top, at = np.zeros((len(x), x.shape[3]), x.dtype), np.zeros((len(x), x.shape[3]), int)
    for image in range(len(x)):
        for unit in range(x.shape[3]):
            values = x[image, :, :, unit].ravel()[inside]
            top[image, unit] = max(values)
            first = int(np.argmax(values))
            at[image, unit] = inside[len(inside) // 2 if min(values) == max(values) else first]
    return top, at


@pytest.mark.parametrize(
    "shape",
    [
        (3, 14, 14, 5), (2, 7, 9, 4), (2, 3, 3, 4), (2, 4, 4, 4), (2, 3, 8, 2), (1, 1, 1, 3), (2, 33, 17, 2),
        (2, 17, 3), (2, 16, 3), (2, 18, 3), (2, 197, 3), (2, 1, 3), (4, 10),
    ],
)  # fmt: skip
@pytest.mark.parametrize("kind", ["random", "ties", "flat"])
def test_largest_activations_agree_with_plain_loops(shape, kind):
    x = RNG.normal(size=shape).astype(np.float32)
    x = {"random": x, "ties": np.round(x), "flat": np.zeros_like(x)}[kind]
    values, at = jax.jit(partial(largest_activations, size=(224, 224)))(x)
    expected = plain_largest(x)
    assert np.array_equal(values, expected[0]) and np.array_equal(at, expected[1])
    assert values.dtype == jnp.float32 and at.dtype == jnp.int32


def test_class_tokens_and_edges_are_omitted():
    tokens = jnp.zeros((1, 17, 2)).at[:, 0].set(100.0).at[0, 5, 1].set(1.0)
    values, at = largest_activations(tokens, (32, 32))
    assert values.tolist() == [[0.0, 1.0]] and at.tolist() == [[8, 4]]
    picture = jnp.zeros((1, 8, 8, 1)).at[0, 0, 3].set(9.0).at[0, 4, 7].set(9.0).at[0, 2, 5].set(1.0)
    values, at = largest_activations(picture, (64, 64))
    assert (float(values[0, 0]), int(at[0, 0])) == (1.0, 2 * 8 + 5)


def test_interior_positions_are_indices_of_the_whole_grid():
    x = jnp.arange(6 * 9.0).reshape(1, 6, 9, 1)
    values, numbers = interior(x, (48, 72))
    assert values[0, :, 0].astype(int).tolist() == numbers.tolist() and len(numbers) == 4 * 7
    with pytest.raises(ValueError, match="expected two to four axes"):
        interior(jnp.zeros((1, 2, 2, 2, 2)), (8, 8))


@given(st.data())
def test_a_box_is_inside_the_image_and_around_its_position(data):
    size = data.draw(st.tuples(st.integers(1, 300), st.integers(1, 300)))
    grid = Grid(data.draw(st.integers(1, 60)), data.draw(st.integers(1, 60)))
    number = data.draw(st.integers(0, grid.rows * grid.columns - 1))
    side = data.draw(st.integers(1, 400))
    left, top, right, bottom = box_around(number, grid, side, size)
    assert 0 <= left < right <= size[1] and 0 <= top < bottom <= size[0]
    assert right - left == min(side, size[1]) and bottom - top == min(side, size[0])
    row, column = divmod(number, grid.columns)
    x, y = (column + 0.5) * size[1] / grid.columns, (row + 0.5) * size[0] / grid.rows
    assert left - 0.5 <= x <= right + 0.5 and top - 0.5 <= y <= bottom + 0.5
    # At the center of the box, unless the edge of the image prevents it.
    assert abs((left + right) / 2 - x) <= 1 or left == 0 or right == size[1]
    assert abs((top + bottom) / 2 - y) <= 1 or top == 0 or bottom == size[0]


class Fields(nn.Module):
    """One unit a layer, so that its sign changes nothing, of known receptive fields."""

    @nn.compact
    def __call__(self, x):
        ones = nn.initializers.ones
        single = nn.Conv(1, (3, 3), kernel_init=ones, name="single")(x)
        nn.Conv(1, (1, 1), kernel_init=ones, name="point")(x)
        nn.Conv(1, (5, 5), strides=2, name="strided")(x)
        stack = nn.Conv(1, (3, 3), name="second")(single)
        stack = nn.Conv(1, (3, 3), name="third")(stack)
        patches = nn.Conv(1, (4, 4), strides=4, kernel_init=ones, name="patches")(x)
        tokens = Tokens(name="tokens")(patches)
        nn.Dense(1, kernel_init=ones, use_bias=False, name="mixed")(tokens.sum(1))
        return Dead(name="dead")(x)


class Tokens(nn.Module):
    """Patches in a row behind a class token, as a transformer has them."""

    @nn.compact
    def __call__(self, x):
        return jnp.pad(x.reshape(x.shape[0], -1, x.shape[-1]), ((0, 0), (1, 0), (0, 0)))


class Dead(nn.Module):
    @nn.compact
    def __call__(self, x):
        return 0 * x[:, ::2, ::2, :1]


@pytest.fixture(scope="module")
def fields():
    return build(Fields())


NAMES = ("single", "point", "strided", "second", "third", "patches", "tokens", "mixed", "dead")


@pytest.fixture(scope="module", params=[16, 24])
def measured(fields, request):
    """Images, and each layer's field on them; of the training's size and of another."""
    images = RNG.random((2, request.param, request.param, 3), np.float32)
    return images, receptive_fields(fields, images, NAMES)


def test_known_fields(measured):
    images, sides = measured
    assert (sides["point"], sides["single"], sides["patches"], sides["tokens"]) == (1, 3, 4, 4)
    # A stride that does not divide the field moves its center by a pixel.
    assert 3 <= sides["second"] <= 5 and 3 <= sides["third"] <= 7 and 4 <= sides["strided"] <= 7
    assert sides["single"] <= sides["second"] <= sides["third"]
    # The whole image, for a layer that no pixel influences and one that all pixels do.
    assert sides["dead"] == sides["mixed"] == images.shape[1]


@pytest.mark.parametrize("layer", ["single", "strided", "second", "third", "tokens"])
def test_the_box_holds_the_energy_and_a_smaller_one_does_not(fields, measured, layer):
    images, sides = measured
    size = images.shape[1:3]

    def middle(images):
        maps = fields.apply(fields.weights, images, layers=[layer])[layer]
        grid = grid_of(maps.shape[1:], size)
        maps = maps[:, grid.skipped :].reshape(len(images), -1) if maps.ndim == 3 else maps.reshape(len(images), -1)
        return maps[:, grid.rows // 2 * grid.columns + grid.columns // 2].sum(), grid

    gradient, grid = jax.grad(middle, has_aux=True)(jnp.asarray(images))
    energy = np.square(np.asarray(gradient, np.float64)).sum((0, 3))
    number = grid.rows // 2 * grid.columns + grid.columns // 2

    def share(side):
        left, top, right, bottom = box_around(number, grid, side, size)
        return energy[top:bottom, left:right].sum() / energy.sum()

    assert share(sides[layer]) >= ENERGY
    assert share(sides[layer] - 2) < ENERGY


def test_a_field_is_at_most_the_shorter_side(fields):
    images = RNG.random((1, 8, 24, 3), np.float32)
    assert receptive_fields(fields, images, ("mixed", "single")) == {"mixed": 8, "single": 3}
