"""What feeds a group: exact where the network between is linear, and complete."""

import numpy as np
import pytest

import featviz as fv
from featviz.attribution.group_sources import group_objective
from featviz.attribution.methods import Conductance, GradientTimesActivation, IntegratedPath
from featviz.errors import FeatvizError

PHOTO = np.random.default_rng(0).random((16, 16, 3), np.float32)


def test_a_groups_strength_is_the_layers_projection_on_it(tiny):
    groups = fv.groups(tiny, PHOTO, "conv2/relu", count=2)
    h = fv.observe(tiny, PHOTO, "conv2/relu")
    found = fv.group_sources(tiny, PHOTO, groups, layer="conv1/relu", method=GradientTimesActivation())
    for index in range(2):
        part = groups.spatial[index][..., None] * groups.directions[index]
        assert found.scores[index] == pytest.approx((h * part).sum() / np.linalg.norm(part), rel=1e-4)
    assert found.groups.shape == (2, 0)


def test_units_and_groups_are_those_of_the_attribution_of_the_groups_objective(tiny):
    later = fv.groups(tiny, PHOTO, "conv2/relu", count=2)
    earlier = fv.groups(tiny, PHOTO, "conv1/relu", count=3)
    method = GradientTimesActivation()
    found = fv.group_sources(tiny, PHOTO, later, layer=earlier, method=method)
    for index in range(2):
        objective = group_objective(later, index)
        why = fv.attribute(tiny, PHOTO, objective, layer="conv1/relu", method=method)
        np.testing.assert_allclose(found.units[index], why.units[0], rtol=1e-3, atol=1e-4)
        again = fv.groups(tiny, PHOTO, "conv1/relu", count=3, objective=objective, method=method)
        np.testing.assert_allclose(found.groups[index], again.attributions, rtol=1e-3, atol=1e-4)
        # Both divide the same sum.
        assert found.groups[index].sum() == pytest.approx(found.units[index].sum(), rel=1e-3)
        assert found.top(index, 1)[0][0] == found.units[index].argmax()


def test_the_path_method_divides_the_whole_strength(tiny):
    groups = fv.groups(tiny, PHOTO, "conv2/relu", count=2)
    found = fv.group_sources(tiny, PHOTO, groups, layer="conv1/relu", method=IntegratedPath(steps=64))
    for index in range(2):
        why = fv.attribute(
            tiny, PHOTO, group_objective(groups, index), layer="conv1/relu", method=IntegratedPath(steps=64)
        )
        assert found.units[index].sum() == pytest.approx(why.scores[0] - why.baseline_scores[0], rel=0.01)


def test_layers_that_do_not_feed_and_methods_without_groups_are_refused(tiny):
    groups = fv.groups(tiny, PHOTO, "conv1/relu", count=2)
    with pytest.raises(FeatvizError, match="`layer` is `conv2/relu`, which `conv1/relu` is not computed from"):
        fv.group_sources(tiny, PHOTO, groups, layer="conv2/relu")
    with pytest.raises(FeatvizError, match="`method` is conductance, which tells no groups apart"):
        fv.group_sources(tiny, PHOTO, groups, layer="conv1", method=Conductance())
