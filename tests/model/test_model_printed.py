"""Public objects print as one short line, whatever weights they hold."""

import jax
import numpy as np

import featviz as fv
from featviz.objectives import stack


def test_a_model_prints_its_name_layers_and_input(tiny, patterns):
    assert repr(tiny) == "<Model tiny, 5 layers, 16 x 16 x 3>"
    assert str(patterns) == f"<Model patterns, {len(patterns.layers)} layers, 64 x 64 x 3>"
    assert repr(fv.Features(tiny, "conv2")) == "Features(model=<Model tiny, 5 layers, 16 x 16 x 3>, layer='conv2')"


def test_an_objective_prints_its_label():
    assert repr(-fv.channel("conv1", 3)) == "<Objective -conv1:3>"
    assert repr(fv.inversion("conv1", np.ones((64, 64, 16)))) == "<Objective conv1:inversion>"


def test_a_stacked_or_abstract_objective_prints_its_layers():
    objective = fv.channel("conv1", 3) + fv.channel("conv2", 4)
    assert repr(stack([objective, 2.0 * objective])) == "<Objective of conv1, conv2>"
    assert repr(jax.eval_shape(lambda: objective)) == "<Objective of conv1, conv2>"
    seen = []
    jax.jit(lambda given: seen.append(repr(given)))(objective)
    assert seen == ["<Objective of conv1, conv2>"]


def test_a_watch_prints_its_targets_and_interval(tiny):
    watch = fv.Watch(tiny, [fv.logit(0), fv.logit(1)], every=50, warm=True)
    assert repr(watch) == "<Watch of tiny, 2 targets every 50 steps, warm>"
