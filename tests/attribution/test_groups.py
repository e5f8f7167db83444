"""Groups of units in an image, and their attributions."""

import numpy as np
import pytest

import featviz as fv
from featviz.attribution.methods import Conductance, GradientTimesActivation, Occlusion
from featviz.errors import FeatvizError
from featviz.model import OUTPUT

IMAGE = np.random.default_rng(0).random((16, 16, 3), np.float32)


def test_groups_and_the_rest_are_the_activation_and_divide_the_score(tiny):
    found = fv.groups(tiny, IMAGE, "conv2/relu", count=3, objective=fv.logit(2))
    h = fv.observe(tiny, IMAGE, "conv2/relu")
    parts = np.einsum("nhw,nc->nhwc", found.spatial, found.directions)
    assert (found.spatial >= 0).all() and (found.directions >= 0).all()
    np.testing.assert_allclose(np.linalg.norm(found.directions, axis=1), 1.0, rtol=1e-5)
    assert found.explained == pytest.approx(1 - ((h - parts.sum(0)) ** 2).sum() / (h**2).sum(), abs=1e-4)
    kernel = np.asarray(tiny.weights["params"]["fc"]["kernel"])[:, 2]
    expected = parts.mean((1, 2)) @ kernel
    np.testing.assert_allclose(found.attributions[:-1], expected, atol=1e-5)
    rest = (h - parts.sum(0)).mean((0, 1)) @ kernel
    np.testing.assert_allclose(found.attributions[-1], rest, atol=1e-5)
    np.testing.assert_allclose(found.effects, -expected, atol=1e-5)


def test_groups_of_a_signed_layer_have_units_of_both_signs(tiny):
    found = fv.groups(tiny, IMAGE, "conv2", count=2, objective=fv.logit(2), method=GradientTimesActivation())
    assert (found.spatial >= 0).all() and (found.directions < 0).any() and (found.directions > 0).any()
    score = np.asarray(tiny.apply(tiny.weights, IMAGE[None], layers=[OUTPUT])[OUTPUT])[0, 2]
    left = fv.observe(tiny, IMAGE, "conv2") - found.spatial[0][..., None] * found.directions[0]
    edited = tiny.edited({"conv2": fv.patch_in(left)})
    without = np.asarray(edited.apply(edited.weights, IMAGE[None], layers=[OUTPUT])[OUTPUT])[0, 2]
    np.testing.assert_allclose(found.effects[0], without - score, atol=1e-5)


@pytest.mark.parametrize("method", [Conductance(), Occlusion()], ids=repr)
def test_a_method_that_tells_no_groups_apart_is_refused(tiny, method):
    with pytest.raises(FeatvizError, match=f"`method` is {method.name}, which tells no groups apart; expected anot"):
        fv.groups(tiny, IMAGE, "conv2", count=2, objective=fv.logit(2), method=method)


def test_a_single_position_has_one_group(tiny):
    found = fv.groups(tiny, IMAGE, "fc", count=1)
    assert found.spatial.shape == (1,) and found.explained > 0.3 and found.attributions.size == 0
    with pytest.raises(FeatvizError, match="`count` is 2; fc has 1 positions and 80 units"):
        fv.groups(tiny, IMAGE, "fc", count=2)
    with pytest.raises(FeatvizError, match="`layer` is `conv2`, which `conv1` is not computed from"):
        fv.groups(tiny, IMAGE, "conv2", count=2, objective=fv.channel("conv1", 1))
