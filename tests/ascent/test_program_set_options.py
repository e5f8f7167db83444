"""Fresh lanes are the same bits at the level of optimization that compiles them soonest."""

from dataclasses import replace

import jax
import numpy as np
import pytest
from support.pieces import parameters

import featviz as fv
from featviz import ascent
from featviz.common.compilation import compiled, once_options
from featviz.parameterizations import MACO, Fourier, LaplacianPyramid, Pixels, RawPixels
from featviz.rendering.request import make_request


@pytest.mark.parametrize("parameterization", parameters([Fourier, LaplacianPyramid, MACO, Pixels, RawPixels]))
def test_fresh_lanes_have_the_bits_of_full_optimization(parameterization):
    request = make_request(fv.load("patterns"), fv.channel("conv1", 0), size=33, steps=1)
    routine = replace(request.stages[0].routine, parameterization=parameterization)
    keys = jax.random.split(jax.random.key(1), 1)
    arguments = {"routine": routine, "owner": routine.apply}
    plain, soon = (
        compiled(ascent.start, keys, None, options=options, **arguments)(keys, None)
        for options in ({"xla_backend_optimization_level": "3"}, once_options("cpu"))
    )
    for one, other in zip(jax.tree.leaves(plain._replace(key=0)), jax.tree.leaves(soon._replace(key=0)), strict=True):
        np.testing.assert_array_equal(one, other)
