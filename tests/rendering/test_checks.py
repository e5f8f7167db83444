"""What render refuses, in one line and before any work."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx
from support.tiny import SMALL, Fixed, Valid, build

import featviz as fv
from featviz.errors import FeatvizError
from featviz.objectives import channel, direction, logit, neuron
from featviz.recipes import RECIPES, Recipe
from featviz.rendering.render import render_each


def refusal(model, objectives, **options):
    """The one line with which a call is refused, before any work."""
    with pytest.raises(FeatvizError) as caught:
        render_each(model, objectives if isinstance(objectives, list) else [objectives], **{**SMALL, **options})
    text = str(caught.value)
    assert text.isprintable() and len(text) < 400
    return text


@pytest.mark.parametrize(
    ("objective", "options", "pattern"),
    [
        (channel("conv3", 0), {}, r"tiny has no layer `conv3`; did you mean `conv[12]`\?"),
        (channel("Conv1", 0), {}, r"tiny has no layer `Conv1`; did you mean `conv1`\?"),
        (channel("zzz", 0), {}, r"tiny has no layer `zzz`; expected one of `conv1`, .*"),
        (channel("conv1", 80), {}, r"`unit` 80 is out of range; conv1 has 80 units, 0 to 79"),
        ([logit(0), logit(80)], {}, r"`unit` 80 is out of range; the output has 80 units, 0 to 79"),
        (neuron("conv1", 0, position=(8, 0)), {}, r"`position` 8x0 is outside conv1, which is 8x8 .*"),
        (direction("conv2", np.ones(3)), {}, r"`vector` has shape \(3,\); conv2 has 8 units, expected \(8,\)"),
        (logit(0), {"steps": 0}, r"`steps` is 0; expected a whole number from 1 to 1000000"),
        (logit(0), {"steps": 2.0}, r"`steps` is 2\.0; expected a whole number .*"),
        (logit(0), {"steps": True}, r"`steps` is True; expected a whole number .*"),
        (logit(0), {"seed": -1}, r"`seed` is -1; expected a whole number from 0 to 4294967295"),
        (logit(0), {"seed": 2**32}, r"`seed` is 4294967296; expected a whole number .*"),
        (logit(0), {"lanes": 0}, r"`lanes` is 0; expected a whole number from 1 to .*"),
        (logit(0), {"size": 7}, r"`size` is 7; expected a whole number from 8 to 4096"),
        (logit(0), {"size": (16, 5000)}, r"`size` is 5000; expected .*"),
        (logit(0), {"size": (16, 16, 3)}, r"`size` is \(16, 16, 3\); expected a number of pixels or \(height, width\)"),
        (logit(0), {"size": 12.5}, r"`size` is 12\.5; expected .*"),
        (logit(0), {"size": "128"}, r"`size` is '128'; expected .*"),
        (
            logit(0),
            {"start": np.zeros((16, 16, 1))},
            r"`start` has shape \(16, 16, 1\); expected \(height, width, 3\) .*",
        ),
        (logit(0), {"start": np.zeros((8, 9, 3))}, r"`start` is 8x9 pixels; expected 16x16"),
        (logit(0), {"start": np.full((16, 16, 3), 200.0)}, r"`start` is float64 from 200\.0 to 200\.0; expected .*"),
        (logit(0), {"start": np.full((16, 16, 3), np.nan)}, r"`start` is float64 from nan to nan; expected .*"),
        (logit(0), {"start": np.zeros((16, 16, 3), np.uint8)}, r"`start` is uint8 from 0 to 0; expected floats .*"),
        (logit(0), {"recipe": Recipe(optimizer=lambda: optax.sgd(1.0))}, r".* has no canonical form; expected .*"),
    ],
)
def test_nonsense_is_refused_before_any_work(tiny, objective, options, pattern):
    assert re.fullmatch(pattern, refusal(tiny, objective, **options))


@pytest.mark.parametrize(
    ("module", "layer", "says"),
    [
        (Fixed(), "fc", "`size` is 8 x 8: tiny cannot run on images of 8 x 8 px ("),
        (Valid(), "conv", "tiny cannot run on pictures of `size` 8x8: nothing remains of conv"),
    ],
)
def test_a_size_that_the_network_cannot_take_is_refused(module, layer, says):
    assert refusal(build(module), channel(layer, 0), size=8).startswith(says)


class Foreign:
    """Of no framework."""


@pytest.mark.parametrize(
    ("model", "says"),
    [
        ("googlenet", "`model` is 'googlenet'; expected a Model, such as fv.load('googlenet') gives"),
        (nnx.Linear(3, 4, rngs=nnx.Rngs(0)), "`model` is a Linear; expected a Model, as fv.from_nnx(...) gives"),
        (Fixed(), "`model` is a Fixed; expected a Model, as fv.from_linen(...) gives"),
        (Foreign(), "`model` is a Foreign; expected a Model, as fv.load(...) or an adapter such as fv.from_torch(...)"),
    ],
)
def test_what_is_no_model_is_refused_with_what_makes_one_of_it(model, says, tmp_path):
    image = np.zeros((16, 16, 3), np.float32)
    for call in (
        lambda: fv.render(model, logit(0)),
        lambda: fv.observe(model, image, "fc"),
        lambda: fv.dream(model, image, logit(0)),
        lambda: fv.Watch(model, logit(0), every=1),
        lambda: fv.compare(model, [{}], logit(0)),
        lambda: fv.survey(model, tmp_path, out=tmp_path / "survey"),
        lambda: fv.build_atlas(model, out=tmp_path / "atlas"),
        lambda: fv.check_input(model, None),
    ):
        with pytest.raises(FeatvizError) as caught:
            call()
        assert str(caught.value).startswith(says)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ("layer2.0:3", "{} is 'layer2.0:3'; expected an Objective, such as fv.channel('layer2.0', 3)"),
        ("conv1", "{} is 'conv1'; expected an Objective, such as fv.channel('conv1', 3)"),
        (lambda h: h, "{} is a function; expected an Objective, such as fv.function(f, 'conv1', name='mine')"),
        (None, "{} is None; expected an Objective, such as fv.channel('conv1', 3)"),
        (Foreign(), "{} is a Foreign; expected an Objective, such as fv.channel('conv1', 3)"),
    ],
)
def test_what_is_no_objective_is_refused(tiny, given, says):
    image = np.zeros((16, 16, 3), np.float32)
    for name, call in {
        "`objectives`": lambda: fv.render(tiny, given),
        "`objectives[1]`": lambda: fv.render(tiny, [logit(0), given]),
        "`objective`": lambda: fv.render_group(tiny, given),
        "`target`": lambda: fv.stream(tiny, given),
        "`target[0]`": lambda: fv.compare(tiny, [tiny.weights], [given]),
        "`targets`": lambda: fv.Watch(tiny, given, every=1),
        "`objective` ": lambda: fv.dream(tiny, image, given),
    }.items():
        with pytest.raises(FeatvizError) as caught:
            call()
        assert str(caught.value) == says.format(name.strip())


def test_a_recipe_is_told_by_its_name(tiny):
    named, itself = (fv.render(tiny, logit(0), recipe=each, **SMALL) for each in ("lucid", RECIPES["lucid"]))
    np.testing.assert_array_equal(named.pixels, itself.pixels)
    assert named.provenance == itself.provenance
    assert fv.citation("lucid") == fv.citation(RECIPES["lucid"])
    assert refusal(tiny, logit(0), recipe="lucd") == "there is no recipe `lucd`; did you mean `lucid`?"
    assert refusal(tiny, logit(0), recipe=3).startswith("`recipe` is a int; expected a Recipe, or the name of one")
    with pytest.raises(TypeError, match="unexpected keyword argument 'weights'"):
        fv.compare(tiny, [tiny.weights], logit(0), weights=tiny.weights)


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: channel(Foreign(), 3), "`layer` is a Foreign; expected a layer's name, as in Model.layers"),
        (lambda: fv.deepdream(Foreign()), "`layer` is a Foreign; expected a layer's name, as in Model.layers"),
        (lambda: channel("conv1", "3"), "`unit` is '3'; expected a whole number, such as 3"),
        (lambda: channel("conv1", 2.0), "`unit` is 2.0; expected a whole number, such as 3"),
        (lambda: channel("conv1", [0, 2**40]), "`unit` is 1099511627776; expected a whole number, such as 3"),
        (lambda: neuron("conv1", 0, position=("a", 0)), "`position` is 'a'; expected a whole number, such as 3"),
        (lambda: fv.patches("conv1", 0, class_tokens=0.5), "`class_tokens` is 0.5; expected a whole number, such as 3"),
        (
            lambda: logit("goldfish"),
            "`unit` is 'goldfish'; expected a whole number, such as 1, or model.class_index('goldfish')",
        ),
    ],
)
def test_what_objectives_are_not_made_of_is_refused(make, says):
    with pytest.raises(FeatvizError) as caught:
        make()
    assert str(caught.value) == says


def test_transforms_that_leave_a_size_that_the_network_cannot_take_are_refused():
    # lucid pads 16 pixels to 40 and crops them to 28.
    line = refusal(build(Fixed()), channel("fc", 0), recipe=RECIPES["lucid"])
    assert line.startswith("`size` is 28 x 28: tiny cannot run on images of 28 x 28 px (")


def test_weights_of_another_network_are_refused(tiny, other_weights):
    narrow = jax.tree.map(lambda leaf: leaf[..., :1], other_weights)
    assert "`weights` has ['params']['conv1']['bias'] as ((1,), " in refusal(tiny, logit(0), weights=narrow)
    halves = jax.tree.map(lambda leaf: leaf.astype(jnp.float16), other_weights)
    assert "float16" in refusal(tiny, logit(0), weights=halves)
    assert "as None; expected ((80,), " in refusal(tiny, logit(0), weights={"params": {}})
