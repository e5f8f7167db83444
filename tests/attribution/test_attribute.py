"""Attributions: sums, refusals, layers, and what each method gives on small networks."""

from functools import partial

import jax
import numpy as np
import pytest

import featviz as fv
from featviz.attribution.attribute import attribute
from featviz.attribution.methods import METHODS, IntegratedPath
from featviz.errors import FeatvizError
from featviz.model import IMAGE, OUTPUT

IMAGES = list(np.random.default_rng(0).random((2, 16, 16, 3), np.float32))


def test_attributions_have_an_image_positions_and_units(tiny):
    why = fv.attribute(tiny, IMAGES, fv.logit(3) - fv.logit(5), layer="conv2/relu")
    h = np.asarray(tiny.apply(tiny.weights, np.stack(IMAGES), layers=["conv2/relu", OUTPUT])["conv2/relu"])
    kernel = np.asarray(tiny.weights["params"]["fc"]["kernel"])
    expected = h * (kernel[:, 3] - kernel[:, 5]) / 64
    np.testing.assert_allclose(why.values, expected, atol=1e-6)
    np.testing.assert_allclose(why.units, expected.sum((1, 2)), atol=1e-6)
    np.testing.assert_allclose(why.positions, expected.sum(-1), atol=1e-6)
    np.testing.assert_allclose(why.activations, h, atol=1e-6)
    assert (why.completeness_error < 1e-4).all()
    assert repr(why) == "<Attribution of logit:3 - logit:5 to conv2/relu by relevance, 2 images>"
    best = why.top(1)[0][0]
    assert best == why.units[0].argmax() and why.top(-1)[0][0] == why.units[0].argmin()


def test_an_objective_within_the_network_is_explained_by_what_is_before_it(tiny):
    why = attribute(tiny, IMAGES[0], fv.neuron("conv2", 4, position=(3, 3)), layer="conv1/relu")
    seen = np.argwhere(np.abs(why.positions[0]) > 0)
    assert (seen.min(0) >= 2).all() and (seen.max(0) <= 4).all()
    assert why.completeness_error[0] < 1e-4
    assert attribute(tiny, IMAGES[0], fv.channel("conv2", 4), layer=IMAGE).values.shape == (1, 16, 16, 3)


def test_a_baseline_is_what_values_are_measured_from(tiny):
    mean = np.full((8, 8, 8), 0.25, np.float32)
    why = attribute(tiny, IMAGES[0], fv.logit(0), layer="conv2/relu", baseline=mean)
    plain = attribute(tiny, IMAGES[0], fv.logit(0), layer="conv2/relu", baseline=0.25)
    np.testing.assert_allclose(why.values, plain.values, atol=1e-6)
    edited = tiny.edited({"conv2/relu": fv.patch_in(mean)})
    score = edited.apply(edited.weights, IMAGES[0][None], layers=[OUTPUT])[OUTPUT][0, 0]
    np.testing.assert_allclose(why.baseline_scores[0], score, atol=1e-5)


def test_an_edited_network_is_explained_behind_its_edit(tiny):
    edited = tiny.edited({"conv2/relu": fv.ablate([2]), "conv1": fv.scale(None, 2.0)})
    for layer in ("conv2/relu", "conv1/relu"):
        why = attribute(edited, IMAGES[0], fv.logit(0), layer=layer, method=IntegratedPath())
        assert why.completeness_error[0] < 0.02
    output = edited.apply(edited.weights, IMAGES[0][None], layers=[OUTPUT])[OUTPUT][0, 0]
    np.testing.assert_allclose(why.scores[0], output, atol=1e-5)


@pytest.mark.parametrize("name", METHODS)
def test_every_method_says_what_it_tells_apart(tiny, name):
    method = METHODS[name]
    why = attribute(tiny, IMAGES[0], fv.logit(0), layer="conv1/relu", method=method)
    assert why.values.shape == (1, *((8, 8) if method.per_position else (1, 1)), 80 if method.per_unit else 1)
    assert np.isfinite(why.values).all() and why.values.any()
    assert not method.complete or why.completeness_error[0] < 0.02
    assert method.__doc__ and method.name == name


@pytest.mark.parametrize(
    ("objective", "layer", "message"),
    [
        (fv.logit(80), "conv1", "`unit` 80 is out of range; the output has 80 units"),
        (fv.logit(1), "conv9", "tiny has no layer `conv9`; did you mean"),
        (fv.channel("conv1", 1), "conv2", "`layer` is `conv2`, which `conv1` is not computed from"),
        (fv.logit(1) - fv.logit(1), "conv1", "`objective` is logit:1 - logit:1, which is zero"),
        (3, "conv1", "`objective` is 3; expected an Objective"),
    ],
)
def test_what_cannot_be_explained_is_refused_in_one_line(tiny, objective, layer, message):
    with pytest.raises(FeatvizError, match=message):
        attribute(tiny, IMAGES[0], objective, layer=layer)


def test_a_contrast_of_two_directions_is_explained(tiny):
    a, b = np.eye(8, dtype=np.float32)[:2]
    for one, other in ((a, b), (b, a)):
        contrast = fv.direction("conv2/relu", one) - fv.direction("conv2/relu", other)
        assert attribute(tiny, IMAGES[0], contrast, layer="conv1/relu").values.any()
    with pytest.raises(FeatvizError, match="which is zero"):
        attribute(tiny, IMAGES[0], fv.direction("conv2", a) - fv.direction("conv2", a.copy()), layer="conv1/relu")


def test_methods_that_are_none_and_images_of_two_sizes_are_refused(tiny):
    with pytest.raises(FeatvizError, match=r"`method` is 'relevance'; expected one of fv.attribution, such as Relev"):
        attribute(tiny, IMAGES[0], fv.logit(0), layer="conv1", method="relevance")
    with pytest.raises(FeatvizError, match="`images` are of several sizes; expected one size"):
        attribute(tiny, [IMAGES[0], np.ones((24, 24, 3), np.float32)], fv.logit(0), layer="conv1")


def test_images_and_baselines_of_the_wrong_shape_are_refused(tiny):
    with pytest.raises(FeatvizError, match="`images` has shape"):
        attribute(tiny, np.ones((16, 16), np.float32), fv.logit(0), layer="conv1")
    with pytest.raises(FeatvizError, match="`images` is empty"):
        attribute(tiny, [], fv.logit(0), layer="conv1")
    with pytest.raises(FeatvizError, match=r"`baseline` has shape \(3,\); expected a number, or \(8, 8, 8\)"):
        attribute(tiny, IMAGES[0], fv.logit(0), layer="conv2", baseline=np.zeros(3))


@pytest.mark.parametrize("name", ["googlenet", "squeezenet", pytest.param("deit", marks=pytest.mark.slow)])
def test_the_path_is_complete_on_trained_networks(request, photos, name):
    from featviz.surveys.photos import prepare

    model = request.getfixturevalue(name)
    layer = {"googlenet": "inception_4c", "squeezenet": model.layers[-8].name, "deit": "blocks/6"}[name]
    photo = prepare("photo", photos[60], (224, 224), 3).pixels.astype(np.float32) / 255
    output = np.asarray(jax.jit(partial(model.apply, layers=[OUTPUT]))(model.weights, photo[None])[OUTPUT])
    why = attribute(model, photo, fv.logit(int(output.argmax())), layer=layer, method=IntegratedPath())
    assert why.completeness_error[0] < 0.01
