"""Objectives: their values are numpy's, gradient raises them, they combine and stack."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from featviz.errors import FeatvizError
from featviz.model import OUTPUT
from featviz.objectives import channel, deepdream, direction, logit, neuron, stack

LAYOUTS = {"space": (2, 3, 5, 7), "tokens": (2, 4, 7), "flat": (2, 7)}
VECTOR = np.linspace(-1, 1, 7, dtype=np.float32)


def activations(layout, seed=0):
    draw = np.random.default_rng(seed).normal(size=LAYOUTS[layout]).astype(np.float32)
    return draw, {"layer": jnp.asarray(draw), OUTPUT: jnp.asarray(draw)}


def over_positions(values):
    return values.reshape(len(values), -1).mean(axis=1)


def cosine_power(h, power):
    dot = h @ VECTOR
    cosine = dot / (np.linalg.norm(h, axis=-1) * np.linalg.norm(VECTOR))
    return over_positions(dot * np.maximum(0.1, cosine) ** power)


EXPECTED = {
    "channel": (lambda: channel("layer", 3), lambda h: over_positions(h[..., 3])),
    "logit": (lambda: logit(6), lambda h: over_positions(h[..., 6])),
    "deepdream": (lambda: deepdream("layer"), lambda h: over_positions(h**2)),
    "dot": (lambda: direction("layer", VECTOR), lambda h: over_positions(h @ VECTOR)),
    "cosine": (lambda: direction("layer", VECTOR, power=2.0), lambda h: cosine_power(h, 2.0)),
    "half power": (lambda: direction("layer", VECTOR, power=0.5), lambda h: cosine_power(h, 0.5)),
    "sum": (
        lambda: channel("layer", 1) * 2.0 - deepdream("layer") / 4.0,
        lambda h: 2 * over_positions(h[..., 1]) - over_positions((h**2).reshape(2, -1)) / 4,
    ),
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("kind", EXPECTED)
def test_values_are_those_of_numpy(kind, layout):
    build, expected = EXPECTED[kind]
    h, named = activations(layout)
    found = build()(named)
    assert (found.shape, found.dtype) == ((2,), jnp.float32)
    np.testing.assert_allclose(found, expected(h.astype(np.float64)), rtol=2e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("layout", "position", "at"),
    [
        ("space", None, (1, 2)),
        ("space", (0, 4), (0, 4)),
        ("space", (2, 0), (2, 0)),
        ("tokens", None, (2,)),
        ("tokens", (3,), (3,)),
    ],
)
def test_a_neuron_is_one_unit_at_one_position(layout, position, at):
    h, named = activations(layout)
    found = neuron("layer", 4, position=position)(named)
    np.testing.assert_array_equal(found, h[(slice(None), *at, 4)])


@pytest.mark.parametrize("kind", EXPECTED)
def test_gradient_raises_the_objective_of_each_image(kind):
    objective = EXPECTED[kind][0]()
    _, named = activations("space", seed=1)
    gradient = jax.grad(lambda named: objective(named).sum())(named)
    risen = objective(jax.tree.map(lambda h, g: h + 1e-2 * g, named, gradient))
    assert np.all(np.asarray(risen) > np.asarray(objective(named)))


def test_the_cosine_never_turns_the_sign_of_the_dot_product():
    h = jnp.asarray(-VECTOR[None])
    assert direction("layer", VECTOR, power=4.0)({"layer": h})[0] == pytest.approx(-1e-4 * VECTOR @ VECTOR)


def test_a_silent_layer_has_a_finite_gradient():
    for objective in (direction("layer", VECTOR, power=2.0), deepdream("layer"), channel("layer", 0)):
        gradient = jax.grad(lambda h, objective=objective: objective({"layer": h}).sum())(jnp.zeros((1, 2, 2, 7)))
        assert np.all(np.isfinite(gradient))


def test_numbers_multiply_and_do_not_compound():
    objective = channel("layer", 1)
    summed = 2.0 * (objective + 3.0 * channel("layer", 2)) * 0.5
    assert [float(weight) for weight in summed.weights] == [1.0, 3.0]
    assert [float(weight) for weight in (2.0 * (2.0 * objective)).weights] == [4.0]
    assert [float(weight) for weight in (objective / 4).weights] == [0.25]
    assert [float(weight) for weight in objective.weights] == [1.0]


def test_subtraction_leaves_its_operands_alone():
    left, right = channel("layer", 1), channel("layer", 2)
    before = (left.hash, right.hash)
    assert [float(weight) for weight in (left - right).weights] == [1.0, -1.0]
    assert [float(weight) for weight in (-(left - right)).weights] == [-1.0, 1.0]
    assert (left.hash, right.hash) == before


@pytest.mark.parametrize("other", [1.0, "conv1:3", None])
def test_only_objectives_are_added(other):
    with pytest.raises(TypeError):
        channel("layer", 1) + other


def test_an_objective_times_an_objective_is_refused():
    with pytest.raises(FeatvizError, match="expected a number"):
        channel("layer", 1) * channel("layer", 2)


@pytest.mark.parametrize(
    ("objective", "label"),
    [
        (channel("a/b", 3), "a/b:3"),
        (neuron("a", 3), "a:3@center"),
        (neuron("a", 3, position=(1, 2)), "a:3@1x2"),
        (logit(5), "logit:5"),
        (deepdream("a"), "a:whole"),
        (direction("a", VECTOR), "a:direction"),
        (direction("a", VECTOR, power=2.0), "a:direction^2"),
        (-channel("a", 3), "-a:3"),
        (-0.5 * channel("a", 3), "-0.5 * a:3"),
        (2 * channel("a", 3) - channel("b", 4) + logit(1), "2 * a:3 - b:4 + logit:1"),
    ],
)
def test_labels(objective, label):
    assert objective.label == label


def test_several_units_are_a_list():
    assert [objective.label for objective in channel("a", range(2))] == ["a:0", "a:1"]
    assert [objective.label for objective in neuron("a", [4], position=(0,))] == ["a:4@0"]
    assert [objective.hash for objective in logit(np.arange(3))] == [logit(unit).hash for unit in range(3)]
    with pytest.raises(FeatvizError, match="`unit` is 1.5"):
        channel("a", 1.5)


def test_one_structure_stacks_and_each_lane_is_its_own():
    _, named = activations("space")
    units = [channel("layer", unit) - 0.5 * direction("layer", VECTOR * unit) for unit in (5, 0, 2)]
    stacked = stack(units)
    assert {leaf.shape[0] for leaf in jax.tree.leaves(stacked)} == {3}
    lanes = jax.vmap(lambda objective: objective(named))(stacked)
    np.testing.assert_allclose(lanes, [unit(named) for unit in units], rtol=1e-5)


@pytest.mark.parametrize(
    "other",
    [channel("other", 1), neuron("layer", 1), 2 * channel("layer", 1) + logit(1), direction("layer", VECTOR)],
)
def test_different_structures_do_not_stack(other):
    with pytest.raises(FeatvizError, match=r"^`objectives` have 2 structures; expected one to stack$"):
        stack([channel("layer", 1), other])


@pytest.mark.parametrize(
    ("objective", "shape", "message"),
    [
        (channel("a", 7), (3, 5, 7), "`unit` 7 is out of range; a has 7 units, 0 to 6"),
        (channel("a", -1), (7,), "`unit` -1 is out of range; a has 7 units, 0 to 6"),
        (logit(7), (7,), "`unit` 7 is out of range; the output has 7 units, 0 to 6"),
        (neuron("a", 9), (3, 5, 7), "`unit` 9 is out of range; a has 7 units, 0 to 6"),
        (neuron("a", 0), (7,), "a has no positions; expected a channel in place of a neuron"),
        (neuron("a", 0, position=(3, 0)), (3, 5, 7), "`position` 3x0 is outside a, which is 3x5 at this picture size"),
        (neuron("a", 0, position=(0, -1)), (3, 5, 7), "`position` 0x-1 is outside a, which is 3x5"),
        (neuron("a", 0, position=(0,)), (3, 5, 7), "`position` 0 is outside a, which is 3x5"),
        (direction("a", np.ones(6)), (3, 5, 7), "`vector` has shape (6,); a has 7 units, expected (7,)"),
        (direction("a", np.ones((1, 7))), (3, 5, 7), "`vector` has shape (1, 7); a has 7 units, expected (7,)"),
    ],
)
def test_what_a_layer_lacks_is_refused_in_one_line(objective, shape, message):
    with pytest.raises(FeatvizError) as caught:
        objective.terms[0].check({"a": shape, OUTPUT: shape})
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("position", [None, (2, 4)])
def test_the_last_unit_and_position_are_inside(position):
    for objective in (channel("a", 6), neuron("a", 6, position=position), direction("a", VECTOR), deepdream("a")):
        objective.terms[0].check({"a": (3, 5, 7)})
