"""Fresh lanes and prepared weights with the options that compile them soonest."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from support.pieces import parameters

import featviz as fv
from featviz import ascent
from featviz.ascent.program_set import trace_prepare
from featviz.common import compilation
from featviz.common.compilation import compiled, compiler_options, few_runs_options, once_options
from featviz.parameterizations import MACO, Fourier, LaplacianPyramid, Pixels, RawPixels
from featviz.rendering.request import make_request


@pytest.mark.parametrize("parameterization", parameters([Fourier, LaplacianPyramid, MACO, Pixels, RawPixels]))
def test_fresh_lanes_are_those_of_full_optimization(parameterization):
    request = make_request(fv.load("patterns"), fv.channel("conv1", 0), size=33, steps=1)
    routine = replace(request.stages[0].routine, parameterization=parameterization)
    keys = jax.random.split(jax.random.key(1), 1)
    arguments = {"routine": routine, "owner": routine.apply}
    plain, soon = (
        compiled(ascent.start, keys, None, options=options, **arguments)(keys, None)
        for options in ({"xla_backend_optimization_level": "3"}, once_options("cpu"))
    )
    for one, other in zip(jax.tree.leaves(plain._replace(key=0)), jax.tree.leaves(soon._replace(key=0)), strict=True):
        # With AVX-512 some of RawPixels' are rounded otherwise.
        tolerance = 3e-7 if isinstance(parameterization, RawPixels) else 0
        np.testing.assert_allclose(one, other, rtol=tolerance, atol=0)


def normalized(standardized):
    """A network of a convolution, a depthwise one and a batch norm, whose kernels may be standardized."""

    def convolve(x, kernel, groups=1):
        if standardized:
            kernel = (kernel - kernel.mean()) * jax.lax.rsqrt(kernel.var() + 1e-5)
        layout = ("NCHW", "OIHW", "NCHW")
        return jax.lax.conv_general_dilated(
            x, kernel, (1, 1), "SAME", dimension_numbers=layout, feature_group_count=groups
        )

    def network(weights, images):
        y = convolve(images.transpose(0, 3, 1, 2), weights["dense"])
        y = convolve(y, weights["depthwise"], groups=32)
        scale = weights["scale"] * jax.lax.rsqrt(weights["variance"] + 1e-5)
        return jax.nn.relu((y - weights["mean"][:, None, None]) * scale[:, None, None]).transpose(0, 2, 3, 1)

    shapes = {"dense": (32, 3, 3, 3), "depthwise": (32, 1, 3, 3), "scale": (32,), "variance": (32,), "mean": (32,)}
    random = np.random.default_rng(0)
    weights = {name: jnp.asarray(random.random(shape, np.float32)) for name, shape in shapes.items()}
    return fv.from_function(network, weights, input=fv.InputSpec(size=(32, 32)))


@pytest.mark.parametrize("standardized", [False, True])
def test_prepared_weights_have_the_bits_of_full_optimization(standardized):
    model = normalized(standardized)
    objective = fv.channel(model.layers[-1].name, 0)
    request = make_request(model, objective, size=32, steps=1)
    plan = ascent.plan_step(request.stages[0].routine, model.weights, objective, None)
    moved, others = (part.compiled()(model.weights) for part in trace_prepare(plan, model.weights))
    expected = compiled(ascent.prepare, model.weights, owner=model.apply, plan=plan)(model.weights)
    # The kernels are moved, unless they are standardized; the batch norm's factor is computed.
    assert sum(value is not None for value in moved) == (0 if standardized else len(expected) - 1)
    for one, other, value in zip(moved, others, expected, strict=True):
        assert (one is None) != (other is None)
        np.testing.assert_array_equal(other if one is None else one, value)


def test_only_what_is_moved_is_compiled_soon(monkeypatch):
    asked = []
    entry = compilation.load_or_compile_entry
    monkeypatch.setattr(
        compilation, "load_or_compile_entry", lambda lowered, options: asked.append(options) or entry(lowered, options)
    )
    model = normalized(False)
    fv.render(model, fv.channel(model.layers[-1].name, 0), size=32, steps=1, progress=False)
    soon, whole = few_runs_options("cpu", quick=True), compiler_options("cpu")
    assert (asked.count(soon), asked.count(whole), len(asked)) == (1, 3, 5) and soon != whole
