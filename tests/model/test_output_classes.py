"""Classes are the units of the output, whatever the last layer is."""

import flax.linen as nn
import jax.numpy as jnp
import pytest
from support.tiny import build

import featviz as fv
from featviz.errors import FeatvizError
from featviz.model import find_class, output_units


class Cut(nn.Module):
    """A classifier whose output is a part of what its last layer returns."""

    @nn.compact
    def __call__(self, x):
        x = nn.relu(nn.Conv(4, (3, 3), name="conv")(x))
        return nn.Dense(9, name="fc")(jnp.mean(x, axis=(1, 2)))[:, :5]


class Number(nn.Module):
    """A network whose output is one number for each image, without an axis of units."""

    @nn.compact
    def __call__(self, x):
        return jnp.mean(nn.relu(nn.Conv(4, (3, 3), name="conv")(x)), axis=(1, 2, 3))


def test_classes_are_counted_at_the_output():
    model = build(Cut())
    assert model.layers[-1].units == 9 and output_units(model) == 5
    assert find_class(model, "`of`", "4") == find_class(model, "`of`", 4) == 4
    for given in (5, "5", -1, 2.5, True):
        with pytest.raises(FeatvizError, match=f"`of` is {given}; expected one of the 5 classes of tiny, 0 to 4"):
            find_class(model, "`of`", given)
    with pytest.raises(FeatvizError, match="5 units, 0 to 4"):
        fv.render(model, fv.logit(5), size=16, steps=2, progress=False)


def test_one_number_for_each_image_is_one_unit():
    assert output_units(build(Number())) == 1


def test_names_are_found(patterns):
    assert find_class(patterns, "`of`", "leaf") == patterns.class_index("leaf")
