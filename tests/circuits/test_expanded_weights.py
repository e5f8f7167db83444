"""Expanded weights equal products of kernels where those can be computed by hand, for any network."""

import flax.linen as nn
import jax
import numpy as np
from support.connected import Bottleneck, Skipping, Strided, kernel, signed
from support.surveys import refused
from support.tiny import build

from featviz.circuits.expanded_weights import expanded_weights, nearest_layers_below
from featviz.circuits.ranking import strongest


def test_a_reduction_between_the_layers_is_composed(bottleneck):
    composed = np.einsum("pr,hwru->hwpu", kernel(bottleneck, "reduce")[0, 0], kernel(bottleneck, "conv"))
    spread = np.arange(1, 7, dtype=np.float32)
    for layer in ("conv", "conv/relu"):
        found = expanded_weights(bottleneck, "below/relu", layer, spread)
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, signed(composed) * spread, rtol=1e-4, atol=1e-6)


def test_a_block_has_the_weights_of_its_branches_also_through_max_pooling(bottleneck):
    found = expanded_weights(bottleneck, "below/relu", "block", np.ones(6))
    composed = np.einsum("pr,hwru->hwpu", kernel(bottleneck, "reduce")[0, 0], kernel(bottleneck, "conv"))
    # Of the 3 x 3 places of a window each has a ninth: the norm over them is a third.
    expected = np.concatenate([signed(composed), signed(kernel(bottleneck, "pool")) / 3])
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6)


def test_the_size_of_the_noise_image_does_not_matter(bottleneck):
    small = expanded_weights(bottleneck, "below/relu", "block", np.ones(6))
    for size in ((24, 24), (16, 20)):
        np.testing.assert_allclose(
            expanded_weights(bottleneck, "below/relu", "block", np.ones(6), size=size), small, rtol=1e-4
        )


def test_a_classifier_after_a_mean_sees_everything(bottleneck):
    found = expanded_weights(bottleneck, "block", "fc", np.full(8, 2.0))
    # Of 24 x 24 positions each has a part of 1 in 576: the norm over them is 1 in 24.
    np.testing.assert_allclose(found, kernel(bottleneck, "fc").T * 2 / 24, rtol=1e-4, atol=1e-7)
    assert expanded_weights(bottleneck, "conv", "fc", np.ones(5)).shape == (7, 5)


def test_dense_layers():
    class Plain(nn.Module):
        @nn.compact
        def __call__(self, x: jax.Array) -> jax.Array:
            x = nn.relu(nn.Dense(150, name="first")(x.reshape(x.shape[0], -1)))
            return nn.Dense(90, name="second")(x)

    model = build(Plain())
    found = expanded_weights(model, "first/relu", "second", np.ones(150))
    np.testing.assert_allclose(found, kernel(model, "second").T, rtol=1e-5)  # more units than a chunk


def test_a_planted_weight_is_the_strongest(bottleneck):
    weights = jax.tree.map(np.array, bottleneck.weights)
    weights["params"]["pool"]["kernel"][0, 0, 4, 1] = -9.0
    model = build(Bottleneck(), size=24)
    object.__setattr__(model, "weights", weights)
    found = expanded_weights(model, "below/relu", "block", np.ones(6))
    assert strongest(found[5 + 1], 1) == [(4, -1.0)]


def test_skips_normalization_and_unpadded_strides():
    model = build(Skipping(), size=16)
    for upstream in ("first", "LayerNorm_0", "second/relu"):
        found = expanded_weights(model, upstream, "third", np.ones(4))
        assert np.isfinite(found).all() and (found != 0).any()
    # Past `second` the sum adds nothing of its own: its units reach `third` by the kernel alone.
    np.testing.assert_allclose(
        expanded_weights(model, "second", "third", np.ones(4)), signed(kernel(model, "third")), rtol=1e-4
    )
    strided = build(Strided(), size=32)
    found = expanded_weights(strided, "below/relu", "above", np.ones(4))
    np.testing.assert_allclose(found, signed(kernel(strided, "above")), rtol=1e-4)


def test_both_paths_of_a_skip_count():
    class Twice(nn.Module):
        @nn.compact
        def __call__(self, x: jax.Array) -> jax.Array:
            x = nn.Conv(4, (1, 1), name="first")(x)
            return nn.Conv(4, (1, 1), name="last")(x + nn.relu(nn.Conv(4, (1, 1), name="side")(x)))

    model = build(Twice())
    side, last = kernel(model, "side")[0, 0], kernel(model, "last")
    expected = signed(np.einsum("pr,hwru->hwpu", np.eye(4) + side, last))
    np.testing.assert_allclose(expanded_weights(model, "first", "last", np.ones(4)), expected, rtol=1e-4, atol=1e-6)


def test_the_nearest_chosen_layers_below(bottleneck):
    assert nearest_layers_below(bottleneck, ["fc", "conv", "below"]) == {
        "fc": ("below", "conv"),
        "conv": ("below",),
        "below": (),
    }
    assert nearest_layers_below(bottleneck, ["block", "below/relu"]) == {"block": ("below/relu",), "below/relu": ()}


def test_invalid_layers_and_shapes_are_refused(bottleneck):
    refused("is not computed from", expanded_weights, bottleneck, "block", "below", np.ones(8))
    refused("is not computed from", expanded_weights, bottleneck, "block", "block", np.ones(8))
    refused("expected (6,)", expanded_weights, bottleneck, "below", "block", np.ones(5))
    refused("has no layer", expanded_weights, bottleneck, "belo", "block", np.ones(5))


def test_tokens_leave_the_class_token_out(deit):
    found = expanded_weights(deit, "blocks/5", "blocks/6", np.ones(192))
    assert found.shape == (192, 192) and np.isfinite(found).all() and found.any()


def test_googlenets_1x1_units_have_their_kernels(googlenet):
    found = expanded_weights(googlenet, "inception_4b", "inception_4c", np.ones(512))
    weights = googlenet.weights["params"]["inception_4c"]
    one, projected = (np.asarray(weights[name]["kernel"])[0, 0].T for name in ("1x1", "pool_proj"))
    np.testing.assert_allclose(found[:128], one, rtol=1e-3, atol=1e-6)
    np.testing.assert_allclose(found[-64:], projected / 3, rtol=1e-3, atol=1e-6)  # of 3 x 3 pooled places
    three = np.einsum(
        "pr,hwru->hwpu", np.asarray(weights["3x3_reduce"]["kernel"])[0, 0], np.asarray(weights["3x3"]["kernel"])
    )
    np.testing.assert_allclose(np.abs(found[128:384]), np.abs(signed(three)), rtol=1e-3, atol=1e-6)
