"""The contract of a term, for every kind: files that define one are found by themselves, with their `EXAMPLES`."""

import inspect

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from support.objectives import EXAMPLES, LAYER, LAYOUTS, MODULES, draw, example, layout_of, term_classes

from featviz import objectives
from featviz.common.canonical import canonical_json
from featviz.model import IMAGE, OUTPUT, before_relu
from featviz.objectives import stack

ROOM = [module for module in MODULES if module.__name__.startswith("featviz.objectives.")]
FACTORIES = [
    pytest.param(function, id=function.__name__)
    for module in MODULES
    for function in vars(module).values()
    if inspect.isfunction(function)
    and function.__module__ == module.__name__
    and not function.__name__.startswith("_")
    and "Objective" in str(inspect.signature(function).return_annotation)
]


# One program a kind serves all tests: the values and the gradients of two lanes.
@jax.jit
def evaluate(lanes, h):
    def total(objective, h):
        values = objective({LAYER: h, OUTPUT: h, IMAGE: h})
        return jnp.sum(values), values

    gradients, values = jax.vmap(jax.grad(total, argnums=1, has_aux=True), in_axes=(0, None))(lanes, h)
    return values, gradients


def lanes_of(name):
    objective = example(name, layout_of(name))
    return stack([objective, -2.0 * objective])


def values_of(name, h):
    """The values of the kind's example at activations h, one per image."""
    return np.asarray(evaluate(lanes_of(name), h)[0])[0]


def term_of(name):
    return example(name, layout_of(name)).terms[0]


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__)
def test_every_kind_of_term_has_an_example(module):
    shown = {type(example(name, layout_of(name)).terms[0]) for name in getattr(module, "EXAMPLES", {})}
    assert shown == term_classes(module), "add a line to EXAMPLES of this file"


@pytest.mark.parametrize("module", ROOM, ids=lambda module: module.__name__)
def test_every_file_of_the_room_is_listed(module):
    listed = {getattr(value, "__module__", "") for value in vars(objectives).values() if inspect.isfunction(value)}
    assert module.__name__ in listed, "add its line to featviz/objectives/__init__.py"


@pytest.mark.parametrize("factory", FACTORIES)
def test_docstrings_have_the_arguments_and_an_example(factory):
    documentation = inspect.getdoc(factory)
    assert f"{factory.__name__}(" in documentation.partition(">>>")[2]
    parameters = inspect.signature(factory).parameters
    if "Args:" in documentation or (len(parameters) > 0 and factory.__module__.startswith("featviz.objectives")):
        described = documentation.partition("Args:")[2]
        assert all(f"\n  {name}: " in described for name in parameters)


@pytest.mark.parametrize("kind", [kind for module in MODULES for kind in sorted(term_classes(module), key=str)])
def test_docstrings_of_terms_have_the_formula(kind):
    documentation = vars(kind)["__doc__"]
    assert any(sign in documentation for sign in ("mean", "sum", "|", "_p[", "dot(", "output `unit`", "(h_1"))


@pytest.mark.parametrize("name", EXAMPLES)
def test_values_are_one_finite_float_per_image(name):
    values = values_of(name, draw(layout_of(name)))
    assert (values.shape, values.dtype) == ((3,), np.float32)
    assert np.all(np.isfinite(values))


@pytest.mark.parametrize("name", EXAMPLES)
def test_a_gradient_step_raises_the_value(name):
    h = draw(layout_of(name), seed=1)
    values, gradients = evaluate(lanes_of(name), h)
    raised = values_of(name, h + 1e-2 * np.asarray(gradients)[0] / 3)
    before = np.asarray(values)[0]
    assert raised.mean() > before.mean()
    if not term_of(name).depends_on_group:
        assert np.all(raised >= before)


@pytest.mark.parametrize("name", EXAMPLES)
def test_a_silent_layer_has_a_finite_gradient(name):
    _, gradients = evaluate(lanes_of(name), np.zeros_like(draw(layout_of(name))))
    assert np.all(np.isfinite(gradients))


@pytest.mark.parametrize("name", EXAMPLES)
def test_lanes_have_weights_of_their_own(name):
    values, gradients = evaluate(lanes_of(name), draw(layout_of(name)))
    np.testing.assert_allclose(values[1], -2.0 * values[0], rtol=1e-5)
    np.testing.assert_allclose(gradients[1], -2.0 * gradients[0], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("name", EXAMPLES)
def test_images_do_not_depend_on_one_another_outside_groups(name):
    layout = layout_of(name)
    h = draw(layout)
    others_changed = np.concatenate([h[:1], draw(layout, seed=9)[1:]])
    if not term_of(name).depends_on_group:
        for found, expected in zip(*(evaluate(lanes_of(name), each) for each in (h, others_changed)), strict=True):
            np.testing.assert_allclose(found[:, 0], expected[:, 0], rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("name", EXAMPLES)
def test_means_over_positions_are_means_of_halves(name):
    layout = layout_of(name)
    if not term_of(name).mean_over_positions:
        return
    assert layout == "space"
    first, second = (draw(layout, seed=seed)[:, :2] for seed in (3, 4))
    halves = [values_of(name, np.concatenate([half, half], axis=1)) for half in (first, second)]
    joined = values_of(name, np.concatenate([first, second], axis=1))
    np.testing.assert_allclose(joined, (halves[0] + halves[1]) / 2, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", EXAMPLES)
def test_what_is_linear_in_a_layer_is_minimized_before_its_relu(name):
    term = term_of(name)
    assert term.preactivation({}).layers == term.layers
    if term.layers != (LAYER,):
        assert (
            term.preactivation({layer: before_relu(layer) for layer in (*term.layers, "other")}).layers == term.layers
        )
        return
    moved = term.preactivation({LAYER: before_relu(LAYER)})
    assert moved.layers in ((LAYER,), (before_relu(LAYER),), (before_relu(LAYER), LAYER))
    h = draw(layout_of(name))
    values, negated = values_of(name, h), values_of(name, -h)
    if moved.layers == (LAYER,):
        # Of a function that is odd in its layer, the pre-activation can be minimized.
        assert not np.allclose(values, -negated, rtol=1e-3)
    else:
        # A square has its smallest value at 0, which is where a ReLU leaves it.
        assert not np.allclose(values, negated, rtol=1e-3)


@pytest.mark.parametrize("name", EXAMPLES)
def test_a_term_says_what_it_is(name):
    term = term_of(name)
    assert term.label and "\n" not in term.label
    assert all(isinstance(layer, str) for layer in term.layers) and term.layers
    assert term.target is None or term.target.rpartition(":")[0]
    assert term.class_index is None or term.class_index >= 0
    assert term.channel_index is None or term.label == f"{LAYER}:{term.channel_index}"


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("name", EXAMPLES)
def test_structure_and_name_survive_a_trip_through_jax(name, layout):
    objective = example(name, layout)
    leaves, structure = jax.tree.flatten(objective)
    again = jax.tree.unflatten(structure, leaves)
    assert canonical_json(again) == canonical_json(objective)
    assert again.hash == example(name, layout).hash
    # Leaves are arrays or numpy's numbers, which stack.
    assert all(isinstance(leaf, np.ndarray | np.generic) for leaf in leaves)
