"""Pictures while a network is trained, of its checkpoints, and as they form."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import orbax.checkpoint as ocp
import pytest
from flax import nnx
from flax.training.train_state import TrainState
from optax import adam
from PIL.ImageFont import load_default
from safetensors.numpy import save_file
from support.tiny import SMALL

import featviz as fv
from featviz.common import compilation
from featviz.errors import FeatvizError
from featviz.pictures.captions import make_captions
from featviz.recipes import Recipe, Stage
from featviz.training.comparison import with_bar
from featviz.training.training_weights import checkpoints_in, read_checkpoint, weights_in

TARGETS = [fv.channel("conv1", 3), fv.channel("conv1", 7), fv.logit(2)]
BRIGHT = fv.channel("conv1/relu", [1, 8])
OPTIONS = {name: value for name, value in SMALL.items() if name != "progress"}


def halved(weights):
    return jax.tree.map(lambda leaf: leaf / 2, weights)


class Writer:
    def __init__(self):
        self.images = []

    def add_image(self, tag, image, global_step, *, dataformats):
        self.images.append((tag, image.shape, global_step, dataformats))


def test_a_training_is_watched_by_what_its_first_look_compiled(tiny, other_weights):
    traced = []

    def apply(weights, images, *, layers=None):
        traced.append(isinstance(images, jax.core.Tracer) and layers)
        return tiny.apply(weights, images, layers=layers)

    model = replace(tiny, apply=apply)
    watch = fv.Watch(model, TARGETS, every=10, warm=True, **OPTIONS)
    compiled = []
    for step, weights in ((0, tiny.weights), (10, other_weights), (20, halved(tiny.weights)), (30, other_weights)):
        before = len(traced), compilation._compile.cache_info().misses
        assert len(watch(step, weights)) == 3
        compiled.append((len(traced) - before[0], compilation._compile.cache_info().misses - before[1]))
    # Two structures, a channel and a logit: for each its shapes, its steps and its final score.
    assert compiled[0] == (6, 4)
    # Afterwards a look traces nothing, not even for the shapes, and compiles nothing.
    assert compiled[1:] == [(0, 0)] * 3


def test_each_look_is_what_render_draws_with_those_weights(tiny, other_weights):
    watch = fv.Watch(tiny, TARGETS, every=5, seed=4, **OPTIONS)
    assert watch(3, tiny.weights) == []
    for step, weights in ((0, tiny.weights), (5, lambda: other_weights)):
        given = weights() if callable(weights) else weights
        for seen, drawn in zip(
            watch(step, weights), fv.render(tiny, TARGETS, weights=given, seed=4, **SMALL), strict=True
        ):
            np.testing.assert_array_equal(seen.pixels, drawn.pixels)
            assert seen.score == drawn.score
    report = watch.report()
    assert report.updates == 2 and 0 < report.first < report.seconds <= report.total
    assert report.share == report.seconds / report.total and "2 updates took" in str(report)


def test_a_warm_picture_goes_on_from_the_one_before(tiny):
    watch = fv.Watch(tiny, TARGETS[:2], every=1, warm=True, warm_steps=2, **OPTIONS)
    first, second = watch(0, tiny.weights), watch(1, tiny.weights)
    start = [np.clip(picture.pixels, 0, 1) for picture in first]
    expected = fv.render(tiny, TARGETS[:2], start=start, **{**SMALL, "steps": 2})
    for seen, drawn, before in zip(second, expected, first, strict=True):
        np.testing.assert_array_equal(seen.pixels, drawn.pixels)
        assert seen.score > before.score and len(seen.history) == 2


def test_pictures_go_to_files_to_tensorboard_and_to_a_callback(tiny, tmp_path):
    writer, told = Writer(), []
    watch = fv.Watch(
        tiny,
        TARGETS[1],
        every=7,
        out=tmp_path / "watched",
        writer=writer,
        callback=lambda *a: told.append(a),
        **OPTIONS,
    )
    for step in range(8):
        watch(step, tiny.weights)
    files = sorted(path.name for path in (tmp_path / "watched" / "conv1-7").glob("*.png"))
    assert files == ["00000000.png", "00000007.png"]
    assert fv.load_picture(tmp_path / "watched" / "conv1-7" / "00000007.png").name == "conv1:7"
    assert writer.images == [("conv1/7", (16, 16, 3), step, "HWC") for step in (0, 7)]
    assert [(step, len(pictures)) for step, pictures in told] == [(0, 1), (7, 1)]


def test_a_train_state_and_bare_params_hold_the_weights(tiny, other_weights):
    params = other_weights["params"]
    state = TrainState.create(apply_fn=None, params=params, tx=adam(0.1))
    for given in (other_weights, params, state, {"model": {"params": params}, "step": 1}, {"ema": params}):
        found = weights_in(tiny, given, name="weights")
        assert jax.tree.all(jax.tree.map(np.array_equal, found, other_weights))


def test_an_nnx_module_is_watched_in_place():
    module = nnx.Sequential(nnx.Conv(3, 4, (3, 3), rngs=nnx.Rngs(0)), nnx.relu)
    model = fv.from_nnx(module, input=fv.InputSpec(size=(16, 16)))
    watch = fv.Watch(model, fv.channel("layers/0/relu", 1), every=1, **OPTIONS)
    (before,) = watch(0, module)
    module.layers[0].kernel[...] = 2 * module.layers[0].kernel[...]
    (after,) = watch(1, module)
    assert after.score > 1.5 * before.score > 0
    (state,) = watch(2, nnx.state(module))
    np.testing.assert_array_equal(state.pixels, after.pixels)


def test_what_does_not_fit_is_refused_in_one_line(tiny, other_weights):
    refused = [
        (lambda: fv.Watch(tiny, [], every=1), "`targets` is empty"),
        (lambda: fv.Watch(tiny, TARGETS, every=0), "`every` is 0"),
        (lambda: weights_in(tiny, {"conv1": {}}, name="w"), "`w` lacks `params/conv1/bias` of tiny"),
        (lambda: weights_in(tiny, jax.tree.map(lambda leaf: leaf[..., :3], other_weights), name="w"), "conv1"),
        (lambda: fv.compare(tiny, [], TARGETS), "`checkpoints` is empty"),
        (lambda: fv.compare(tiny, [other_weights], TARGETS, labels="ab"), "`labels` has 2 names; expected 1"),
        (lambda: fv.compare(tiny, "nowhere", TARGETS), "no folder `nowhere`"),
        (lambda: read_checkpoint("nothing.safetensors"), "`nothing.safetensors` is no checkpoint"),
        (lambda: fv.render(tiny, TARGETS, start=[np.zeros((16, 16, 3))] * 2), "`start` has 2 images.*expected 3"),
    ]
    for call, message in refused:
        with pytest.raises(FeatvizError, match=message) as error:
            call()
        assert "\n" not in str(error.value)
    with pytest.raises(TypeError, match="unexpected keyword argument 'start'"):
        fv.Watch(tiny, TARGETS, every=1, start=1)


@pytest.fixture(scope="module")
def folder(tmp_path_factory, other_weights):
    """What a training with Orbax leaves: train states at steps 2 and 10."""
    path = tmp_path_factory.mktemp("checkpoints") / "run"
    state = TrainState.create(apply_fn=None, params=other_weights["params"], tx=adam(0.1))
    with ocp.CheckpointManager(path) as manager:
        for step, given in ((2, state.replace(params=halved(state.params))), (10, state)):
            manager.save(step, args=ocp.args.StandardSave(given))
        manager.wait_until_finished()
    return path


def test_checkpoints_of_orbax_are_compared_on_one_scale(tiny, other_weights, folder):
    assert [path.name for path in checkpoints_in(folder)] == ["2", "10"]
    found = fv.compare(tiny, folder, BRIGHT, **SMALL)
    assert found.labels == ("2", "10")
    again = fv.compare(tiny, {"half": halved(other_weights), "whole": other_weights}, BRIGHT, **SMALL)
    for row, other in zip(found.pictures, again.pictures, strict=True):
        for one, two in zip(row, other, strict=True):
            np.testing.assert_array_equal(one.pixels, two.pixels)
    expected = fv.render(tiny, BRIGHT[1], weights=other_weights, **SMALL)
    np.testing.assert_array_equal(found.pictures[1][1].pixels, expected.pixels)
    assert found.scales() == [max(picture.score for picture in row) for row in found.pictures]


def test_the_files_of_nnx_and_of_safetensors(tmp_path, tiny, other_weights):
    module = nnx.Sequential(nnx.Conv(3, 4, (3, 3), rngs=nnx.Rngs(0)), nnx.relu)
    model = fv.from_nnx(module, input=fv.InputSpec(size=(16, 16)))
    with ocp.StandardCheckpointer() as writer:
        writer.save(tmp_path / "nnx", nnx.state(module))
    found = weights_in(model, read_checkpoint(tmp_path / "nnx"), name="nnx")
    assert jax.tree.all(jax.tree.map(np.array_equal, found, model.weights))
    flat = {
        jax.tree_util.keystr(path, simple=True, separator="/"): np.asarray(leaf)
        for path, leaf in jax.tree_util.tree_leaves_with_path(other_weights)
    }
    save_file(flat, tmp_path / "w.safetensors")
    found = weights_in(tiny, read_checkpoint(tmp_path / "w.safetensors"), name="w")
    assert jax.tree.all(jax.tree.map(np.array_equal, found, other_weights))


def test_sheets_and_films_have_a_bar_for_each_score(tiny, other_weights, tmp_path):
    found = fv.compare(tiny, [halved(other_weights), other_weights], BRIGHT, labels=["early", "late"], **SMALL)
    low, high = found.pictures[0]
    assert 0 < low.score < high.score
    frames = list(found.frames())
    assert len(frames) == 2 and frames[0].shape == frames[1].shape == (2 + 18 + 2, 2 + 16 + 2 + 16 + 2, 3)
    # The first target's bar: its last row of pixels, the colored ones less red than gray.
    longs = [int(np.sum(frame[19, 2:18, 2] < 0.5)) for frame in frames]
    assert longs == [round(16 * low.score / high.score), 16]
    assert found.sheet().width > 2 * 96
    # Each is named by its unit, which the pictures have kept, and by its checkpoint.
    rows = zip(found.pictures, found.scales(), strict=True)
    shown = [with_bar(picture, scale=scale) for row, scale in rows for picture in row]
    assert make_captions(shown, 96, load_default(size=10)).title == "tiny conv1/relu"
    named = fv.contact_sheet(shown, columns=2, notes=["early", "late"] * 2)
    assert np.array_equal(np.asarray(found.sheet()), np.asarray(named))
    assert not np.array_equal(np.asarray(named), np.asarray(fv.contact_sheet(shown, columns=2)))
    found.save_sheet(tmp_path / "sheet.png")
    found.save_film(tmp_path / "film.gif")
    assert (tmp_path / "sheet.png").stat().st_size > 1000 and (tmp_path / "film.gif").stat().st_size > 500


def test_a_stream_ends_in_the_picture_that_render_gives(tiny):
    options = {**SMALL, "steps": 19, "seed": 3}
    forming = list(fv.stream(tiny, TARGETS[0], every=8, **options))
    assert [len(picture.history) for picture in forming] == [8, 16, 19]
    whole = fv.render(tiny, TARGETS[0], **options)
    np.testing.assert_array_equal(forming[-1].pixels, whole.pixels)
    np.testing.assert_array_equal(forming[-1].history, whole.history)
    assert forming[-1].score == whole.score
    # What is shown on the way is what has been reached by then.
    np.testing.assert_array_equal(forming[0].history, whole.history[:8])
    clean = tiny.apply(tiny.weights, jnp.asarray(forming[0].pixels)[None])["conv1"][..., 3].mean()
    assert forming[0].score == pytest.approx(float(clean), rel=1e-4)
    assert np.abs(forming[0].pixels - whole.pixels).max() > 0.01


def test_a_stream_goes_through_the_stages_of_a_recipe(tiny):
    recipe = Recipe(stages=(Stage(0.5, 4), Stage(1.0, 4)), steps=8, size=32)
    forming = list(fv.stream(tiny, TARGETS[0], every=3, recipe=recipe))
    assert [(picture.pixels.shape[0], len(picture.history)) for picture in forming] == [(16, 3), (32, 7), (32, 8)]
    np.testing.assert_array_equal(forming[-1].pixels, fv.render(tiny, TARGETS[0], recipe=recipe, progress=False).pixels)
