"""Objectives as sums: arithmetic, labels, stacks, and what a layer's shape refuses."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from featviz.errors import FeatvizError
from featviz.model import OUTPUT, before_relu
from featviz.objectives import (
    channel,
    cosine,
    deepdream,
    direction,
    diverse,
    function,
    head,
    interpolate,
    inversion,
    latent,
    logit,
    neuron,
    patches,
    stack,
    strongest,
    style,
    tensor_direction,
    within,
)

VECTOR = np.linspace(-1, 1, 7, dtype=np.float32)


def activations(seed=0):
    draw = np.random.default_rng(seed).normal(size=(2, 3, 5, 7)).astype(np.float32)
    return {"layer": jnp.asarray(draw), OUTPUT: jnp.asarray(draw)}


def test_a_gradient_step_raises_a_sum():
    objective = channel("layer", 1) * 2.0 - deepdream("layer") / 4.0
    named = activations(seed=1)
    gradient = jax.grad(lambda named: objective(named).sum())(named)
    raised = objective(jax.tree.map(lambda h, g: h + 1e-2 * g, named, gradient))
    assert np.all(np.asarray(raised) > np.asarray(objective(named)))


def test_numbers_multiply_and_do_not_compound():
    objective = channel("layer", 1)
    summed = 2.0 * (objective + 3.0 * channel("layer", 2)) * 0.5
    assert [float(weight) for weight in summed.weights] == [1.0, 3.0]
    assert [float(weight) for weight in (2.0 * (2.0 * objective)).weights] == [4.0]
    assert [float(weight) for weight in (objective / 4).weights] == [0.25]
    assert [float(weight) for weight in objective.weights] == [1.0]


def test_subtraction_does_not_change_its_operands():
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
        (direction("a", VECTOR, index=7, position=(1, 2), power=2.0), "a:direction 7^2@1x2"),
        (direction("a", VECTOR, index=7, class_tokens=1), "a:direction 7@patches"),
        (head("a", 2, heads=12), "a:head2of12"),
        (strongest("a", 3), "a:3@top16"),
        (strongest("a", 3, count=4, class_tokens=1), "a:3@top4patches"),
        (-channel("a", 3), "-a:3"),
        (-0.5 * channel("a", 3), "-0.5 * a:3"),
        (2 * channel("a", 3) - channel("b", 4) + logit(1), "2 * a:3 - b:4 + logit:1"),
    ],
)
def test_labels(objective, label):
    assert objective.label == label


@pytest.mark.parametrize(
    ("objective", "target"),
    [
        (channel("a/b", 3), "a/b:3"),
        (-neuron("a", 3, position=(1, 2)), "a:-3@1x2"),
        (-logit(5), "logit:-5"),
        (head("a", 2, heads=12), "a:head2of12"),
        (-deepdream("a"), "a:-whole"),
        (2 * channel("a", 3), None),
        (channel("a", 3) + channel("a", 4), None),
        (direction("a", VECTOR, index=7), None),
        (diverse(channel("a", 3)), None),
        # Layers that a command line cannot name.
        (channel(OUTPUT, 3), None),
        (channel(before_relu("a"), 3), None),
    ],
)
def test_targets_are_what_the_command_line_can_write(objective, target):
    assert objective.target == target


def test_classes_are_those_of_logits():
    assert (logit(5).class_index, (-logit(5)).class_index, diverse(logit(5)).class_index) == (5, 5, 5)
    assert channel("a", 5).class_index is None and (logit(5) + logit(6)).class_index is None


def test_several_units_are_a_list():
    assert [objective.label for objective in channel("a", range(2))] == ["a:0", "a:1"]
    assert [objective.label for objective in neuron("a", [4], position=(0,))] == ["a:4@0"]
    assert [objective.hash for objective in logit(np.arange(3))] == [logit(unit).hash for unit in range(3)]
    with pytest.raises(FeatvizError, match="`unit` is 1.5"):
        channel("a", 1.5)


def test_objectives_of_one_structure_stack_and_each_lane_is_its_own():
    named = activations()
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
        (patches("a", 2), (3, 5, 7), "`class_tokens` is 1; a is (3, 5, 7) and has no tokens"),
        (patches("a", 2, class_tokens=4), (4, 7), "`class_tokens` is 4; a has 4 tokens"),
        (strongest("a", 7), (4, 7), "`unit` 7 is out of range; a has 7 units, 0 to 6"),
        (strongest("a", 2), (3, 5, 7), "`count` is 16; a has 15 positions at this picture size; expected as many"),
        (strongest("a", 2, count=4, class_tokens=1), (4, 7), "`count` is 4; a has 3 positions"),
        (strongest("a", 2, count=1, class_tokens=1), (3, 5, 7), "`class_tokens` is 1; a is (3, 5, 7) and has no"),
        (neuron("a", 2), (4, 7), "a has 4 tokens and no center; expected a `position`, such as (0,)"),
        (within("a", np.ones((2, 2))), (4, 7), "`mask` has shape (2, 2); a has positions (4,) at this"),
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
def test_an_objective_that_does_not_fit_its_layer_is_refused_in_one_line(objective, shape, message):
    with pytest.raises(FeatvizError) as caught:
        objective.terms[0].check({"a": shape, OUTPUT: shape})
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("position", [None, (2, 4)])
def test_the_last_unit_and_position_are_inside(position):
    for objective in (channel("a", 6), neuron("a", 6, position=position), direction("a", VECTOR), deepdream("a")):
        objective.terms[0].check({"a": (3, 5, 7)})
