"""A program compiled quickly computes what others do, whatever options this version of XLA has."""

import jax
import numpy as np

from featviz.common.compilation import QUICK, quick_options


def test_options_are_accepted_and_keep_values():
    options = quick_options()
    assert options.items() <= QUICK.items()

    def function(x, kernel):
        y = jax.lax.conv_general_dilated(x, kernel, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"))
        return jax.nn.gelu(y).mean((1, 2))

    x, kernel = (
        np.random.default_rng(seed).random(shape, np.float32) for seed, shape in ((0, (2, 9, 9, 3)), (1, (3, 3, 3, 5)))
    )
    run = jax.jit(function).lower(x, kernel).compile(compiler_options=options)
    np.testing.assert_allclose(run(x, kernel), jax.jit(function)(x, kernel), rtol=1e-5)


def test_options_that_xla_lacks_are_left_out(monkeypatch):
    monkeypatch.setitem(QUICK, "xla_no_such_option", "1")
    options = quick_options.__wrapped__()
    assert "xla_no_such_option" not in options and "xla_backend_optimization_level" in options
