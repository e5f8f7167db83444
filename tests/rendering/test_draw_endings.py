"""Pictures that mean little say so: of units that hardly depend on the image, and of gradients too small to move it."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from support.commands import status

import featviz as fv
from featviz.pictures.captions import score_text
from featviz.pictures.endings import ROUNDING
from featviz.pictures.picture import Outcome, load_picture

UNITS = 6
OPTIONS = {"size": 16, "steps": 16, "progress": False}
# The programs are the same for all examples; what fails is not drawn again and again to make it simpler.
DRAWN = settings(max_examples=6, deadline=None, derandomize=True, phases=(Phase.generate,))
SATURATED = {
    "sigmoid": jax.nn.sigmoid,
    "tanh": jnp.tanh,
    "hard sigmoid": jax.nn.hard_sigmoid,
    "relu6": jax.nn.relu6,
    "softmax": lambda x: jax.nn.softmax(jnp.stack([x, jnp.zeros_like(x)]), axis=0)[0],
}
TOLD = {Outcome.CONSTANT, Outcome.DEAD, Outcome.UNMOVED}


def network(kind):
    """Units activation(scale * mixture of colors + bias), scale and bias among the weights."""

    def apply(weights, images):
        mixed = jnp.einsum("nhwc,cu->nhwu", images - 0.5, weights["colors"])
        return {"u": SATURATED.get(kind, lambda x: x)(weights["scale"] * mixed + weights["bias"])}

    colors = np.random.default_rng(0).normal(size=(3, UNITS)).astype(np.float32)
    weights = {"colors": colors, "scale": np.ones(UNITS, np.float32), "bias": np.zeros(UNITS, np.float32)}
    return fv.from_function(apply, weights, input=fv.InputSpec(size=16), axes={"u": -1})


@pytest.fixture(scope="module")
def linear():
    return network("linear")


def draw(model, scale, bias):
    weights = {**model.weights, "scale": np.float32(scale), "bias": np.float32(bias)}
    return fv.render(model, fv.channel("u", range(UNITS)), weights=weights, **OPTIONS)


def of_units(low, high):
    return st.lists(st.floats(low, high), min_size=UNITS, max_size=UNITS).map(np.array)


@DRAWN
@given(biases=of_units(-2, 4), shares=of_units(-12, -6.5), sign=st.sampled_from([-1, 1]))
def test_a_bias_that_dominates_makes_a_constant(linear, biases, shares, sign):
    size = 10.0**biases
    for picture, bias in zip(draw(linear, 10.0**shares * size, sign * size), size, strict=True):
        assert picture.outcome in (Outcome.CONSTANT, Outcome.DEAD)
        if picture.outcome is Outcome.CONSTANT:
            looks = picture.clean_history[:, 1].astype(np.float64)
            figures = f"constant: its score changed by {np.ptp(looks):.2g} of its size {np.abs(looks).max():.3g} in 16"
            assert picture.ending.startswith(figures)
            assert np.ptp(looks) <= ROUNDING * bias * 1.001


@DRAWN
@given(biases=of_units(-2, 2), shares=of_units(-2, 2), sign=st.sampled_from([-1, 1]))
def test_a_unit_that_varies_is_no_constant(linear, biases, shares, sign):
    size = 10.0**biases
    for picture in draw(linear, 10.0**shares * size, sign * size):
        assert picture.outcome is Outcome.OUT_OF_STEPS and picture.ending == "out of steps"


@DRAWN
@given(values=of_units(-3, 3))
def test_a_channel_of_a_constant_is_told(linear, values):
    assert {picture.outcome for picture in draw(linear, np.zeros(UNITS), values)} <= TOLD


@DRAWN
@given(scales=of_units(-30, -13))
def test_gradients_below_those_that_the_optimizer_takes_are_told(linear, scales):
    for picture in draw(linear, 10.0**scales, np.zeros(UNITS)):
        assert picture.outcome is Outcome.UNMOVED
        assert "hardly moved the picture off its starting noise" in picture.ending


@pytest.mark.parametrize("kind", SATURATED)
def test_saturated_units_are_told(kind):
    model = network(kind)
    # Deep in a lower tail a sigmoid is an exponential: small, but it varies with the image.
    for offsets in ([15, 20, 30, 50, 90, 200], [-40, -50, -60, -70, -90, -200]):
        pictures = draw(model, np.ones(UNITS), offsets)
        assert {picture.outcome for picture in pictures} <= TOLD
    assert {picture.outcome for picture in draw(model, np.ones(UNITS), np.full(UNITS, 0.2))} == {Outcome.OUT_OF_STEPS}


def test_all_say_it_in_one_word_or_one_sentence(linear, tmp_path):
    constant, *_, moved = draw(linear, [1e-8] * 5 + [1], [1] * 5 + [0])
    assert score_text(constant) == "constant" and score_text(moved) not in ("constant", "unmoved")
    read = load_picture(constant.save(tmp_path / "a.png"))
    assert (read.outcome, read.ending) == (Outcome.CONSTANT, constant.ending)
    assert '"ending": "constant: its score' in (tmp_path / "a.json").read_text()
    assert "ending" not in load_picture(moved.save(tmp_path / "b.png")).provenance


def test_the_command_line_says_it(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "hardly.py").write_text(
        "import featviz as fv, numpy as np\n"
        "def network(weights, images):\n    return {'u': images @ weights + 1}\n"
        "def model():\n"
        "    return fv.from_function(network, np.full((3, 4), 1e-9, np.float32), input=fv.InputSpec(size=16))\n"
    )
    assert status("render", "hardly:model", "u:1", "--size", "16", "--steps", "4", "-o", "a.png") == 0
    assert "  constant: its score changed by 0 of its size 1 in 4 steps: it hardly" in capsys.readouterr().out


def test_a_staged_recipe_is_judged_as_a_whole(linear):
    stages = (fv.recipes.Stage(0.5, 12), fv.recipes.Stage(1.0, 1))
    recipe = fv.Recipe(stages=stages, steps=13)
    moved = fv.render(linear, fv.channel("u", 0), recipe=recipe, size=32, progress=False)
    assert moved.outcome is Outcome.OUT_OF_STEPS
    weights = {**linear.weights, "scale": np.full(UNITS, 1e-20, np.float32)}
    still = fv.render(linear, fv.channel("u", 0), recipe=recipe, size=32, weights=weights, progress=False)
    assert still.outcome is Outcome.UNMOVED


def test_a_dream_says_it(linear):
    photo = np.random.default_rng(0).random((32, 32, 3)).astype(np.float32)
    weights = {**linear.weights, "scale": np.full(UNITS, 1e-8, np.float32), "bias": np.ones(UNITS, np.float32)}
    options = {"octaves": 1, "steps": 3, "progress": False}
    assert fv.dream(linear, photo, fv.channel("u", 0), weights=weights, **options).outcome is Outcome.CONSTANT
    assert fv.dream(linear, photo, fv.channel("u", 0), **options).outcome is Outcome.OUT_OF_STEPS
