"""`check_input`: the right input is found to be right, a wrong one is told, and what cannot be told is not."""

import sys
from dataclasses import replace
from pathlib import Path

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax
from PIL import Image

import featviz as fv
from featviz.adapters.function import from_function
from featviz.adapters.linen import from_linen
from featviz.cli.main import run
from featviz.diagnosis.batch_norms import find_batch_norms
from featviz.diagnosis.check_input import check_input, extremes, read_photos
from featviz.diagnosis.specifications import COLORED, candidates, same, swap, translate, write
from featviz.diagnosis.trials import drift, read_answers, run_trials
from featviz.diagnosis.verdict import judge
from featviz.errors import FeatvizError
from featviz.model import InputSpec
from featviz.tracing.evaluation import evaluate
from featviz.tracing.program import trace

SIDE = 24
CAFFE = replace(COLORED["0..255 less Caffe's mean, BGR"], size=(SIDE, SIDE))


@pytest.fixture(scope="module")
def scenes():
    """Images whose colors and contrast are about those of photographs: smooth, warm, each with its own light."""
    draw = np.random.default_rng(0)
    coarse = draw.normal(size=(96, 4, 4, 1)) * 0.12 + draw.normal(size=(96, 4, 4, 3)) * 0.08
    smooth = jax.image.resize(jnp.asarray(coarse), (96, SIDE, SIDE, 3), "cubic")
    fine = draw.normal(size=(96, SIDE, SIDE, 1)) * 0.06
    light = draw.normal(size=(96, 1, 1, 1)) * 0.12
    return np.clip(np.asarray(smooth) + fine + light + (0.49, 0.46, 0.41), 0, 1).astype(np.float32)


class Normed(nn.Module):
    """Two convolutions with batch norms behind them, and classes of which nothing is known."""

    @nn.compact
    def __call__(self, x):
        for _ in range(2):
            x = nn.relu(nn.BatchNorm(use_running_average=True)(nn.Conv(12, (3, 3))(x)))
        return nn.Dense(5)(jnp.mean(x, axis=(1, 2)))


def trained(spec, images):
    """A network whose batch norms have stored the statistics of images that it took by `spec`."""
    variables = Normed().init(jax.random.key(0), jnp.zeros((1, SIDE, SIDE, 3)))
    for number in range(2):
        _, state = Normed().apply(variables, spec.encode(jnp.asarray(images)), capture_intermediates=True)
        (x,) = state["intermediates"][f"Conv_{number}"]["__call__"]
        stored = {"mean": jnp.mean(x, (0, 1, 2)), "var": jnp.var(x, (0, 1, 2))}
        statistics = {**variables["batch_stats"], f"BatchNorm_{number}": stored}
        variables = {**variables, "batch_stats": statistics}
    return variables


@pytest.mark.parametrize("label", COLORED)
def test_batch_norms_tell_the_range_that_a_network_was_trained_with(label, scenes):
    right = replace(COLORED[label], size=(SIDE, SIDE))
    weights = trained(right, scenes[:48])
    trials = run_trials(from_linen(Normed(), weights, input=right), scenes[48:], candidates(right))
    assert trials[0].drift < 0.05
    assert not judge(trials).wrong
    for number, trial in enumerate(trials[1:], start=1):
        verdict = judge([trial, *trials[:number], *trials[number + 1 :]])
        # Untrained filters see no difference between red and blue.
        assert trials[0] in verdict.plausible and len(verdict.plausible) <= 2
        assert verdict.wrong == (trial not in verdict.plausible)
        assert verdict.wrong or same(trial.candidate.spec, swap(right))


def test_the_line_to_write_makes_the_network_right(scenes):
    weights = trained(CAFFE, scenes[:48])
    wrong = from_linen(Normed(), weights, input=InputSpec(size=(SIDE, SIDE)), name="net")
    found = check_input(wrong, [np.uint8(255 * image) for image in scenes[48:]])
    assert found.verdict.wrong and found.faults == (found.verdict.reason,)
    mended = eval(found.suggestion, {"InputSpec": InputSpec})
    again = check_input(from_linen(Normed(), weights, input=mended), [np.uint8(255 * image) for image in scenes[48:]])
    assert not again.faults and not again.verdict.wrong


def test_photos_unlike_all_that_was_trained_on_tell_nothing(scenes):
    model = from_linen(Normed(), trained(CAFFE, scenes[:48]), input=CAFFE)
    shifted = {**model.weights, "batch_stats": jax.tree.map(lambda x: 0.01 * x, model.weights["batch_stats"])}
    found = check_input(replace(model, weights=shifted), list(scenes[48:]))
    assert not found.verdict.plausible and not found.verdict.wrong
    assert "no likely one fits the batch norms' statistics" in found.verdict.reason


FORMS = {
    "centered": lambda x, w: (x - w["mean"]) / jnp.sqrt(w["var"] + 1e-3) * w["scale"] + w["bias"],
    "scale first": lambda x, w: (x - w["mean"]) * w["scale"] * lax.rsqrt(w["var"] + 1e-3) + w["bias"],
    "folded": lambda x, w: x * (f := w["scale"] * lax.rsqrt(w["var"] + 1e-3)) + (w["bias"] - w["mean"] * f),
    "folded, negated": lambda x, w: x * (f := lax.rsqrt(w["var"] + 1e-3)) + (-w["mean"] * f + w["bias"]),
    "a power": lambda x, w: (x - w["mean"]) * (w["var"] + 1e-3) ** -0.5,
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("first", [False, True], ids=["channels last", "channels first"])
def test_a_batch_norm_is_found_in_each_form(form, first):
    draw = np.random.default_rng(0)
    shape = (1, 4, 1, 1) if first else (1, 1, 1, 4)
    weights = {name: draw.uniform(0.5, 2, 4).astype(np.float32) for name in ("bias", "mean", "scale", "var")}
    x = draw.normal(size=(2, 4, 5, 3) if first else (2, 5, 3, 4)).astype(np.float32)

    def network(weights, x):
        return jax.nn.relu(FORMS[form](2 * x, {name: value.reshape(shape) for name, value in weights.items()}))

    with jax.numpy_rank_promotion("allow"):
        program, _ = trace(network, weights, x)
        (norm,) = find_batch_norms(program, program.inputs[-1])
        found = evaluate(program, [*jax.tree.leaves(weights), x], [norm.input, norm.mean, norm.variance])
    assert norm.axis == (1 if first else 3)
    np.testing.assert_array_equal(found[0], 2 * x)
    np.testing.assert_array_equal(np.ravel(found[1]), weights["mean"])
    np.testing.assert_allclose(np.ravel(found[2]), weights["var"] + 1e-3, rtol=1e-6)


def test_layer_norms_and_plain_scales_are_no_batch_norms():
    def network(weights, x):
        x = (x - weights["mean"][None]) * weights["scale"][None]
        centered = x - jnp.mean(x, 1, keepdims=True)
        return centered * lax.rsqrt(jnp.mean(jnp.square(centered), 1, keepdims=True)) * weights["scale"][None]

    weights = {"mean": np.ones(4, np.float32), "scale": np.ones(4, np.float32)}
    program, _ = trace(network, weights, np.ones((2, 4), np.float32))
    assert find_batch_norms(program, program.inputs[-1]) == []


def test_drift_is_the_divergence_of_normal_distributions():
    # KL(N(1, 4) || N(0, 1)) = (4 + 1 - 1 - log 4) / 2
    means, squares = np.full((3, 2), 1.0), np.full((3, 2), 5.0)
    assert drift(means, squares, np.zeros(2), np.ones(2)) == pytest.approx((4 - np.log(4)) / 2)
    # A dead channel says nothing.
    assert drift(means, squares, np.zeros(2), np.array([1.0, 1e-9])) == pytest.approx((4 - np.log(4)) / 2)


def test_information_of_answers_and_what_is_none():
    certain = read_answers(50 * np.eye(4))
    assert certain.information == pytest.approx(np.log(4))
    assert certain.confidence == pytest.approx(1)
    assert certain.spread == pytest.approx(1)
    alike = read_answers(np.tile([[3.0, 1.0, 0.0]], (5, 1)))
    assert (alike.information, alike.spread) == pytest.approx((0, 0), abs=1e-9)
    probabilities = np.float32([[0.8, 0.1, 0.1], [0.1, 0.1, 0.8]])
    np.testing.assert_allclose(read_answers(probabilities).each, read_answers(np.log(probabilities)).each, rtol=1e-5)
    assert read_answers(np.ones((4, 2))) is None
    assert read_answers(np.full((4, 3), np.nan)) is None
    assert read_answers(np.ones((4, 3, 3))) is None


@pytest.mark.parametrize("own", [CAFFE, InputSpec(size=(4, 4), mean=(0.2, 0.3, 0.4), std=(0.5,), channels_first=True)])
def test_images_are_translated_to_what_another_specification_gives(own):
    images = np.random.default_rng(0).uniform(size=(2, 4, 4, 3)).astype(np.float32)
    for candidate in candidates(own):
        shown = own.encode(jnp.asarray(translate(images, own, candidate.spec)))
        expected = replace(candidate.spec, channels_first=own.channels_first).encode(jnp.asarray(images))
        np.testing.assert_allclose(shown, expected, rtol=1e-4, atol=1e-4)


def test_candidates_are_different_and_begin_with_the_networks_own():
    labels = [each.label for each in candidates(CAFFE)]
    assert labels[0] == "as given, 0..255 less Caffe's mean, BGR"
    assert len(labels) == 10
    other = InputSpec(size=(8, 8), mean=(0.5,), std=(0.25,))
    found = candidates(other)
    assert [each.label for each in found[-1:]] == ["as given, with the channels' order reversed"]
    assert len(found) == 12
    assert not any(same(a.spec, b.spec) for at, a in enumerate(found) for b in found[:at])
    assert eval(write(found[5].spec), {"InputSpec": InputSpec}) == found[5].spec


def test_without_photos_it_says_what_photos_are_needed_for(tiny):
    found = check_input(tiny, None)
    assert found.verdict is None and found.trials == () and found.faults == ()
    assert "PHOTOS" in found.lines[-1]
    assert found.lines[0].startswith(f"tiny: {len(tiny.layers)} layers")


def test_other_faults_are_told():
    def network(weights, images):
        x = jnp.einsum("nhwc,cd->nhwd", images, weights)
        return jnp.mean(jax.nn.relu(x - 9.0), axis=(1, 2))

    spec = InputSpec(size=(8, 8))
    images = np.random.default_rng(0).integers(0, 256, (9, 8, 8, 3)).astype(np.uint8)
    dead = check_input(from_function(network, jnp.ones((3, 4)), input=spec), list(images))
    assert any("gradient with respect to the image is zero" in fault for fault in dead.faults)
    assert "silent on all 9 photos: 4 of 8 units (50.0%): relu 100%" in dead.lines
    broken = check_input(from_function(network, jnp.full((3, 4), jnp.inf), input=spec), None)
    assert broken.faults[0].startswith("not finite on gray: dot")


def test_smallest_and_largest_values_are_over_all_photos(tiny):
    images = np.random.default_rng(0).uniform(size=(19, 16, 16, 3)).astype(np.float32)
    low, high = extremes(tiny, images)
    found = tiny.apply(tiny.weights, images)
    for layer in tiny.layers:
        values = np.asarray(found[layer.name]).reshape(-1, layer.units)
        np.testing.assert_allclose(low[layer.name], values.min(0), rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(high[layer.name], values.max(0), rtol=1e-4, atol=1e-5)


def test_photos_are_taken_from_the_whole_folder(tiny, tmp_path):
    for number in range(130):
        Image.new("RGB", (4, 4), (number, 0, 0)).save(tmp_path / f"{number:03d}.png")
    found = read_photos(tiny, tmp_path)
    assert found.shape == (64, 16, 16, 3)
    assert (found[0, 0, 0, 0], found[-1, 0, 0, 0]) == pytest.approx((0, 129 / 255))
    assert len(read_photos(tiny, (np.zeros((9, 9, 3), np.uint8) for _ in range(100)))) == 64
    (tmp_path / "only").mkdir()
    (tmp_path / "only" / "bad.png").write_bytes(b"no image")
    with pytest.raises(FeatvizError, match="no image that can be read: bad.png"):
        read_photos(tiny, tmp_path / "only")


def drawn(count):
    folder = str(Path(__file__).resolve().parents[2] / "experiments")
    sys.path.insert(0, folder)
    try:
        from pattern_images import generate
    finally:
        sys.path.remove(folder)
    return generate(np.random.default_rng(5), np.arange(count) % 58)[0]


def test_the_built_in_network_on_what_it_was_trained_on(patterns):
    found = check_input(patterns, list(drawn(64)))
    assert not found.verdict.wrong
    assert found.trials[0] in found.verdict.plausible
    # It was trained on recolored images, with about ImageNet's mean and spread.
    assert "cannot be told from" in found.verdict.reason
    labels = [trial.candidate.label for trial in found.verdict.plausible]
    assert not any(label.startswith(("[0,1]", "0..255")) for label in labels)


@pytest.mark.parametrize("name", ["googlenet", "squeezenet", "deit"])
def test_real_networks_know_their_own_input_and_tell_each_wrong_one(name, request, photos):
    model = request.getfixturevalue(name)
    trials = run_trials(model, read_photos(model, photos[::25]), candidates(model.input))
    verdict = judge(trials)
    assert verdict.plausible == (trials[0],) and not verdict.wrong
    for number, trial in enumerate(trials[1:], start=1):
        verdict = judge([trial, *trials[:number], *trials[number + 1 :]])
        assert verdict.wrong, trial.candidate.label
        assert verdict.plausible == (trials[0],), trial.candidate.label
    assert "too few" in judge(run_trials(model, read_photos(model, photos[:3]), candidates(model.input)[:2])).reason


def test_photographs_tell_nothing_of_a_network_of_patterns(patterns, photos):
    found = check_input(patterns, photos[::12])
    assert not found.verdict.wrong and not found.verdict.plausible
    assert "expected photos of its classes" in found.verdict.reason


NETWORK = """
from dataclasses import replace
import featviz as fv
from featviz.adapters.linen import from_linen
from featviz.zoo.architectures.patterns import Patterns

def wrong():
    model = fv.load("patterns")
    return from_linen(Patterns(), model.weights, input=fv.InputSpec(size=(64, 64), scale=255.0), name="wrong")
"""


def test_the_command(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("FEATVIZ_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    run(["check", "patterns"])
    assert "with PHOTOS" in capsys.readouterr().out
    (tmp_path / "drawn").mkdir()
    for number, image in enumerate(drawn(58)):
        Image.fromarray(image).save(tmp_path / "drawn" / f"{number:02d}.png")
    run(["check", "patterns", "drawn"])
    assert "cannot be told from" in capsys.readouterr().out
    (tmp_path / "own.py").write_text(NETWORK)
    monkeypatch.setattr(sys, "modules", dict(sys.modules))
    with pytest.raises(SystemExit) as stop:
        run(["check", "own:wrong", "drawn"])
    text = capsys.readouterr().err
    assert stop.value.code == 1 and text.count("\n") == 1
    assert "probably wrong" in text and "write input=InputSpec(size=(64, 64)" in text
    with pytest.raises(SystemExit) as stop:
        run(["check", "patterns", "nowhere"])
    assert stop.value.code == 2 and "does not exist" in capsys.readouterr().err
    assert fv.check_input is check_input
