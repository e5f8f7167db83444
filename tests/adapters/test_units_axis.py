"""The axis of the units where a program does not settle it: the network answers, a warning says so, a user decides."""

import warnings

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import featviz as fv

SPEC = fv.InputSpec(size=16)
WEIGHTS = {"conv": np.random.default_rng(0).normal(size=(4, 4, 3, 16)).astype(np.float32)}


def tokens(weights, images):
    numbers = ("NHWC", "HWIO", "NHWC")
    y = jax.lax.conv_general_dilated(images, weights["conv"], (4, 4), "VALID", dimension_numbers=numbers)
    return y.reshape(y.shape[0], 16, 16)


def adapt(function, **options):
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        model = fv.from_function(function, WEIGHTS, input=SPEC, **options)
    return model, [str(warning.message) for warning in said]


def nearly_local(weights, images):
    """Positions and units are added to one another, but hardly."""
    y = tokens(weights, images)
    return {"mixed": y.swapaxes(1, 2) + 1e-3 * y}


def not_local(weights, images):
    y = tokens(weights, images)
    return {"mixed": y + y.swapaxes(1, 2), "again": 2 * y + y.swapaxes(1, 2)}


def test_a_network_answers_where_a_change_stays_local():
    model, said = adapt(nearly_local)
    assert not said
    images = np.random.default_rng(1).random((2, 16, 16, 3)).astype(np.float32)
    expected = nearly_local(WEIGHTS, jnp.asarray(images))["mixed"].swapaxes(1, 2)
    np.testing.assert_allclose(model.apply(model.weights, images)["mixed"], expected, rtol=1e-5, atol=1e-5)


def test_what_stays_a_guess_is_said_and_the_user_decides_it():
    _, said = adapt(not_local)
    assert len(said) == 1
    assert (
        "not certain which axis of `mixed`, an array of (n, 16, 16), holds the units (and in 1 other layer)" in said[0]
    )
    model, said = adapt(not_local, axes={"mixed": 1, "again": -1})
    assert not said
    images = np.random.default_rng(1).random((3, 16, 16, 3)).astype(np.float32)
    values, expected = model.apply(model.weights, images), not_local(WEIGHTS, jnp.asarray(images))
    np.testing.assert_allclose(values["mixed"], expected["mixed"].swapaxes(1, 2), rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(values["again"], expected["again"], rtol=1e-5, atol=1e-5)


def test_axes_may_be_of_patterns_and_are_those_of_the_array_that_the_network_computes():
    def windows(weights, images):
        y = tokens(weights, images).reshape(-1, 4, 16)
        return {"inside": y, "other": y.mean(1)}

    assert adapt(windows)[0].layer("inside").shape == (4, 4, 16)
    assert adapt(windows, axes={"in*": 1})[0].layer("inside").shape == (4, 16, 4)
    assert adapt(windows, axes={"inside": 0})[0].layer("inside").shape == (4, 16, 4)


@pytest.mark.parametrize(
    ("axes", "message"),
    [
        ({"mixd": 1}, "`axes` names `mixd`, which nearly_local lacks; did you mean `mixed`?"),
        ({"mixed": 3}, "`axes` has 3 for `mixed`, an array of (n, 16, 16); expected 1 or 2, the axis of its units"),
        ({"mixed": 0}, "`axes` has 0 for `mixed`, an array of (n, 16, 16); expected 1 or 2, the axis of its units"),
        ({"mixed": "last"}, "`axes` has 'last' for `mixed`, an array of (n, 16, 16); expected 1 or 2"),
    ],
)
def test_wrong_axes_are_refused_by_name(axes, message):
    with pytest.raises(fv.FeatvizError) as error:
        fv.from_function(nearly_local, WEIGHTS, input=SPEC, axes=axes)
    assert message in str(error.value)


def test_abstract_weights_are_not_run():
    shapes = jax.eval_shape(lambda: WEIGHTS)
    with pytest.warns(UserWarning, match="not certain"):
        fv.from_function(nearly_local, shapes, input=SPEC)


def test_units_stay_where_they_are_at_other_sizes():
    def over_the_width(weights, images):
        y = jax.lax.conv_general_dilated(
            images, weights["conv"], (4, 4), "VALID", dimension_numbers=("NHWC", "HWIO", "NHWC")
        )
        return {"y": jnp.einsum("nhwc,wv->nhvc", y, jnp.ones((y.shape[2], 5)) + weights["conv"][0, 0, 0, 0])}

    model, _ = adapt(over_the_width)
    for size in ((16, 16), (4, 16), (4, 4)):
        values = model.apply(model.weights, np.ones((1, *size, 3), np.float32), layers=["y"])["y"]
        assert values.shape == (1, size[0] // 4, 5, 16)


def test_frames_in_an_images_channels_are_no_units_of_a_convolution():
    def network(weights, images):
        frames = images.transpose(0, 3, 1, 2).reshape(-1, 3, 16, 16)
        y = jax.lax.conv(frames, weights["conv"].transpose(3, 2, 0, 1), (4, 4), "VALID")
        return {"frames": y, "mean": y.reshape(len(images), 4, 16, 4, 4).mean((1, 3, 4))}

    model = fv.from_function(network, WEIGHTS, input=fv.InputSpec(size=16, channels=12))
    layers = {layer.name: layer.shape for layer in model.layers}
    assert layers["frames"] == (4, 4, 4, 16)
    images = np.random.default_rng(1).random((2, 16, 16, 12)).astype(np.float32)
    expected = network(WEIGHTS, jnp.asarray(images))["frames"].reshape(2, 4, 16, 4, 4).transpose(0, 1, 3, 4, 2)
    np.testing.assert_allclose(model.apply(model.weights, images)["frames"], expected, rtol=1e-5, atol=1e-5)
