"""Render: one program a layer, pictures in order with their provenance, and refusals of one line."""

from dataclasses import replace

import jax.numpy as jnp
import numpy as np
import optax
import pytest
from support.tiny import SMALL

from featviz.ascent.outcome import Outcome
from featviz.model import hash_weights
from featviz.objectives import channel, deepdream, direction, logit, neuron
from featviz.optimizers import Custom
from featviz.pictures.picture import Picture
from featviz.recipes import Recipe, default
from featviz.rendering.render import render


@pytest.fixture(scope="module")
def drawn(tiny):
    return render(tiny, channel("conv1", 3), seed=5, **SMALL)


def test_one_trace_serves_all_units_steps_seeds_and_checkpoints(tiny, other_weights):
    calls = []

    def apply(weights, images, *, layers=None):
        calls.append(layers)
        return tiny.apply(weights, images, layers=layers)

    model = replace(tiny, apply=apply)

    def count(units, **options):
        before = len(calls)
        render(model, channel("conv1/relu", units), **{**SMALL, **options})
        return len(calls) - before

    # Once for the steps, once for the final score, and once for the layers' shapes, which compiles nothing.
    assert count(range(3)) == 3
    assert count(range(20)) == 0
    assert count([79]) == 0
    assert count(range(3), steps=7) == 0
    assert count(range(3), seed=1) == 0
    assert count(range(3), weights=other_weights) == 0


def test_other_weights_draw_another_picture(tiny, other_weights, drawn):
    other = render(tiny, channel("conv1", 3), seed=5, weights=other_weights, **SMALL)
    assert np.abs(other.pixels - drawn.pixels).max() > 0.01
    own = render(tiny, channel("conv1", 3), seed=5, weights=tiny.weights, **SMALL)
    assert np.array_equal(own.pixels, drawn.pixels)
    hashes = [picture.provenance["network"]["weights_sha256"] for picture in (drawn, other)]
    assert hashes == [hash_weights(tiny.weights), hash_weights(other_weights)]
    assert len(set(hashes)) == 2


def test_one_objective_gives_a_picture_and_a_list_gives_a_list(tiny, drawn):
    assert isinstance(drawn, Picture)
    assert (drawn.pixels.shape, drawn.pixels.dtype) == ((16, 16, 3), np.float32)
    assert drawn.outcome is Outcome.OUT_OF_STEPS
    [only] = render(tiny, [channel("conv1", 3)], seed=5, **SMALL)
    assert np.array_equal(only.pixels, drawn.pixels)
    assert render(tiny, [], **SMALL) == []


def test_the_score_is_the_objective_of_the_clean_picture(tiny, drawn):
    expected = np.mean(tiny.apply(tiny.weights, jnp.asarray(drawn.pixels)[None])["conv1"][..., 3])
    assert drawn.score == pytest.approx(float(expected), rel=1e-4)


def test_pictures_come_in_order_whatever_their_structure(tiny):
    objectives = [
        logit(2),
        channel("conv1", 1),
        logit(0),
        neuron("conv1", 1, position=(7, 7)),
        channel("conv1", 0),
        -deepdream("conv2"),
        direction("conv2", np.ones(8)) - channel("conv2", 0),
    ]
    pictures = render(tiny, objectives, recipe=replace(default, transforms=()), **{**SMALL, "steps": 1})
    assert [picture.provenance["name"] for picture in pictures] == [objective.label for objective in objectives]
    assert len({picture.pixels.tobytes() for picture in pictures}) == len(objectives)


@pytest.mark.parametrize("start", ["pixels", "picture"])
def test_a_start_takes_the_place_of_noise(tiny, drawn, start):
    still = Recipe(optimizer=Custom("still", lambda: optax.sgd(0.0)))
    image = drawn if start == "picture" else drawn.pixels.astype(np.float64)
    again = render(tiny, channel("conv1", range(3)), recipe=still, start=image, steps=2, progress=False)
    for picture in again:
        np.testing.assert_allclose(picture.pixels, drawn.pixels, atol=1e-5)
        assert (picture.provenance["start"], picture.provenance["command"]) == ("an image", None)


def test_pictures_need_not_be_square(tiny):
    picture = render(tiny, channel("conv1", 0), **{**SMALL, "size": (12, 17), "steps": 1})
    assert picture.pixels.shape == (12, 17, 3)
    assert picture.provenance["size"] == [12, 17]
