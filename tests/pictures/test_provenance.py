"""Provenance: what a picture says of where it comes from, and the command that makes it again."""

from dataclasses import replace

import jax
import jaxlib
import numpy as np
import optax
import pytest
import scipy
from support.tiny import SMALL

from featviz.ascent import Convergence
from featviz.common.canonical import describe
from featviz.model import hash_weights
from featviz.objectives import channel, deepdream, direction, neuron
from featviz.optimizers import Custom
from featviz.recipes import RECIPES, default
from featviz.rendering import request as requests
from featviz.rendering.render import render_each
from featviz.version import __version__


def test_provenance_says_where_a_picture_comes_from(tiny):
    [found] = records(tiny, channel("conv1", 3), seed=5)
    assert found["featviz"] == __version__
    packages = {"jax": jax, "jaxlib": jaxlib, "numpy": np, "optax": optax, "scipy": scipy}
    assert found["versions"] == {name: package.__version__ for name, package in packages.items()}
    assert found["network"]["name"] == "tiny"
    assert found["network"]["weights_sha256"] == hash_weights(tiny.weights)
    assert found["network"]["input"] == describe(tiny.input)
    assert found["recipe"] == describe(default)
    assert (found["size"], found["steps"], found["seed"], found["dtype"]) == ([16, 16], 4, 5, "float32")
    assert (found["name"], found["objective"]) == ("conv1:3", describe(channel("conv1", 3)))
    assert found["objective_sha256"] == channel("conv1", 3).hash
    assert found["device"] == {"platform": "cpu", "kind": "cpu"}
    assert found["dtype"] == "float32"


ZOO = {"model": "tiny", "weights": "/home/me/some where/w 1.safetensors"}


@pytest.mark.parametrize(
    ("objective", "options", "command"),
    [
        (channel("conv1", 3), {}, "conv1:3 {w} --recipe default --size 16 --steps 4 --seed 0 -o conv1-3.png"),
        (
            neuron("conv1", 3, position=(1, 2)),
            {"size": (16, 20), "recipe": RECIPES["lucid"], "seed": 7},
            "conv1:3@1x2 {w} --recipe lucid --size 16x20 --steps 4 --seed 7 -o conv1-3@1x2.png",
        ),
        (
            channel("conv1", 3),
            {"convergence": Convergence(), "recipe": replace(default)},
            "conv1:3 {w} --recipe default --converge --size 16 --steps 4 --seed 0 -o conv1-3.png",
        ),
        (deepdream("conv2"), {}, "conv2:whole {w} --recipe default --size 16 --steps 4 --seed 0 -o conv2-whole.png"),
        (2 * channel("conv1", 3), {}, None),
        (direction("conv2", np.ones(8)), {}, None),
        (channel("conv1", 3), {"recipe": replace(default, optimizer=Custom("sgd", lambda: optax.sgd(1.0)))}, None),
        (channel("conv1", 3), {"recipe": replace(default, samples=2)}, None),
        (channel("conv1", 3), {"weights": "others"}, None),
        (channel("conv1", 3), {"lanes": 4}, None),
        (channel("conv1", 3), {"convergence": Convergence(window=7)}, None),
    ],
)
def test_the_command_makes_the_picture_again_or_is_none(tiny, other_weights, objective, options, command):
    if "weights" in options:
        options = {"weights": other_weights}
    model = replace(tiny, source=ZOO)
    [record] = records(model, objective, **options)
    if command is not None:
        command = "featviz render tiny " + command.format(w="--weights 'w 1.safetensors'")
    assert record["command"] == command


def records(model, objective, **options):
    """The provenance of a call's pictures, made before any work: nothing is compiled."""
    made = []
    original = requests.describe_picture
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(requests, "describe_picture", lambda *args, **more: made.append(original(*args, **more)))
        render_each(model, [objective], **{**SMALL, **options})
    return made


def test_a_convergence_stands_in_the_provenance(tiny):
    rule = Convergence(window=7)
    [record] = records(tiny, channel("conv1", 0), convergence=rule)
    assert record["recipe"] == describe(replace(default, convergence=rule))
