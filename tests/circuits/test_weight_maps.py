"""Maps of weights equal kernels and their products, computed by numpy, whoever wrote the network."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.connected import Strided, kernel
from support.surveys import refused
from support.tiny import build

from featviz.circuits.expanded_weights import expand
from featviz.circuits.weight_maps import signed_norms, weights_between


def flipped(kernels):
    """A kernel (h, w, i, o) of a cross-correlation as maps (o, h, w, i)."""
    return np.moveaxis(kernels, -1, 0)


def composed(first, second):
    """Two kernels one after the other, by numpy: (h, w, i, m) and (h', w', m, o) -> (o, H, W, i)."""
    rows, columns = (first.shape[axis] + second.shape[axis] - 1 for axis in (0, 1))
    maps = np.zeros((second.shape[3], rows, columns, first.shape[2]))
    for y in range(second.shape[0]):
        for x in range(second.shape[1]):
            part = np.einsum("hwim,mo->ohwi", first, second[y, x])
            maps[:, y : y + first.shape[0], x : x + first.shape[1]] += part
    return maps


class Chain(nn.Module):
    """A first convolution, then two of given sides, and what is between them."""

    sides: tuple[int, int]
    scaled: bool = False

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        x = nn.relu(nn.Conv(3, (1, 1), name="start")(x))
        x = nn.Conv(4, (self.sides[0], self.sides[0]), name="first")(x)
        if self.scaled:
            x = nn.BatchNorm(use_running_average=True, name="scaled")(x)
        x = nn.relu(x)
        return nn.Conv(5, (self.sides[1], self.sides[1]), name="second")(x)


@settings(max_examples=3, deadline=None)
@given(st.sampled_from([1, 3, 5]), st.sampled_from([1, 3]))
def test_one_convolution_is_its_kernel_and_two_are_their_product(first, second):
    model = build(Chain((first, second)), size=24)
    np.testing.assert_allclose(
        weights_between(model, "start/relu", "first").maps, flipped(kernel(model, "first")), rtol=1e-4, atol=1e-6
    )
    found = weights_between(model, "start/relu", "second")
    expected = composed(kernel(model, "first"), kernel(model, "second"))
    np.testing.assert_allclose(found.maps, expected, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(found.strengths, signed_norms(expected), rtol=1e-4, atol=1e-6)


def test_the_scale_of_a_normalization_is_folded():
    model = build(Chain((3, 1), scaled=True), size=24)
    weights = jax.tree.map(np.array, model.weights)
    weights["batch_stats"]["scaled"]["var"][:] = [0.25, 1.0, 4.0, 9.0]
    weights["params"]["scaled"]["scale"][:] = [1.0, 2.0, 3.0, 4.0]
    object.__setattr__(model, "weights", weights)
    gain = weights["params"]["scaled"]["scale"] / np.sqrt(weights["batch_stats"]["scaled"]["var"] + 1e-5)
    expected = composed(kernel(model, "first") * gain, kernel(model, "second"))
    np.testing.assert_allclose(weights_between(model, "start/relu", "second").maps, expected, rtol=1e-4, atol=1e-6)


def test_max_pooling_is_average_pooling():
    class Pooled(nn.Module):
        @nn.compact
        def __call__(self, x: jax.Array) -> jax.Array:
            x = nn.relu(nn.Conv(3, (1, 1), name="start")(x))
            x = nn.max_pool(x, (2, 2), strides=(2, 2))
            return nn.Conv(4, (3, 3), name="above")(x)

    model = build(Pooled(), size=32)
    expected = flipped(kernel(model, "above")).repeat(2, 1).repeat(2, 2) / 4
    np.testing.assert_allclose(weights_between(model, "start/relu", "above").maps, expected, rtol=1e-4, atol=1e-7)


def test_strides_units_and_smooth_functions():
    model = build(Strided(), size=32)
    found = weights_between(model, "below/relu", "above", units=[3, 1])
    assert found.units == (3, 1)
    np.testing.assert_allclose(found.maps, flipped(kernel(model, "above"))[[3, 1]], rtol=1e-4)

    class Smooth(nn.Module):
        @nn.compact
        def __call__(self, x: jax.Array) -> jax.Array:
            x = nn.gelu(nn.Conv(3, (1, 1), name="start")(x))
            x = nn.silu(nn.Conv(4, (3, 3), name="first")(x))
            return jnp.tanh(nn.Conv(5, (1, 1), name="second")(x))

    model = build(Smooth(), size=16)
    expected = composed(kernel(model, "first"), kernel(model, "second"))
    for target in ("second", "second/tanh"):
        np.testing.assert_allclose(weights_between(model, "start/gelu", target).maps, expected, rtol=1e-4, atol=1e-6)


def test_a_classifier_sees_all_places(bottleneck):
    found = weights_between(bottleneck, "block", "fc", units=[2])
    assert found.maps.shape == (1, 24, 24, 8)
    np.testing.assert_allclose(found.maps[0, 5, 5], kernel(bottleneck, "fc")[:, 2] / 576, rtol=1e-4)


class TokenReader(nn.Module):
    """Seventy units that read the class token alone."""

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        patches = nn.Conv(5, (4, 4), strides=4, name="patches")(x).reshape(x.shape[0], 16, 5)
        token = self.param("token", nn.initializers.normal(1.0), (1, 1, 5))
        tokens = jnp.concatenate([jnp.broadcast_to(token, (x.shape[0], 1, 5)), patches], 1)
        tokens = nn.Dense(6, name="mix")(tokens)
        return nn.Dense(70, name="head")(tokens[:, 0])


def test_units_without_a_weight_do_not_decide_the_shape():
    model = build(TokenReader())
    weights = jax.tree.map(np.array, model.weights)
    # The first 64 units are one chunk.
    weights["params"]["head"]["kernel"][:, :64] = 0
    object.__setattr__(model, "weights", weights)
    expected = np.transpose(weights["params"]["head"]["kernel"])[:, None, None]
    np.testing.assert_allclose(weights_between(model, "mix", "head").maps, expected, rtol=1e-5)
    (found,) = expand(model, ("mix",), "head", (np.ones(6, np.float32),))
    np.testing.assert_allclose(found.maps * found.scales[:, None, None, None], expected, rtol=2e-3)
    assert not found.strengths[:64].any() and (found.strengths[64:] != 0).all()
    # Without any weight there is one place.
    assert weights_between(model, "mix", "head", units=range(64)).maps.shape == (64, 1, 1, 6)


def test_invalid_layers_and_units_are_refused(bottleneck):
    refused("is not computed from `source` block", weights_between, bottleneck, "block", "below")
    refused("has no layer", weights_between, bottleneck, "belo", "block")
    refused("`units` has 8; block has 8 units", weights_between, bottleneck, "below", "block", units=[8])
    refused("`units` is 1.5; expected a whole number", weights_between, bottleneck, "below", "block", units=[1.5])
    refused("`units` is 3; expected a list", weights_between, bottleneck, "below", "block", units=3)
    refused("`units` is empty", weights_between, bottleneck, "below", "block", units=[])


@pytest.mark.frameworks
def test_a_network_of_pytorch():
    torch = pytest.importorskip("torch")
    from featviz.adapters.torch.from_module import from_torch
    from featviz.model import InputSpec

    torch.manual_seed(0)
    module = torch.nn.Sequential(
        torch.nn.Conv2d(3, 6, 3, padding=1),
        torch.nn.ReLU(),
        torch.nn.Conv2d(6, 4, 3, padding=1),
        torch.nn.BatchNorm2d(4),
        torch.nn.ReLU(),
        torch.nn.Conv2d(4, 5, 3, padding=1),
    ).eval()
    module[3].running_var.copy_(torch.tensor([0.5, 1.0, 2.0, 3.0]))
    model = from_torch(module, input=InputSpec((32, 32), channels_first=True))
    first, second = (np.transpose(module[at].weight.detach().numpy(), (2, 3, 1, 0)) for at in (2, 5))
    gain = 1 / np.sqrt(module[3].running_var.numpy() + module[3].eps)
    found = weights_between(model, "1", "5").maps
    np.testing.assert_allclose(found, composed(first * gain, second), rtol=1e-4, atol=1e-6)
