"""What is promised about sameness: bitwise on one machine's CPU, close across programs (docs/architecture.md)."""

import os
import subprocess
import sys
from dataclasses import replace
from functools import cache
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from support.tiny import build

import featviz.ascent.lanes
import featviz.rendering.request
from featviz import ascent
from featviz.ascent import Convergence, Routine
from featviz.ascent.batching import device_mesh
from featviz.ascent.lane_keys import lane_key
from featviz.objectives import channel, deepdream, direction, logit, neuron, stack
from featviz.parameterizations import Fourier
from featviz.recipes import Recipe, default
from featviz.rendering.render import render

RECIPE = Recipe(transforms=default.transforms, size=16, steps=20)
MODEL = build()


def vector(unit):
    return np.random.default_rng(unit).normal(size=8).astype(np.float32)


# Each family gives an objective of one structure for each number from 0 to 64.
FAMILIES = {
    "channel": lambda unit: channel("conv1", unit),
    "neuron": lambda unit: neuron("conv1", unit, position=(unit % 8, unit // 8 % 8)),
    "logit": lambda unit: logit(unit),
    "deepdream": lambda unit: (1.0 + unit) * deepdream("conv2"),
    "dot": lambda unit: direction("conv2", vector(unit)),
    "cosine": lambda unit: direction("conv2", vector(unit), power=2.0),
    "sum": lambda unit: channel("conv1", unit) * 2.0 - 0.5 * logit(unit + 1) + (unit / 64) * deepdream("conv2"),
}


def draw(objectives, **options):
    return render(MODEL, objectives, **{"recipe": RECIPE, "progress": False, **options})


@cache
def alone(family):
    return draw(FAMILIES[family](7))


def assert_same(found, expected):
    assert np.array_equal(found.history, expected.history)
    assert np.array_equal(found.pixels, expected.pixels)
    assert (found.score, found.outcome) == (expected.score, expected.outcome)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_picture_moves(family):
    assert len(alone(family).history) == 20
    assert alone(family).pixels.std() > 0.03


@pytest.mark.parametrize("family", FAMILIES)
def test_neighbors_slots_and_order_do_not_matter(family):
    others = [FAMILIES[family](unit) for unit in range(65) if unit != 7]
    wanted = FAMILIES[family](7)
    first, *_ = draw([wanted, *others])
    assert_same(first, alone(family))
    for before in ([others[5]], others[4:1:-1]):
        *_, last = draw([*before, wanted])
        assert_same(last, alone(family))


def test_all_families_in_one_call_are_as_by_themselves():
    for family, picture in zip(FAMILIES, draw([make(7) for make in FAMILIES.values()]), strict=True):
        assert_same(picture, alone(family))


def test_twins_are_the_same():
    first, second, third = draw([FAMILIES["channel"](7)] * 3)
    for picture in (first, second, third):
        assert_same(picture, alone("channel"))


SCRIPT = """
import sys
import jax
import numpy as np
from test_lanes_sameness import FAMILIES, draw

assert jax.device_count() == int(sys.argv[2])
parts = {}
for family, make in FAMILIES.items():
    # The wanted one last, on another device than the first where there are several.
    *_, picture = draw([make(unit) for unit in (1, 2, 3, 4, 7)])
    parts |= {f"{family} {part}": getattr(picture, part) for part in ("pixels", "history", "score")}
np.savez(sys.argv[1], **parts)
"""


def drawn_elsewhere(folder, *, devices):
    """The pictures of another process, by family and part."""
    path = folder / "pictures.npz"
    paths = os.pathsep.join([str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH", "")])
    environment = os.environ | {"XLA_FLAGS": f"--xla_force_host_platform_device_count={devices}", "PYTHONPATH": paths}
    words = [sys.executable, "-c", SCRIPT, str(path), str(devices)]
    subprocess.run(words, check=True, cwd=Path(__file__).parent, env=environment)
    with np.load(path) as found:
        return dict(found)


def test_another_process_draws_the_same(tmp_path):
    found = drawn_elsewhere(tmp_path, devices=1)
    for family in FAMILIES:
        assert np.array_equal(found[f"{family} pixels"], alone(family).pixels)
        assert np.array_equal(found[f"{family} history"], alone(family).history)


def test_eight_devices_reach_the_same_scores(tmp_path):
    found = drawn_elsewhere(tmp_path, devices=8)
    for family in FAMILIES:
        ours, theirs = alone(family), found[f"{family} history"]
        assert len(theirs) == len(ours.history)
        # The first step sees the same image, up to rounding; later ones amplify that.
        assert theirs[0] == pytest.approx(ours.history[0], rel=1e-5)
        assert found[f"{family} score"] == pytest.approx(ours.score, rel=0.02)


@pytest.mark.parametrize("check_every", [1, 5, 64])
def test_how_often_lanes_are_checked_does_not_matter(monkeypatch, check_every):
    monkeypatch.setattr(featviz.ascent.lanes, "CHECK_EVERY", check_every)
    *_, last = draw([FAMILIES["channel"](unit) for unit in (1, 2, 7)])
    assert_same(last, alone("channel"))


def test_converging_neighbors_and_refilled_lanes_do_not_matter(monkeypatch):
    rule = Convergence(window=4, tolerance=0.2, patience=2)
    objectives = [FAMILIES["channel"](unit) for unit in range(12)]
    together = draw(objectives, convergence=rule, steps=40)
    # They end at different steps, so that lanes were refilled while their neighbors ran.
    assert len({len(picture.history) for picture in together}) > 1
    monkeypatch.setattr(featviz.ascent.lanes, "CHECK_EVERY", 3)
    backwards = draw(objectives[::-1], convergence=rule, steps=40)[::-1]
    for number, picture in enumerate(together):
        assert_same(backwards[number], picture)
        assert_same(draw(objectives[number], convergence=rule, steps=40), picture)


def test_another_seed_draws_another_picture():
    other = draw(FAMILIES["channel"](7), seed=1)
    assert np.abs(other.pixels - alone("channel").pixels).mean() > 0.02
    assert not np.any(other.history == alone("channel").history)


def test_keys_are_of_the_seed_and_the_objective():
    keys = [lane_key(seed, channel("a", unit)) for seed in (0, 1, 2**32 - 1) for unit in (0, 1)]
    assert len({jax.random.key_data(key).tobytes() for key in map(jax.device_get, keys)}) == 6
    assert lane_key(5, channel("a", 1)) == lane_key(5, channel("a", 1))


def first_gradient(family, *, lanes, chunk):
    """The first step's gradient of objective 7 in the last lane, as optax.trace keeps it."""
    routine = Routine(
        MODEL.apply, Fourier(), gradient_keeper, RECIPE.transforms, (1, 16, 16, 3), chunk=chunk, redirect_steps=0
    )
    objectives = [FAMILIES[family](unit) for unit in range(8 - lanes, 8)]
    keys = jnp.stack([lane_key(0, objective) for objective in objectives])
    started = ascent.start(keys, None, routine=routine)
    plan = ascent.plan_step(routine, MODEL.weights, objectives[0], None)
    weights = ascent.PreparedWeights(MODEL.weights, ascent.prepare(MODEL.weights, plan=plan))
    arguments = (weights, stack(objectives), None, jnp.int32(1), started)
    ended, _ = ascent.advance(*arguments, plan=plan, mesh=device_mesh())
    assert ended.step.tolist() == [1] * lanes
    return np.asarray(ended.optimizer.trace[-1])


def gradient_keeper():
    return optax.trace(decay=0.5)


@pytest.mark.parametrize(("family", "lanes", "chunk"), [("channel", 8, 1), ("channel", 2, 4), ("sum", 8, 4)])
def test_other_programs_have_the_same_first_gradient(family, lanes, chunk):
    expected = first_gradient(family, lanes=2, chunk=1)
    found = first_gradient(family, lanes=lanes, chunk=chunk)
    assert np.linalg.norm(expected) > 0
    assert np.linalg.norm(found - expected) <= 1e-5 * np.linalg.norm(expected)


def draw_longer(**options):
    """Eight channels over 42 steps, which is no multiple of the chunk."""
    objectives = [FAMILIES["channel"](unit) for unit in range(8)]
    return draw(objectives, recipe=replace(RECIPE, steps=42), **options)


@cache
def longer_scores():
    return [picture.score for picture in draw_longer()]


@pytest.mark.parametrize(("lanes", "chunk"), [(8, 1), (2, 4)])
def test_other_programs_reach_the_same_scores(monkeypatch, lanes, chunk):
    expected = longer_scores()
    monkeypatch.setattr(featviz.rendering.request, "default_chunk", lambda: chunk)
    pictures = draw_longer(lanes=lanes)
    assert {picture.provenance["lanes"] for picture in pictures} == {lanes}
    assert {len(picture.history) for picture in pictures} == {42}
    ratios = np.array([picture.score for picture in pictures]) / np.array(expected)
    assert np.median(np.abs(ratios - 1)) < 0.02
