"""Lanes by memory, compiled once, with the backend's options; the network's dtype."""

from dataclasses import replace
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from support.tiny import SMALL, build

import featviz.ascent.batching
from featviz.ascent import LANES, Routine
from featviz.ascent.batching import (
    CPU_LANES,
    MAX_LANES,
    MIN_LANES,
    choose_lanes,
    device_mesh,
    free_memory,
    lane_bytes,
    spread,
    step_program,
)
from featviz.common.compilation import OPTIONS, compiled, compiler_options, program_memory
from featviz.errors import FeatvizError
from featviz.objectives import channel
from featviz.parameterizations import Fourier
from featviz.recipes import default
from featviz.rendering.render import render

MODEL = build()


def routine(size):
    return Routine(MODEL.apply, Fourier(), default.optimizer, default.transforms, (1, size, size, 3))


def choose(monkeypatch, *, backend, free, number=100, size=64, requested=None):
    monkeypatch.setattr(featviz.ascent.batching, "free_memory", lambda device: free)
    monkeypatch.setattr(jax, "default_backend", lambda: backend)
    objectives = [channel("conv1", unit % 80) for unit in range(number)]
    return choose_lanes(routine(size), MODEL, MODEL.weights, objectives, None, mesh=device_mesh(), requested=requested)


@pytest.mark.parametrize("number", [1, 2, 7, 8, 9, 64, 100, 255, 256, 257, 5488])
@pytest.mark.parametrize(("max_lanes", "devices"), [(2, 1), (50, 1), (64, 8), (256, 1), (256, 3)])
def test_lanes_are_spread_evenly_over_the_fewest_rounds(number, max_lanes, devices):
    lanes = spread(number, max_lanes=max_lanes, devices=devices)
    assert MIN_LANES <= lanes <= max_lanes
    rounds = -(-number // (lanes * devices))
    assert rounds == -(-number // (max_lanes * devices))
    # At most as many lanes are idle as rounding up to a multiple of 8, or to the minimum, adds.
    assert lanes * devices * rounds - number <= max(8, MIN_LANES) * devices * rounds


def test_a_cpu_has_one_lane_and_an_accelerator_what_fits(monkeypatch):
    assert choose(monkeypatch, backend="cpu", free=1 << 36) == CPU_LANES
    assert choose(monkeypatch, backend="cpu", free=1 << 36, requested=5) == 5
    assert choose(monkeypatch, backend="gpu", free=1 << 36) == 104
    assert choose(monkeypatch, backend="gpu", free=1 << 36, number=1000) == MAX_LANES
    few = choose(monkeypatch, backend="gpu", free=1 << 25)
    assert MIN_LANES <= few < 104


def test_a_program_that_takes_more_than_is_free_gets_fewer_lanes(monkeypatch):
    monkeypatch.setattr(featviz.ascent.batching, "lane_bytes", lambda *args, **options: 1)
    few = choose(monkeypatch, backend="gpu", free=1 << 24)
    taken = program_memory(step_program(routine(64), MODEL.weights, channel("conv1", 0), None, few, mesh=device_mesh()))
    assert MIN_LANES <= few < 104
    assert taken <= 0.8 * (1 << 24)


@pytest.mark.parametrize("backend", ["cpu", "gpu"])
def test_a_picture_that_does_not_fit_into_memory_is_refused(monkeypatch, backend):
    with pytest.raises(FeatvizError, match=r"`size` 512x512 needs about .* GiB.* px a side would fit"):
        choose(monkeypatch, backend=backend, free=1 << 22, size=512)


def test_the_estimate_is_near_what_the_program_takes():
    objective = channel("conv2", 0)
    few, many = (
        program_memory(step_program(routine(96), MODEL.weights, objective, None, lanes, mesh=device_mesh()))
        for lanes in (2, 10)
    )
    estimate = lane_bytes(MODEL, objective.layers, (1, 96, 96, 3), 1)
    assert 0.2 * estimate < (many - few) / 8 < 1.1 * estimate


def test_the_memory_estimate_counts_views_and_not_the_picture():
    # maco_2023's pictures are larger than their views: 512 px on GoogLeNet must not be refused for the 32 crops of 224.
    layers, views = ("conv2",), (1, 64, 64, 3)
    whole, with_views = (lane_bytes(MODEL, layers, (1, 512, 512, 3), 32, view=each) for each in (None, views))
    small = lane_bytes(MODEL, layers, views, 32)
    assert small < with_views < 2 * small < 0.1 * whole


def test_free_memory_is_plausible():
    assert 1 << 20 < free_memory(jax.devices()[0]) < 1 << 50


def test_compiler_options_unknown_to_xla_are_dropped(monkeypatch):
    assert compiler_options("a backend without any") == {}
    monkeypatch.setitem(OPTIONS, "another", {"xla_no_such_option": "1", **OPTIONS["cpu"]})
    assert compiler_options("another") == compiler_options("cpu")


def test_a_program_is_compiled_once_for_its_shapes():
    traced = []

    @jax.jit
    def double(tree):
        traced.append(1)
        return jax.tree.map(lambda x: x * 2, tree)

    first = compiled(double, {"a": np.ones(3, np.float32)})
    assert compiled(double, {"a": np.zeros(3, np.float32)}) is first
    assert compiled(double, {"a": np.zeros(4, np.float32)}) is not first
    assert len(traced) == 2
    assert first({"a": np.ones(3, np.float32)})["a"].tolist() == [2.0] * 3


def test_the_order_of_static_arguments_is_no_other_program():
    @partial(jax.jit, static_argnames=("power", "scale"))
    def scaled(x, *, power, scale):
        return scale * x**power

    x = np.ones(3, np.float32)
    assert compiled(scaled, x, power=2, scale=3) is compiled(scaled, x, scale=3, power=2)


def test_lanes_lie_on_all_devices():
    assert device_mesh().axis_names == (LANES,)
    assert device_mesh().devices.size == jax.local_device_count()


def test_bfloat16_runs_the_network_and_keeps_the_rest():
    seen = []

    def apply(weights, images, *, layers=None):
        seen.append((images.dtype, {leaf.dtype for leaf in jax.tree.leaves(weights)}))
        return MODEL.apply(weights, images, layers=layers)

    model = replace(MODEL, apply=apply)
    objective = channel("conv2", 3)
    exact, half = (render(model, objective, **SMALL | {"steps": 24}, dtype=dtype) for dtype in (None, jnp.bfloat16))
    assert (jnp.bfloat16, {jnp.dtype(jnp.bfloat16)}) in seen
    assert seen[-1] == (jnp.float32, {jnp.dtype(jnp.float32)})  # the score
    assert half.provenance["dtype"] == "bfloat16"
    assert "--dtype" in (render(MODEL, objective, **SMALL, dtype="bfloat16").provenance["command"] or "--dtype")
    assert half.pixels.dtype == np.float32
    assert not np.array_equal(half.pixels, exact.pixels)
    assert half.score == pytest.approx(exact.score, rel=0.1)


@pytest.mark.parametrize("dtype", ["float16", "int8", "nonsense", 3])
def test_other_dtypes_are_refused(dtype):
    with pytest.raises(FeatvizError, match=r"`dtype` is .*; expected float32 or bfloat16"):
        render(MODEL, channel("conv1", 0), **SMALL, dtype=dtype)
