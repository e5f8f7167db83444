"""Connections between units: exact where they can be computed by hand, of any network that is a Model."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from support.surveys import refused
from support.tiny import build

from featviz.circuits.connections import connections, neighbors_below, similar, strongest
from featviz.circuits.linearization import middle, reach_of
from featviz.circuits.natural_noise import noise
from featviz.circuits.spreads import spread_of, surveyed_spread


class Bottleneck(nn.Module):
    """A convolution and a block that reduces by 1x1 before its 3x3, beside a pooled branch."""

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        x = nn.relu(nn.Conv(6, (3, 3), name="below")(x))
        pooled = nn.max_pool(x, (3, 3), strides=(1, 1), padding="SAME")
        y = nn.relu(nn.Conv(4, (1, 1), name="reduce")(x))
        y = nn.relu(nn.Conv(5, (3, 3), name="conv")(y))
        return nn.Dense(7, name="fc")(
            jnp.mean(Joined(name="block")(y, nn.relu(nn.Conv(3, (1, 1), name="pool")(pooled))), (1, 2))
        )


class Joined(nn.Module):
    @nn.compact
    def __call__(self, *branches: jax.Array) -> jax.Array:
        return jnp.concatenate(branches, -1)


class Skipping(nn.Module):
    """A residual block after another, normalized over channels, its ReLU a plain select."""

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        x = nn.Conv(4, (1, 1), name="first")(x)
        y = nn.Conv(4, (3, 3), name="second")(nn.LayerNorm()(x))
        y = jnp.where(y > 0, y, 0.0)
        return nn.Conv(4, (1, 1), name="third")(x + y)


class Strided(nn.Module):
    """Two convolutions that do not pad, strided."""

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        x = nn.relu(nn.Conv(4, (3, 3), padding="VALID", name="below")(x))
        return nn.relu6(nn.Conv(4, (3, 3), strides=2, padding="VALID", name="above")(x))


@pytest.fixture(scope="module")
def bottleneck():
    return build(Bottleneck(), size=24)


def kernel(model, name):
    return np.asarray(model.weights["params"][name]["kernel"], np.float64)


def signed(kernels):
    """Kernels (h, w, p, u) as strengths (u, p)."""
    return (np.sqrt(np.square(kernels).sum((0, 1))) * np.where(kernels.sum((0, 1)) < 0, -1, 1)).T


def test_a_reduction_is_looked_through(bottleneck):
    composed = np.einsum("pr,hwru->hwpu", kernel(bottleneck, "reduce")[0, 0], kernel(bottleneck, "conv"))
    spread = np.arange(1, 7, dtype=np.float32)
    for layer in ("conv", "conv/relu"):
        found = connections(bottleneck, "below/relu", layer, spread)
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, signed(composed) * spread, rtol=1e-4, atol=1e-6)


def test_a_block_gathers_its_branches_also_through_a_maximum(bottleneck):
    found = connections(bottleneck, "below/relu", "block", np.ones(6))
    composed = np.einsum("pr,hwru->hwpu", kernel(bottleneck, "reduce")[0, 0], kernel(bottleneck, "conv"))
    expected = np.concatenate([signed(composed), signed(kernel(bottleneck, "pool"))])
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6)


def test_the_picture_is_small_and_its_size_does_not_matter(bottleneck):
    assert reach_of(bottleneck, "below/relu", "block") == 1
    small = connections(bottleneck, "below/relu", "block", np.ones(6))
    for size in ((24, 24), (16, 20)):
        np.testing.assert_allclose(
            connections(bottleneck, "below/relu", "block", np.ones(6), size=size), small, rtol=1e-4
        )


def test_a_classifier_after_a_mean_sees_everything(bottleneck):
    found = connections(bottleneck, "block", "fc", np.full(8, 2.0))
    # Of 24 x 24 positions each has a part of 1 in 576: the norm over them is 1 in 24.
    np.testing.assert_allclose(found, kernel(bottleneck, "fc").T * 2 / 24, rtol=1e-4, atol=1e-7)
    assert connections(bottleneck, "conv", "fc", np.ones(5)).shape == (7, 5)


def test_layers_that_are_not_maps():
    class Plain(nn.Module):
        @nn.compact
        def __call__(self, x: jax.Array) -> jax.Array:
            x = nn.relu(nn.Dense(150, name="first")(x.reshape(x.shape[0], -1)))
            return nn.Dense(90, name="second")(x)

    model = build(Plain())
    found = connections(model, "first/relu", "second", np.ones(150))
    np.testing.assert_allclose(found, kernel(model, "second").T, rtol=1e-5)  # more units than a chunk


def test_what_is_planted_is_found_first(bottleneck):
    weights = jax.tree.map(np.array, bottleneck.weights)
    weights["params"]["pool"]["kernel"][0, 0, 4, 1] = -9.0
    model = build(Bottleneck(), size=24)
    object.__setattr__(model, "weights", weights)
    found = connections(model, "below/relu", "block", np.ones(6))
    assert strongest(found[5 + 1], 1) == [(4, -1.0)]


def test_skips_normalization_and_unpadded_strides():
    model = build(Skipping(), size=16)
    for upstream in ("first", "LayerNorm_0", "second/relu"):
        found = connections(model, upstream, "third", np.ones(4))
        assert np.isfinite(found).all() and (found != 0).any()
    # Past `second` the sum adds nothing of its own: its units reach `third` by the kernel alone.
    np.testing.assert_allclose(
        connections(model, "second", "third", np.ones(4)), signed(kernel(model, "third")), rtol=1e-4
    )
    assert reach_of(model, "first", "third") == 1 and reach_of(model, "second", "third") == 0
    strided = build(Strided(), size=32)
    found = connections(strided, "below/relu", "above", np.ones(4))
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
    np.testing.assert_allclose(connections(model, "first", "last", np.ones(4)), expected, rtol=1e-4, atol=1e-6)


def test_strongest_and_similar():
    row = np.array([0.0, np.nan, -4.0, 2.0, np.inf])
    assert strongest(row, 9) == [(2, -1.0), (3, 0.5)] and strongest(np.zeros(3), 2) == []
    rows = np.array([[1.0, 0.0], [2.0, 0.0], [-1.0, 0.0], [0.0, 0.0], [1.0, 1.0]])
    found = similar(rows, 2)
    assert found[0] == [(1, 1.0), (4, pytest.approx(0.5**0.5, abs=1e-5))] and found[3] == []
    assert similar(rows, 4)[0][-1] == (2, -1.0)


def test_neighbors_are_the_nearest_of_those_chosen(bottleneck):
    assert neighbors_below(bottleneck, ["fc", "conv", "below"]) == {
        "fc": ("below", "conv"),
        "conv": ("below",),
        "below": (),
    }
    assert neighbors_below(bottleneck, ["block", "below/relu"]) == {"block": ("below/relu",), "below/relu": ()}


def test_what_makes_no_sense_is_refused(bottleneck):
    refused("is not computed from", connections, bottleneck, "block", "below", np.ones(8))
    refused("is not computed from", connections, bottleneck, "block", "block", np.ones(8))
    refused("expected (6,)", connections, bottleneck, "below", "block", np.ones(5))
    refused("has no layer", connections, bottleneck, "belo", "block", np.ones(5))
    refused("`images` are uint8", spread_of, bottleneck, ["below"], images=np.zeros((1, 24, 24, 3), np.uint8))


def test_spreads_are_those_of_all_positions_and_images(bottleneck):
    images = noise(np.random.default_rng(1), 11, (24, 24))
    found = spread_of(bottleneck, ["below/relu", "fc"], images=images)
    made = bottleneck.apply(bottleneck.weights, jnp.asarray(images), layers=("below/relu", "fc"))
    for layer, sd in found.items():
        expected = np.asarray(made[layer], np.float64).std(tuple(range(made[layer].ndim - 1)))
        np.testing.assert_allclose(sd, expected, rtol=1e-4, atol=1e-7)
    assert spread_of(bottleneck, ["fc"])["fc"].tolist() == [1.0] * 7


def test_a_surveys_spreads_are_those_on_its_photographs(broken_survey):
    _, survey = broken_survey
    images = np.stack([survey.photo(number) for number in np.flatnonzero(survey.readable)]).astype(np.float32) / 255
    expected = spread_of(survey.model, ["conv2", "conv1/relu"], images=images)
    found = surveyed_spread(survey, ["conv2", "conv1/relu"])
    for layer, sd in found.items():
        np.testing.assert_allclose(sd, expected[layer], rtol=0.25, atol=1e-3)


def test_noise_falls_off_with_frequency():
    made = noise(np.random.default_rng(0), 8, (64, 64), channels=1)[..., 0]
    power = np.square(np.abs(np.fft.rfft2(made - made.mean((1, 2), keepdims=True)))).mean(0)
    assert power[0, 2] / power[0, 16] == pytest.approx(64, rel=0.6)
    assert middle((4, 4, 4, 2)) == 42


def test_tokens_leave_the_class_token_out(deit):
    found = connections(deit, "blocks/5", "blocks/6", np.ones(192))
    assert found.shape == (192, 192) and np.isfinite(found).all() and found.any()


def test_googlenets_1x1_units_have_their_kernels(googlenet):
    found = connections(googlenet, "inception_4b", "inception_4c", np.ones(512))
    weights = googlenet.weights["params"]["inception_4c"]
    one, projected = (np.asarray(weights[name]["kernel"])[0, 0].T for name in ("1x1", "pool_proj"))
    np.testing.assert_allclose(found[:128], one, rtol=1e-3, atol=1e-6)
    np.testing.assert_allclose(found[-64:], projected, rtol=1e-3, atol=1e-6)
    three = np.einsum(
        "pr,hwru->hwpu", np.asarray(weights["3x3_reduce"]["kernel"])[0, 0], np.asarray(weights["3x3"]["kernel"])
    )
    np.testing.assert_allclose(np.abs(found[128:384]), np.abs(signed(three)), rtol=1e-3, atol=1e-6)
