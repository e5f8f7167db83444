"""Objectives of directions, regions, other images, groups and latents: their values are numpy's, in every layout."""

from dataclasses import replace
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import featviz as fv
from featviz.errors import FeatvizError
from featviz.objectives import (
    alignment,
    caricature,
    channel,
    cosine,
    direction,
    diversity,
    function,
    guided_dream,
    interpolate,
    inversion,
    latent,
    latent_survives,
    neuron,
    patches,
    stack,
    style,
    tensor_direction,
    within,
)
from featviz.objectives.minimization import for_minimization

LAYOUTS = {"space": (3, 3, 5, 7), "tokens": (3, 4, 7), "flat": (3, 7)}
RANDOM = np.random.default_rng(5)
VECTOR = RANDOM.normal(size=7).astype(np.float32)
OTHER = {layout: RANDOM.normal(size=shape[1:]).astype(np.float32) for layout, shape in LAYOUTS.items()}
GUIDE = RANDOM.normal(size=(11, 7)).astype(np.float32)
ENCODER, BIAS, CENTER = (RANDOM.normal(size=shape).astype(np.float32) for shape in ((7, 9), (9,), (7,)))


def draw(layout, seed=0):
    return np.random.default_rng(seed).normal(size=LAYOUTS[layout]).astype(np.float32)


# As in production these are compiled whole: operation by operation, compiling them is most of the tests' time.
@jax.jit
def value(objective, h):
    return objective({"layer": h})


@jax.jit
@partial(jax.grad, argnums=1)
def slopes(objective, h):
    return jnp.sum(objective({"layer": h}))


def rows(h):
    return h.reshape(len(h), -1, h.shape[-1])


def gram(h):
    flat = rows(h)
    return flat.transpose(0, 2, 1) @ flat


def cosines(h, v):
    return h @ v / np.linalg.norm(h, axis=-1) / np.linalg.norm(v)


def tensor(h, layout, power):
    flat, wanted = h.reshape(len(h), -1), OTHER[layout].reshape(-1)
    return flat @ wanted / rows(h).shape[1] * np.maximum(cosines(flat, wanted), 0.1) ** power


def largest(h):
    return jnp.max(h.reshape(len(h), -1), axis=1)


def gram_distance(h):
    wanted = gram(GUIDE[None])[0] / 11
    found = gram(h) / rows(h).shape[1]
    return -((found - wanted) ** 2).sum((1, 2)) / (wanted**2).sum()


def diverse(h):
    g = gram(h)
    g = g / np.linalg.norm(g, axis=(1, 2), keepdims=True)
    return np.array([-sum((g[i] * g[j]).sum() for j in range(len(g)) if j != i) for i in range(len(g))])


def aligned(h):
    pairs = [(i, j) for i in range(len(h)) for j in range(len(h)) if 0 < abs(i - j) <= 4]
    far = np.zeros(len(h))
    for i, j in pairs:
        far[i] -= 0.5 * ((h[i] - h[j]) ** 2).mean() / 2.0 ** abs(i - j)
    return far


ANYWHERE = {
    "cosine": (lambda _: cosine("layer", VECTOR), lambda h, _: cosines(rows(h), VECTOR).mean(1)),
    "tensor": (lambda at: tensor_direction("layer", OTHER[at]), lambda h, at: tensor(h, at, 0)),
    "tensor^2": (lambda at: tensor_direction("layer", OTHER[at], power=2.0), lambda h, at: tensor(h, at, 2)),
    "caricature": (lambda at: caricature("layer", OTHER[at]), lambda h, at: tensor(h, at, 1)),
    "inversion": (
        lambda at: inversion("layer", OTHER[at]),
        lambda h, at: -((h - OTHER[at]) ** 2).reshape(3, -1).sum(1) / (OTHER[at] ** 2).sum(),
    ),
    "style": (lambda _: style("layer", GUIDE), lambda h, _: gram_distance(h)),
    "guided": (lambda _: guided_dream("layer", GUIDE), lambda h, _: (rows(h) @ GUIDE.T).max(-1).mean(-1)),
    "diversity": (lambda _: diversity("layer"), lambda h, _: diverse(h)),
    "alignment": (lambda _: alignment("layer"), lambda h, _: aligned(h)),
    "interpolate": (
        lambda _: interpolate("layer", 1, 6),
        lambda h, _: np.array([rows(h)[0, :, 1].mean(), rows(h)[1][:, [1, 6]].mean(), rows(h)[2, :, 6].mean()]),
    ),
    "latent": (
        lambda _: latent("layer", ENCODER, 4, bias=BIAS, center=CENTER),
        lambda h, _: ((rows(h) - CENTER) @ ENCODER[:, 4] + BIAS[4]).mean(1),
    ),
    "function": (
        lambda _: function(largest, "layer", name="largest"),
        lambda h, _: h.reshape(3, -1).max(1),
    ),
}
ALONE = [kind for kind in ANYWHERE if kind not in ("diversity", "alignment", "interpolate")]


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("kind", ANYWHERE)
def test_values_are_those_of_numpy(kind, layout):
    build, expected = ANYWHERE[kind]
    h = draw(layout)
    objective = build(layout)
    objective.terms[0].check({"layer": h.shape[1:]})
    found = value(objective, h)
    assert (found.shape, found.dtype) == ((3,), jnp.float32)
    np.testing.assert_allclose(found, expected(h.astype(np.float64), layout), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(value(-objective, h), -found)


@pytest.mark.parametrize("kind", ANYWHERE)
def test_gradient_raises_the_objective(kind):
    objective = ANYWHERE[kind][0]("space")
    h = draw("space", seed=1)
    slope = np.asarray(slopes(objective, h)) / len(h)
    assert value(objective, h + np.float32(1e-2) * slope).mean() > value(objective, h).mean()


@pytest.mark.parametrize("kind", ANYWHERE)
def test_a_silent_layer_has_a_finite_gradient(kind):
    objective = ANYWHERE[kind][0]("space")
    slope = slopes(objective, np.zeros(LAYOUTS["space"], np.float32))
    assert np.all(np.isfinite(slope))


@pytest.mark.parametrize("kind", ALONE)
def test_images_do_not_look_at_one_another(kind):
    objective = ANYWHERE[kind][0]("space")
    h = draw("space")
    other = np.concatenate([h[:1], draw("space", seed=9)[1:]])
    first, second = (float(value(objective, each)[0]) for each in (h, other))
    assert first == pytest.approx(second, rel=1e-6)


@pytest.mark.parametrize("kind", ANYWHERE)
def test_lanes_are_each_their_own(kind):
    h = draw("space")
    several = [weight * ANYWHERE[kind][0]("space") for weight in (1.0, -2.0)]
    lanes = jax.jit(jax.vmap(value, in_axes=(0, None)))(stack(several), h)
    np.testing.assert_allclose(lanes[1], value(several[1], h), rtol=1e-5)
    assert len({each.hash for each in several}) == 2


def test_at_one_position():
    h = draw("space")
    at = h[:, 2, 1].astype(np.float64)
    named = {"layer": jnp.asarray(h)}
    np.testing.assert_allclose(direction("layer", VECTOR, position=(2, 1))(named), at @ VECTOR, rtol=1e-5)
    powered = at @ VECTOR * np.maximum(0.1, cosines(at, VECTOR)) ** 3
    np.testing.assert_allclose(direction("layer", VECTOR, position=(2, 1), power=3.0)(named), powered, rtol=1e-4)
    np.testing.assert_allclose(cosine("layer", VECTOR, position=(2, 1))(named), cosines(at, VECTOR), rtol=1e-5)
    tokens = {"layer": jnp.asarray(draw("tokens"))}
    np.testing.assert_allclose(
        cosine("layer", VECTOR, position=(3,))(tokens), cosines(draw("tokens")[:, 3], VECTOR), rtol=1e-5
    )


def test_a_tensor_of_another_size_is_cut_about_its_center():
    h = draw("space")
    wide = RANDOM.normal(size=(5, 9, 7)).astype(np.float32)
    found = tensor_direction("layer", wide)({"layer": jnp.asarray(h)})
    np.testing.assert_allclose(found, (h * wide[1:4, 2:7]).sum((1, 2, 3)) / 15, rtol=1e-4)


class TestTokens:
    def test_class_tokens_are_named(self):
        h = draw("tokens")
        named = {"layer": jnp.asarray(h)}
        np.testing.assert_allclose(patches("layer", 2)(named), h[:, 1:, 2].mean(1), rtol=1e-5)
        np.testing.assert_allclose(patches("layer", 2, class_tokens=2)(named), h[:, 2:, 2].mean(1), rtol=1e-5)
        np.testing.assert_allclose(patches("layer", 2, class_tokens=0)(named), channel("layer", 2)(named), rtol=1e-5)

    @pytest.mark.parametrize(
        ("objective", "shape", "message"),
        [
            (patches("a", 2), (3, 5, 7), "`class_tokens` is 1; a is (3, 5, 7) and has no tokens"),
            (patches("a", 2, class_tokens=4), (4, 7), "`class_tokens` is 4; a has 4 tokens"),
            (neuron("a", 2), (4, 7), "a has 4 tokens and no center; expected a `position`, such as (0,)"),
            (
                within("a", np.ones((2, 2))),
                (4, 7),
                "`mask` has shape (2, 2); a has positions (4,) at this",
            ),
            (within("a", np.ones(4)), (7,), "`mask` has shape (4,); a has positions () at this picture size"),
            (inversion("a", np.ones((4, 7))), (5, 7), "`features` has shape (4, 7); a is (5, 7) at this picture size"),
            (style("a", np.ones((4, 6))), (5, 7), "`features` has shape (4, 6); a is (5, 7) at this picture size"),
            (tensor_direction("a", np.ones((4, 7))), (3, 4, 7), "`tensor` has shape (4, 7); a is (3, 4, 7)"),
            (direction("a", np.ones(7), position=(3, 0)), (3, 5, 7), "`position` 3x0 is outside a, which is 3x5"),
            (cosine("a", np.ones(7), position=(0,)), (7,), "a has no positions; expected an objective without"),
            (interpolate("a", 0, 7), (3, 5, 7), "`unit` 7 is out of range; a has 7 units, 0 to 6"),
            (latent("a", np.ones((6, 2)), 0), (7,), "`encoder` takes 6 units; a has 7"),
            (function(lambda h: h, "a", name="f"), (7,), "`function` f gives (2, 7) for two images; expected (2,)"),
            (function(lambda h: h.mean(), "a", name="f"), (7,), "`function` f gives () for two images; expected (2,)"),
            (function(lambda h: h @ np.ones(5), "a", name="f"), (7,), "`function` f fails on activations [(2, 7)]"),
        ],
    )
    def test_what_makes_no_sense_is_refused_in_one_line(self, objective, shape, message):
        with pytest.raises(FeatvizError) as caught:
            objective.terms[0].check({"a": shape})
        assert str(caught.value).startswith(message) and "\n" not in str(caught.value)


class TestWithin:
    def test_a_mask_weighs_positions(self):
        h = draw("space")
        mask = RANDOM.random((3, 5)).astype(np.float32)
        named = {"layer": jnp.asarray(h)}
        found = within("layer", mask, unit=3)(named)
        np.testing.assert_allclose(found, (h[..., 3] * mask).sum((1, 2)) / mask.sum(), rtol=1e-4)
        whole = within("layer", mask)(named)
        np.testing.assert_allclose(whole, ((h**2).mean(-1) * mask).sum((1, 2)) / mask.sum(), rtol=1e-4)

    def test_a_mask_is_stretched(self):
        columns = np.broadcast_to(np.arange(10, dtype=np.float32)[None, None, :, None], (2, 4, 10, 7))
        left = np.zeros((40, 100), np.float32)
        left[:, :40] = 1
        found = within("layer", left, unit=3)({"layer": jnp.asarray(columns)})
        np.testing.assert_allclose(found, 1.5, atol=0.1)

    @pytest.mark.parametrize("mask", [np.zeros((3, 5)), np.full((3, 5), 2.0), -np.ones((3, 5)), np.ones((0, 5))])
    def test_an_empty_mask_is_refused(self, mask):
        with pytest.raises(FeatvizError, match="`mask` is empty or outside"):
            within("layer", mask)


def test_lucids_diversity_is_the_groups_mean():
    # "lucid SUMS the inner products over j != i and divides by n", with the other sign.
    g = gram(draw("space"))
    g = g / np.linalg.norm(g, axis=(1, 2), keepdims=True)
    lucid = sum((g[i] * g[j]).sum() for i in range(3) for j in range(3) if i != j) / 3
    assert float(diversity("layer")({"layer": jnp.asarray(draw("space"))}).mean()) == pytest.approx(-lucid, rel=1e-4)


def test_guided_dreams_gradient_is_the_guides_best_feature():
    h = draw("space", seed=3)
    slope = jax.grad(lambda h: guided_dream("layer", GUIDE)({"layer": h}).sum())(jnp.asarray(h))
    best = GUIDE[(rows(h) @ GUIDE.T).argmax(-1)].reshape(h.shape)
    np.testing.assert_allclose(slope, best / 15, rtol=1e-5)


class TestLatents:
    def test_which_positions_a_latent_survives(self):
        h = draw("space")[0]
        before = (h.reshape(-1, 7) - CENTER) @ ENCODER + BIAS
        rank = (-before).argsort(1).argsort(1)[:, 4]
        options = {"bias": BIAS, "center": CENTER}
        found = latent_survives(h, ENCODER, 4, k=3, threshold=-np.inf, **options)
        assert found == pytest.approx((rank < 3).mean())
        assert latent_survives(h, ENCODER, 4, threshold=0.5, **options) == pytest.approx((before[:, 4] > 0.5).mean())

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"bias": np.ones(3)}, "`bias` has shape"),
            ({"center": np.ones(3)}, "`center` has shape"),
            ({"k": 0}, "`k` is 0"),
        ],
    )
    def test_an_autoencoder_that_does_not_fit_is_refused(self, options, message):
        with pytest.raises(FeatvizError, match=message):
            latent_survives(np.ones(7), ENCODER, 4, **options)

    def test_a_latent_out_of_range_is_refused(self):
        with pytest.raises(FeatvizError, match="`index` is 9; `encoder` has 9 latents"):
            latent("layer", ENCODER, 9)


class TestNegatives:
    def test_a_negative_unit_is_of_the_pre_activation(self, patterns):
        objective = -fv.channel("conv2", 3)
        assert for_minimization(patterns, objective).layers == (fv.before_relu("conv2"),)
        assert for_minimization(patterns, fv.channel("conv2", 3)).layers == ("conv2",)
        mixed = fv.channel("conv2", 3) - 0.5 * fv.channel("conv2", 4)
        assert for_minimization(patterns, mixed) is mixed

    def test_pre_activations_are_those_that_the_relu_cuts(self, patterns):
        images = jnp.asarray(np.random.default_rng(0).random((2, 32, 32, 3)).astype(np.float32))
        shut = [layer.name for layer in patterns.layers if layer.rectified]
        names = [*shut, *map(fv.before_relu, shut)]
        found = patterns.apply(patterns.weights, images, layers=names)
        assert list(found)[1:] == names
        for name in shut:
            before = np.asarray(found[fv.before_relu(name)])
            assert before.min() < 0
            np.testing.assert_allclose(np.maximum(before, 0), found[name], atol=1e-5)

    def test_minimizing_goes_below_zero(self, patterns):
        picture = fv.render(patterns, -fv.channel("conv2", 3), size=32, steps=16, progress=False)
        assert picture.score > 0  # minus a negative pre-activation
        assert picture.provenance["name"] == "-conv2:3"

    def test_a_layer_without_a_relu_has_none_before(self, patterns):
        linear = next(layer.name for layer in patterns.layers if not layer.rectified)
        with pytest.raises(FeatvizError, match="does not come out of a ReLU"):
            fv.render(patterns, fv.channel(fv.before_relu(linear), 0), size=32, steps=1, progress=False)


class TestClasses:
    def test_a_class_by_its_name(self, patterns):
        name = patterns.classes[7]
        assert patterns.class_index(name.upper()) == 7
        assert patterns.class_index("upright plaid") == patterns.classes.index("upright plaid")
        twins = replace(patterns, classes=("crane, bird", "tabby", "crane, machine"))
        with pytest.raises(FeatvizError, match="is the name of classes 0, 2"):
            twins.class_index("crane")

    def test_an_unknown_class_is_told_the_nearest(self, patterns):
        name = patterns.classes[7]
        with pytest.raises(FeatvizError, match="did you mean"):
            patterns.class_index(name[:-1] + "#")


def test_observed_features_have_no_distance(patterns):
    image = np.random.default_rng(0).random((32, 32, 3)).astype(np.float32)
    features = fv.observe(patterns, image, "conv2")
    found = patterns.apply(patterns.weights, jnp.asarray(image[None]), layers=("conv2",))
    assert float(inversion("conv2", features)(found)[0]) == pytest.approx(0, abs=1e-6)
    with pytest.raises(FeatvizError, match="`image` has shape"):
        fv.observe(patterns, image[..., :1], "conv2")


@pytest.mark.parametrize("kind", ["inversion", "caricature", "style", "guided", "function", "cosine"])
def test_each_can_be_rendered(kind, patterns):
    image = np.random.default_rng(1).random((32, 32, 3)).astype(np.float32)
    features = fv.observe(patterns, image, "conv2")
    objective = {
        "inversion": lambda: inversion("conv2", features),
        "caricature": lambda: caricature("conv2", features),
        "style": lambda: style("conv2", features),
        "guided": lambda: guided_dream("conv2", features),
        "function": lambda: function(lambda a, b: a.mean((1, 2, 3)) + b.mean((1, 2, 3)), "conv1", "conv2", name="both"),
        "cosine": lambda: cosine("conv2", features.mean((0, 1))),
    }[kind]()
    recipe = replace(fv.recipes.default, transforms=())
    picture = fv.render(patterns, objective, recipe=recipe, size=32, steps=12, progress=False)
    assert picture.score > picture.history[0]
    assert picture.provenance["command"] is None


def test_unlike_pulls_a_group_apart_and_scores_the_unit_alone():
    h = jax.random.normal(jax.random.key(0), (3, 4, 5))

    def total(h):
        own, apart = jnp.mean(h[..., 2], axis=1), diversity("layer")({"layer": h}) / 2
        return jnp.sum(own + 0.5 * jnp.abs(jax.lax.stop_gradient(own)) * apart)

    objective = fv.diverse(fv.channel("layer", 2), weight=0.5)
    np.testing.assert_allclose(objective({"layer": h}), jnp.mean(h[..., 2], axis=1), rtol=1e-5, atol=1e-6)
    found = slopes(objective, h)
    np.testing.assert_allclose(found, jax.jit(jax.grad(total))(h), rtol=1e-4, atol=1e-6)
    assert objective.label == "layer:2"
