"""Plain functions as Models: names of layers, and values inside scans."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax
from jax.ad_checkpoint import checkpoint_name

import featviz as fv
from featviz.adapters.function import from_function
from featviz.errors import FeatvizError
from featviz.model import OUTPUT, before_relu

SPEC = fv.InputSpec(size=(16, 16))
BLOCKS = 4


def convolve(x, kernel):
    return lax.conv_general_dilated(x, kernel, (2, 2), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"))


def block(x, weights):
    with jax.named_scope("mlp"):
        y = jax.nn.gelu(x @ weights["a"]) @ weights["b"]
    return x + jax.nn.relu(y), None


def scanned(weights, images):
    x = jax.nn.relu(convolve(images, weights["stem"]) + weights["bias"])  # promotes its rank
    with jax.named_scope("blocks"):
        x, _ = lax.scan(block, x, weights["blocks"])
    with jax.named_scope("head"):
        return jnp.mean(x, axis=(1, 2)) @ weights["head"]


def unrolled(weights, images):
    """The same by hand, every value by the name that it should get."""
    named = {"conv": convolve(images, weights["stem"]) + weights["bias"][None, None, None]}
    x = named["conv/relu"] = jax.nn.relu(named["conv"])
    for number in range(BLOCKS):
        name, own = f"blocks[{number}]", jax.tree.map(lambda array: array[number], weights["blocks"])  # noqa: B023
        named[f"{name}/mlp/dot"] = x @ own["a"]
        named[f"{name}/mlp/dot/gelu"] = jax.nn.gelu(named[f"{name}/mlp/dot"])
        named[f"{name}/mlp"] = named[f"{name}/mlp/dot/gelu"] @ own["b"]
        named[f"{name}/mlp/relu"] = jax.nn.relu(named[f"{name}/mlp"])
        x = named[name] = x + named[f"{name}/mlp/relu"]
    return {**named, "blocks": x, "head": jnp.mean(x, axis=(1, 2)) @ weights["head"]}


@pytest.fixture(scope="module")
def weights():
    normal = np.random.default_rng(0).normal
    shapes = {"stem": (3, 3, 3, 8), "bias": (8,), "blocks": {"a": (BLOCKS, 8, 16), "b": (BLOCKS, 16, 8)}}
    shapes["head"] = (8, 5)
    is_shape = {"is_leaf": lambda leaf: isinstance(leaf, tuple)}
    return jax.tree.map(lambda shape: jnp.asarray(0.3 * normal(size=shape), jnp.float32), shapes, **is_shape)


@pytest.fixture(scope="module")
def model(weights):
    return from_function(scanned, weights, input=SPEC)


@pytest.fixture(scope="module")
def images():
    return jnp.asarray(np.random.default_rng(1).uniform(size=(2, 16, 16, 3)), jnp.float32)


@pytest.fixture(scope="module")
def expected(weights, images):
    return unrolled(weights, images)


def flops(function, *args):
    return jax.jit(function).lower(*args).compile().cost_analysis()["flops"]


def test_layers_are_named_by_scopes_operations_functions_and_iterations(model, expected):
    assert [layer.name for layer in model.layers] == list(expected)
    assert {layer.name: layer.shape for layer in model.layers} == {
        name: each.shape[1:] for name, each in expected.items()
    }
    assert model.layer("blocks[2]/mlp/dot").parents == ("blocks[1]",)
    assert model.layer("blocks[0]").parents == ("conv/relu", "blocks[0]/mlp/relu")
    assert model.layer("head").parents == ("blocks",) and model.layer("blocks").parents == ("blocks[3]",)
    assert [layer.name for layer in model.layers if layer.rectified][:2] == ["conv/relu", "blocks[0]/mlp/relu"]


def test_all_at_once_and_one_by_one_they_have_the_values_of_the_unrolled_network(model, weights, images, expected):
    everything = jax.jit(model.apply)(weights, images)
    np.testing.assert_array_equal(everything[OUTPUT], everything["head"])
    for name, value in expected.items():
        one = jax.jit(lambda weights, images: model.apply(weights, images, layers=[name])[name])(weights, images)  # noqa: B023
        np.testing.assert_allclose(one, value, rtol=1e-5, atol=1e-5, err_msg=name)
        np.testing.assert_allclose(everything[name], value, rtol=1e-5, atol=1e-5, err_msg=name)


def test_several_from_one_scan_with_and_without_what_follows_it(model, weights, images, expected):
    for names in (
        ["blocks[3]/mlp", "blocks[1]", "conv"],
        ["blocks[0]/mlp/relu", "head"],
        ["blocks[2]", "blocks[2]/mlp"],
    ):
        found = jax.jit(lambda weights, images: model.apply(weights, images, layers=names))(weights, images)  # noqa: B023
        for name in names:
            np.testing.assert_allclose(found[name], expected[name], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", ["blocks[0]/mlp", "blocks[1]/mlp/dot/gelu", "blocks[1]"])
def test_a_scan_stops_where_the_layer_is(model, weights, images, name):
    # XLA counts the body of a loop once, so that a loop of one iteration is the longest to compare.
    ours = flops(lambda weights, images: model.apply(weights, images, layers=[name])[name], weights, images)
    assert ours == flops(lambda weights, images: unrolled(weights, images)[name], weights, images)


def test_later_iterations_run_as_many_as_they_need(model, weights, images):
    closed = jax.make_jaxpr(lambda weights, images: model.apply(weights, images, layers=["blocks[2]/mlp"]))(
        weights, images
    )
    assert [step.params["length"] for step in closed.eqns if step.primitive.name == "scan"] == [2]


def test_preactivation_inside_a_scan(model, weights, images, expected):
    name = before_relu("blocks[2]/mlp/relu")
    found = model.apply(weights, images, layers=[name])[name]
    np.testing.assert_allclose(found, expected["blocks[2]/mlp"], rtol=1e-5, atol=1e-5)
    with pytest.raises(FeatvizError, match="does not come out of a ReLU"):
        model.apply(weights, images, layers=[before_relu("blocks[2]/mlp/dot")])


def test_gradients_run_through_the_shortened_scan(model, weights, images):
    name = "blocks[2]/mlp"
    ours = jax.grad(lambda images: jnp.sum(model.apply(weights, images, layers=[name])[name]))(images)
    np.testing.assert_allclose(
        ours, jax.grad(lambda images: jnp.sum(unrolled(weights, images)[name]))(images), rtol=1e-4, atol=1e-5
    )


def test_pictures_of_units_within_a_scan(model):
    pictures = fv.render(model, fv.channel("blocks[2]/mlp/dot/gelu", [1, 2]), size=16, steps=8)
    assert all(np.isfinite(picture.score) and picture.pixels.std() > 0.01 for picture in pictures)


def nested(weights, images):
    def inner(x, kernel):
        return checkpoint_name(jnp.tanh(x @ kernel), "dense"), None

    def outer(x, kernels):
        return lax.scan(inner, x, kernels)[0], None

    return lax.scan(outer, jnp.mean(images, axis=(1, 2)), weights)[0]


def test_scans_within_scans():
    weights = jnp.asarray(np.random.default_rng(0).normal(size=(2, 3, 3, 3)), jnp.float32)
    model = from_function(nested, weights, input=SPEC)
    image = jnp.ones((1, 16, 16, 3)) * 0.3
    x = jnp.mean(image, axis=(1, 2))
    names = [layer.name for layer in model.layers]
    for i in range(2):
        for j in range(3):
            x = jnp.tanh(x @ weights[i, j])
            (name,) = [name for name in names if f"[{i}]" in name.split("/")[0] and name.endswith(f"dense[{j}]")]
            np.testing.assert_allclose(model.apply(weights, image, layers=[name])[name], x, rtol=1e-5)


def test_a_dict_gives_layers_and_the_output_by_name(images):
    def network(weights, images):
        return {"logits": jnp.mean(images, axis=(1, 2)) @ weights, "maps": images @ weights}

    weights = jnp.ones((3, 4))
    model = from_function(network, weights, input=SPEC, output="logits")
    assert {layer.name for layer in model.layers} == {"logits", "maps"}
    assert model.apply(weights, images)[OUTPUT].shape == (2, 4)
    with pytest.raises(FeatvizError, match=r"`output` is `logit`.*did you mean `logits`"):
        from_function(network, weights, input=SPEC, output="logit")


def channels_first(weights, images):
    x = jax.nn.relu(lax.conv_general_dilated(images, weights["conv"], (2, 2), "SAME"))
    tokens = jnp.transpose(x.reshape(*x.shape[:2], -1), (0, 2, 1))
    with jax.named_scope("mixed"):
        tokens = jax.nn.softmax(tokens @ jnp.swapaxes(tokens, 1, 2)) @ tokens
    return jnp.mean(tokens @ weights["out"], axis=1)


def test_units_are_found_wherever_the_network_keeps_them(images):
    normal = np.random.default_rng(0).normal
    weights = {"conv": jnp.float32(normal(size=(5, 3, 3, 3))), "out": jnp.float32(normal(size=(5, 7)))}
    model = from_function(channels_first, weights, input=fv.InputSpec(size=(16, 16), channels_first=True))
    shapes = {layer.name: layer.shape for layer in model.layers}
    assert shapes == {"conv": (8, 8, 5), "conv/relu": (8, 8, 5), "mixed": (64, 5), "dot": (64, 7)}
    kernel = jnp.transpose(weights["conv"], (2, 3, 1, 0))
    np.testing.assert_allclose(
        model.apply(weights, images, layers=["conv"])["conv"], convolve(images, kernel), rtol=1e-5, atol=1e-5
    )


def test_at_another_size_the_layers_before_the_failing_one_are_available(images):
    weights = {"conv": jnp.ones((3, 3, 3, 4)), "dense": jnp.ones((8 * 8 * 4, 2))}

    def network(weights, images):
        x = convolve(images, weights["conv"])
        return x.reshape(x.shape[0], -1) @ weights["dense"]

    model = from_function(network, weights, input=SPEC)
    larger = jnp.ones((1, 32, 32, 3))
    assert model.apply(weights, larger, layers=["conv"])["conv"].shape == (1, 16, 16, 4)
    with pytest.raises(FeatvizError, match=r"`size` is 32 x 32: network cannot run.*expected 16 x 16") as error:
        model.apply(weights, larger, layers=["dot"])
    assert "\n" not in str(error.value)
    with pytest.raises(FeatvizError, match="size"):
        fv.render(model, fv.channel("dot", 0), size=32, steps=1)


def test_a_failure_at_the_training_size_is_one_line():
    with pytest.raises(FeatvizError, match="cannot run on images of 16 x 16 px") as error:
        from_function(lambda weights, images: images @ weights, jnp.ones((5, 2)), input=SPEC)
    assert "\n" not in str(error.value)
    with pytest.raises(FeatvizError, match="expected an array"):
        from_function(lambda weights, images: None, {}, input=SPEC)
    with pytest.raises(FeatvizError, match="no layer was found"):
        from_function(lambda weights, images: weights, jnp.ones((2, 3)), input=SPEC)


def test_one_number_for_all_images_is_a_number_for_each_alone():
    with pytest.warns(UserWarning, match="its output of one image depends on the other images"):
        model = from_function(
            lambda weights, images: jnp.mean(jax.nn.relu(images * weights)), np.float32(2), input=SPEC
        )
    images = np.random.default_rng(0).random((2, 16, 16, 3), np.float32)
    expected = images.mean((1, 2, 3))[:, None] * 2
    np.testing.assert_allclose(model.apply(model.weights, images)[OUTPUT], expected, rtol=1e-5)
