"""A training is watched by one compiled program, from the same noise or from the pictures before."""

from dataclasses import replace

import jax
import numpy as np
import pytest
from flax import nnx
from support.tiny import SMALL

import featviz as fv
from featviz.common import compilation
from featviz.errors import FeatvizError
from featviz.training.training_weights import read_checkpoint, weights_in

TARGETS = [fv.channel("conv1", 3), fv.channel("conv1", 7), fv.logit(2)]
OPTIONS = {name: value for name, value in SMALL.items() if name != "progress"}


def halved(weights):
    return jax.tree.map(lambda leaf: leaf / 2, weights)


class Writer:
    def __init__(self):
        self.images = []

    def add_image(self, tag, image, global_step, *, dataformats):
        self.images.append((tag, image.shape, global_step, dataformats))


def test_a_training_is_watched_by_what_its_first_update_compiled(tiny, other_weights, monkeypatch):
    traced, programs = [], []
    load = compilation.load_or_compile_entry
    monkeypatch.setattr(compilation, "load_or_compile_entry", lambda *args: programs.append(args) or load(*args))

    def apply(weights, images, *, layers=None):
        traced.append(isinstance(images, jax.core.Tracer) and layers)
        return tiny.apply(weights, images, layers=layers)

    model = replace(tiny, apply=apply)
    watch = fv.Watch(model, TARGETS, every=10, warm=True, **OPTIONS)
    compiled = []
    for step, weights in ((0, tiny.weights), (10, other_weights), (20, halved(tiny.weights)), (30, other_weights)):
        before = len(traced), len(programs)
        assert len(watch(step, weights)) == 3
        compiled.append((len(traced) - before[0], len(programs) - before[1]))
    # Two structures, a channel and a logit: for each its shapes, the two programs of what weights give, steps and
    # score; and one start.
    assert compiled[0] == (6, 9)
    # Later updates trace nothing, not even for the shapes, and compile nothing but the start from pictures.
    assert compiled[1:] == [(0, 1), (0, 0), (0, 0)]


def test_an_update_is_what_render_gives_with_those_weights(tiny, other_weights):
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


def test_a_warm_picture_continues_from_the_one_before(tiny):
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
