"""Layers and objectives that cannot be dreamed in tiles are refused, and so are tiles too small for their margins."""

from dataclasses import replace

import jax.numpy as jnp
import numpy as np
import pytest

import featviz as fv
from featviz.dreaming.tile_margin import plan_tiling, receptive_field_radius
from featviz.errors import FeatvizError

QUIET = {"progress": False}


@pytest.mark.parametrize(
    ("objective", "said"),
    [
        (lambda: fv.logit(3), "depends on the image as a whole"),
        (lambda: fv.neuron("conv2", 3), "depends on the image as a whole"),
        (lambda: fv.cosine("conv2", np.ones(48), position=(0, 0)), "depends on the image as a whole"),
    ],
)
def test_an_objective_of_the_whole_image_is_refused(objective, said, patterns, photo):
    with pytest.raises(FeatvizError, match=said):
        plan_tiling(patterns, patterns.weights, objective(), side=512)


def test_a_layer_that_pools_is_refused(patterns):
    flat = next(layer.name for layer in patterns.layers if len(layer.shape) == 1)
    with pytest.raises(FeatvizError, match="pools over the whole image"):
        plan_tiling(patterns, patterns.weights, fv.deepdream(flat), side=512)


def test_attention_to_the_whole_image_is_refused(patterns):
    def apply(weights, images, *, layers=None):
        found = patterns.apply(weights, images, layers=layers)
        gate = jnp.mean(images, axis=(1, 2, 3), keepdims=True)
        return {name: value * gate if value.ndim == 4 else value for name, value in found.items()}

    with pytest.raises(FeatvizError, match="sees the whole of an image"):
        receptive_field_radius(replace(patterns, apply=apply), patterns.weights, "conv2")


def test_tiles_too_small_for_a_layer_are_refused(patterns, photo):
    with pytest.raises(
        FeatvizError, match=r"^`tile` is 64; .* needs a margin of \d+ pixels, expected at least \d+$"
    ) as caught:
        fv.dream(patterns, photo, fv.deepdream("mixed4a"), octaves=1, tile=64, **QUIET)
    # What is asked for is enough, and less is not.
    min_side = int(str(caught.value).split()[-1])
    assert plan_tiling(patterns, patterns.weights, fv.deepdream("mixed4a"), side=min_side).side == min_side
    with pytest.raises(FeatvizError, match=f"expected at least {min_side}"):
        plan_tiling(patterns, patterns.weights, fv.deepdream("mixed4a"), side=min_side - 1)
