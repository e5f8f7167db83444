"""Values arranged as layers, against numpy."""

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from featviz.tracing.arrangement import Images, Units, arrange, arranged_shape, choose_units, find_images
from featviz.tracing.axes import Evidence
from featviz.tracing.factors import Factor, Role


@settings(max_examples=50, deadline=None, derandomize=True)
@given(order=st.permutations(range(4)), folded=st.booleans(), images_first=st.booleans())
def test_images_come_first_and_units_last(order, folded, images_first):
    layer = np.random.default_rng(0).random((2, 3, 4, 5)).astype(np.float32)  # images, two sides, units
    value, names = layer.transpose(order), [("images", "rows", "columns", "units")[index] for index in order]
    images = Images(names.index("images"), (2,), 0)
    if folded:
        # One of the sides lies in the axis of the images.
        value = np.moveaxis(layer, 1, 1 if images_first else 0).reshape(6, 4, 5)
        images = Images(0, (2, 3) if images_first else (3, 2), 0 if images_first else 1)
        np.testing.assert_array_equal(arrange(jnp.asarray(value), images, 3), layer)
        assert arranged_shape(value.shape, images, 3) == layer.shape
        return
    kept = [name for name in names if name not in ("images", "units")]
    expected = layer if kept == ["rows", "columns"] else layer.swapaxes(1, 2)
    np.testing.assert_array_equal(arrange(jnp.asarray(value), images, names.index("units")), expected)
    assert arranged_shape(value.shape, images, names.index("units")) == expected.shape


def test_a_value_without_units_is_one_unit():
    assert arrange(jnp.zeros((2, 5, 6)), Images(0, (2,), 0), None).shape == (2, 5, 6, 1)
    assert arranged_shape((2, 5, 6), Images(0, (2,), 0), None) == (2, 5, 6, 1)


@pytest.mark.parametrize(
    ("factors", "found"),
    [
        ([Factor(Role.IMAGES, 2)], Images(0, (2,), 0)),
        ([Factor(Role.PLACES, 9), Factor(Role.IMAGES, 2)], Images(0, (9, 2), 1)),
        ([Factor(Role.IMAGES | Role.PLACES, 18)], None),
        ([Factor(Role.IMAGES, 4)], None),
    ],
)
def test_images_are_found_where_they_are_told_apart(factors, found):
    assert find_images((tuple(factors), (Factor(Role.UNITS, 5),)), 2) == found


def test_a_new_axis_as_long_as_the_batch_is_not_that_of_the_images():
    units = (Factor(Role.UNITS, 5),)
    assert find_images(((Factor(Role.NONE, 2),), (Factor(Role.IMAGES, 2),), units), 2) == Images(1, (2,), 0)
    assert find_images(((Factor(Role.NONE, 2),), (Factor(Role.PLACES, 9),), units), 2) == Images(0, (2,), 0)


def test_axes_of_a_value_and_of_the_unfolded_one():
    images = Images(1, (2, 9), 0)
    assert [images.unfolded_axis(axis) for axis in range(3)] == [0, 2, 3]
    assert [images.folded_axis(axis) for axis in range(4)] == [0, None, None, 2]


def test_units_lie_where_they_do_behind_an_axis_of_one_image_that_was_made_anew():
    layout = ((), (Factor(Role.PLACES, 16),), (Factor(Role.UNITS, 5, (0,)),))
    images = find_images(layout, 1)
    assert images == Images(0, (1,), 0)
    evidence = Evidence(frozenset(), frozenset())
    assert choose_units(layout, images, evidence, channels_first=True) == Units(2, True)
