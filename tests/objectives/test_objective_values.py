"""The values of objectives are those of the same formulas in numpy, in every layout."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from featviz.model import OUTPUT
from featviz.objectives import (
    alignment,
    caricature,
    channel,
    cosine,
    deepdream,
    direction,
    diversity,
    function,
    guided_dream,
    interpolate,
    inversion,
    latent,
    logit,
    neuron,
    patches,
    strongest,
    style,
    tensor_direction,
    within,
)

LAYOUTS = {"space": (3, 3, 5, 7), "tokens": (3, 4, 7), "flat": (3, 7)}
RANDOM = np.random.default_rng(5)
VECTOR = RANDOM.normal(size=7).astype(np.float32)
OTHER = {layout: RANDOM.normal(size=shape[1:]).astype(np.float32) for layout, shape in LAYOUTS.items()}
GUIDE = RANDOM.normal(size=(11, 7)).astype(np.float32)
ENCODER, BIAS, CENTER = (RANDOM.normal(size=shape).astype(np.float32) for shape in ((7, 9), (9,), (7,)))


def draw(layout, seed=0):
    return np.random.default_rng(seed).normal(size=LAYOUTS[layout]).astype(np.float32)


# Compiled in one piece, as in production: operation by operation, compiling would be most of the tests' time.
@jax.jit
def value(objective, h):
    return objective({"layer": h, OUTPUT: h})


def rows(h):
    return h.reshape(len(h), -1, h.shape[-1])


def gram(h):
    flat = rows(h)
    return flat.transpose(0, 2, 1) @ flat


def cosines(h, v):
    return h @ v / np.linalg.norm(h, axis=-1) / np.linalg.norm(v)


def aligned_dot(h, power):
    return (rows(h) @ VECTOR * np.maximum(0.1, cosines(rows(h), VECTOR)) ** power).mean(1)


def tensor(h, layout, power):
    flat, wanted = h.reshape(len(h), -1), OTHER[layout].reshape(-1)
    return flat @ wanted / rows(h).shape[1] * np.maximum(cosines(flat, wanted), 0.1) ** power


def largest(h):
    return jnp.max(h.reshape(len(h), -1), axis=1)


def gram_distance(h):
    wanted = gram(GUIDE[None])[0] / 11
    found = gram(h) / rows(h).shape[1]
    return -((found - wanted) ** 2).sum((1, 2)) / (wanted**2).sum()


def gram_diversity(h):
    g = gram(h)
    g = g / np.linalg.norm(g, axis=(1, 2), keepdims=True)
    return np.array([-sum((g[i] * g[j]).sum() for j in range(len(g)) if j != i) for i in range(len(g))])


def neighbor_distance(h):
    pairs = [(i, j) for i in range(len(h)) for j in range(len(h)) if 0 < abs(i - j) <= 4]
    far = np.zeros(len(h))
    for i, j in pairs:
        far[i] -= 0.5 * ((h[i] - h[j]) ** 2).mean() / 2.0 ** abs(i - j)
    return far


# The objective for a layout, and its value by numpy of activations h.
EXPECTED = {
    "channel": (lambda _: channel("layer", 3), lambda h, _: rows(h)[..., 3].mean(1)),
    "logit": (lambda _: logit(6), lambda h, _: rows(h)[..., 6].mean(1)),
    "deepdream": (lambda _: deepdream("layer"), lambda h, _: (rows(h) ** 2).mean((1, 2))),
    "direction": (lambda _: direction("layer", VECTOR), lambda h, _: aligned_dot(h, 0)),
    "direction^2": (lambda _: direction("layer", VECTOR, power=2.0), lambda h, _: aligned_dot(h, 2)),
    "direction^.5": (lambda _: direction("layer", VECTOR, power=0.5), lambda h, _: aligned_dot(h, 0.5)),
    "sum": (
        lambda _: channel("layer", 1) * 2.0 - deepdream("layer") / 4.0,
        lambda h, _: 2 * rows(h)[..., 1].mean(1) - (rows(h) ** 2).mean((1, 2)) / 4,
    ),
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
    "diversity": (lambda _: diversity("layer"), lambda h, _: gram_diversity(h)),
    "alignment": (lambda _: alignment("layer"), lambda h, _: neighbor_distance(h)),
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


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("kind", EXPECTED)
def test_values_are_those_of_numpy(kind, layout):
    build, expected = EXPECTED[kind]
    h = draw(layout)
    objective = build(layout)
    for term in objective.terms:
        term.check({"layer": h.shape[1:], OUTPUT: h.shape[1:]})
    found = value(objective, h)
    assert (found.shape, found.dtype) == ((3,), jnp.float32)
    np.testing.assert_allclose(found, expected(h.astype(np.float64), layout), rtol=2e-5, atol=1e-6)
    np.testing.assert_allclose(value(-objective, h), -found)


@pytest.mark.parametrize(
    ("layout", "position", "expected"),
    [
        ("space", None, (1, 2)),
        ("space", (0, 4), (0, 4)),
        ("space", (2, 0), (2, 0)),
        ("tokens", None, (2,)),
        ("tokens", (3,), (3,)),
    ],
)
def test_a_neuron_is_one_unit_at_one_position(layout, position, expected):
    h = draw(layout)
    found = value(neuron("layer", 4, position=position), h)
    np.testing.assert_array_equal(found, h[(slice(None), *expected, 4)])


def test_values_at_one_position():
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


def test_class_tokens_are_left_out_of_the_mean():
    h = draw("tokens")
    named = {"layer": jnp.asarray(h)}
    np.testing.assert_allclose(patches("layer", 2)(named), h[:, 1:, 2].mean(1), rtol=1e-5)
    np.testing.assert_allclose(patches("layer", 2, class_tokens=2)(named), h[:, 2:, 2].mean(1), rtol=1e-5)
    np.testing.assert_allclose(patches("layer", 2, class_tokens=0)(named), channel("layer", 2)(named), rtol=1e-5)
    np.testing.assert_allclose(
        direction("layer", VECTOR, class_tokens=2)(named), (h[:, 2:] @ VECTOR).mean(1), rtol=1e-5
    )


@pytest.mark.parametrize("layout", ["space", "tokens"])
def test_the_strongest_positions_are_averaged(layout):
    h = draw(layout)
    largest = np.sort(rows(h)[..., 2], axis=1)[:, ::-1]
    named = {"layer": jnp.asarray(h)}
    np.testing.assert_allclose(strongest("layer", 2, count=3)(named), largest[:, :3].mean(1), rtol=1e-5)
    np.testing.assert_allclose(strongest("layer", 2, count=1)(named), largest[:, 0], rtol=1e-5)


def test_class_tokens_are_none_of_the_strongest():
    h = draw("tokens")
    expected = np.sort(h[:, 1:, 2], axis=1)[:, -2:].mean(1)
    found = strongest("layer", 2, count=2, class_tokens=1)({"layer": jnp.asarray(h)})
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_the_cosine_never_turns_the_sign_of_the_dot_product():
    h = jnp.asarray(-VECTOR[None])
    assert direction("layer", VECTOR, power=4.0)({"layer": h})[0] == pytest.approx(-1e-4 * VECTOR @ VECTOR)


def test_a_tensor_of_another_size_is_cut_about_its_center():
    h = draw("space")
    wide = RANDOM.normal(size=(5, 9, 7)).astype(np.float32)
    found = tensor_direction("layer", wide)({"layer": jnp.asarray(h)})
    np.testing.assert_allclose(found, (h * wide[1:4, 2:7]).sum((1, 2, 3)) / 15, rtol=1e-4)


def test_the_groups_mean_of_diversity_is_that_of_lucid():
    # "lucid SUMS the inner products over j != i and divides by n", with the other sign.
    g = gram(draw("space"))
    g = g / np.linalg.norm(g, axis=(1, 2), keepdims=True)
    lucid = sum((g[i] * g[j]).sum() for i in range(3) for j in range(3) if i != j) / 3
    assert float(diversity("layer")({"layer": jnp.asarray(draw("space"))}).mean()) == pytest.approx(-lucid, rel=1e-4)


def test_the_gradient_of_a_guided_dream_is_the_guides_best_feature():
    h = draw("space", seed=3)
    gradient = jax.grad(lambda h: guided_dream("layer", GUIDE)({"layer": h}).sum())(jnp.asarray(h))
    best = GUIDE[(rows(h) @ GUIDE.T).argmax(-1)].reshape(h.shape)
    np.testing.assert_allclose(gradient, best / 15, rtol=1e-5)


def test_a_mask_weighs_positions():
    h = draw("space")
    mask = RANDOM.random((3, 5)).astype(np.float32)
    named = {"layer": jnp.asarray(h)}
    found = within("layer", mask, unit=3)(named)
    np.testing.assert_allclose(found, (h[..., 3] * mask).sum((1, 2)) / mask.sum(), rtol=1e-4)
    square = within("layer", mask)(named)
    np.testing.assert_allclose(square, ((h**2).mean(-1) * mask).sum((1, 2)) / mask.sum(), rtol=1e-4)


def test_a_mask_is_resized_to_the_layer():
    columns = np.broadcast_to(np.arange(10, dtype=np.float32)[None, None, :, None], (2, 4, 10, 7))
    left = np.zeros((40, 100), np.float32)
    left[:, :40] = 1
    found = within("layer", left, unit=3)({"layer": jnp.asarray(columns)})
    np.testing.assert_allclose(found, 1.5, atol=0.1)
