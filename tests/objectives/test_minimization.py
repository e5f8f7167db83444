"""Minimized objectives read the layer before its ReLU, where they are linear in it."""

import jax.numpy as jnp
import numpy as np
import pytest

import featviz as fv
from featviz.errors import FeatvizError
from featviz.objectives.minimization import for_ascent, reading_instead
from featviz.objectives.objective import single
from featviz.surveys.exemplars import Exemplars


def test_a_negative_unit_is_of_the_pre_activation(patterns):
    objective = -fv.channel("conv2", 3)
    assert for_ascent(patterns, objective).layers == (fv.before_relu("conv2"),)
    assert for_ascent(patterns, fv.channel("conv2", 3)).layers == ("conv2",)
    mixed = fv.channel("conv2", 3) - 0.5 * fv.channel("conv2", 4)
    assert for_ascent(patterns, mixed) is mixed


def test_a_negative_unit_with_its_exemplars_is_of_the_pre_activation():
    exemplars = single(Exemplars("a", np.int32(2), np.ones(7, np.float32), 1.0))
    assert reading_instead(-exemplars, {"a": fv.before_relu("a")}).layers == (fv.before_relu("a"),)
    assert reading_instead(exemplars, {"a": fv.before_relu("a")}).layers == ("a",)


def test_within_a_mask_a_unit_is_of_the_pre_activation_and_a_mean_square_is_not():
    mask = np.ones((4, 5), np.float32)
    assert reading_instead(-fv.within("a", mask, unit=3), {"a": fv.before_relu("a")}).layers == (fv.before_relu("a"),)
    assert reading_instead(-fv.within("a", mask), {"a": fv.before_relu("a")}).layers == ("a",)
    assert reading_instead(-fv.deepdream("a"), {"a": fv.before_relu("a")}).layers == ("a",)


def test_a_direction_with_an_index_is_of_the_pre_activation():
    moved = reading_instead(-fv.direction("a", np.ones(7), index=7), {"a": fv.before_relu("a")})
    assert moved.layers == (fv.before_relu("a"),)
    assert moved.label == f"-{fv.before_relu('a')}:direction 7"


@pytest.mark.parametrize(
    ("objective", "is_moved"),
    [
        (fv.diverse(-fv.channel("a", 3)), True),
        (-fv.diverse(fv.channel("a", 3)), True),
        (fv.diverse(fv.channel("a", 3)), False),
        (-fv.diverse(-fv.channel("a", 3)), False),
        # The diverse objective alone is minimized.
        (fv.channel("b", 3) + fv.diverse(-fv.channel("a", 3)), True),
    ],
)
def test_a_diverse_group_minimizes_what_its_objective_does(objective, is_moved):
    moved = reading_instead(objective, {name: fv.before_relu(name) for name in "ab"})
    assert (fv.before_relu("a") in moved.layers) == is_moved
    # Diversity is still measured at the layer itself.
    assert "a" in moved.layers and fv.before_relu("b") not in moved.layers
    assert [float(weight) for weight in moved.weights] == [float(weight) for weight in objective.weights]


def test_pre_activations_are_those_that_the_relu_cuts(patterns):
    images = jnp.asarray(np.random.default_rng(0).random((2, 32, 32, 3)).astype(np.float32))
    rectified = [layer.name for layer in patterns.layers if layer.rectified]
    names = [*rectified, *map(fv.before_relu, rectified)]
    found = patterns.apply(patterns.weights, images, layers=names)
    assert list(found)[1:] == names
    for name in rectified:
        before = np.asarray(found[fv.before_relu(name)])
        assert before.min() < 0
        np.testing.assert_allclose(np.maximum(before, 0), found[name], atol=1e-5)


def test_minimizing_goes_below_zero(patterns):
    picture = fv.render(patterns, -fv.channel("conv2", 3), size=32, steps=16, progress=False)
    assert picture.score > 0  # minus a negative pre-activation
    assert picture.provenance["name"] == "-conv2:3"


def test_a_layer_without_a_relu_has_none_before(patterns):
    linear = next(layer.name for layer in patterns.layers if not layer.rectified)
    with pytest.raises(FeatvizError, match="does not come out of a ReLU"):
        fv.render(patterns, fv.channel(fv.before_relu(linear), 0), size=32, steps=1, progress=False)
