"""Which objectives a dream can compute tile by tile: each says it itself."""

import numpy as np
import pytest

import featviz as fv
from featviz.dreaming.tile_margin import plan_tiling
from featviz.errors import FeatvizError


def test_a_direction_with_an_index_is_dreamed_in_the_same_tiles_as_one_without(patterns):
    vector = np.ones(patterns.layer("conv1").units, np.float32)
    plain, indexed = (
        plan_tiling(patterns, patterns.weights, objective, side=512)
        for objective in (fv.direction("conv1", vector), fv.direction("conv1", vector, index=7))
    )
    assert indexed == plain


@pytest.mark.parametrize(
    "objective",
    [
        fv.neuron("conv1", 3),
        fv.direction("conv1", np.ones(16), position=(1, 2)),
        fv.direction("conv1", np.ones(16), class_tokens=1, index=7),
        fv.cosine("conv1", np.ones(16), position=(1, 2)),
        fv.style("conv1", np.ones((4, 16))),
        fv.diverse(fv.channel("conv1", 3)),
        fv.logit(3),
    ],
)
def test_what_is_not_a_mean_over_positions_is_refused(patterns, objective):
    with pytest.raises(FeatvizError, match="cannot be dreamed in tiles"):
        plan_tiling(patterns, patterns.weights, fv.deepdream("conv1") + objective, side=512)
