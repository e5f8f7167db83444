"""A training step by PyTorch and by JAX: the same loss and the same weights."""

import sys
from pathlib import Path

import jax
import numpy as np
import pytest

from featviz.priors.crops import Pyramids, crop_source
from featviz.priors.training_step import FitSettings, fit_step, init_state
from featviz.priors.unet import DenoiserConfig

pytestmark = pytest.mark.frameworks


def test_it_is_the_step_of_jax(monkeypatch):
    pytest.importorskip("torch")
    monkeypatch.setattr(sys, "path", [str(Path(__file__).parents[2] / "experiments"), *sys.path])
    from denoiser_torch import torch_step

    generator = np.random.default_rng(0)
    values = jax.numpy.asarray(generator.integers(0, 256, 40 * 50 * 3), np.uint8)
    photographs = Pyramids(values, *(np.array([number], np.int32) for number in (0, 40, 50)))
    config, settings = DenoiserConfig(widths=(8, 16), embedding=8), FitSettings((8, 16), batch=4)
    sources = tuple(crop_source(photographs, size) for size in settings.sizes)
    state = init_state(config, settings)
    noise = {
        name: 0.1 * generator.standard_normal(leaf.shape).astype(np.float32) for name, leaf in state.weights.items()
    }
    # No kernel is zero, so that every gradient counts.
    state = state._replace(weights={name: leaf + noise[name] for name, leaf in state.weights.items()})
    expected, loss = jax.jit(fit_step, static_argnums=(3, 4))(sources, 100, state, config, settings)
    found, own = torch_step(config, settings)(sources, 100, state)
    assert own == pytest.approx(float(loss), rel=1e-5)
    for name, leaf in expected.moments[0].items():
        scale = np.abs(np.asarray(leaf)).max()
        np.testing.assert_allclose(found.moments[0][name], leaf, atol=1e-4 * scale + 1e-7, err_msg=name)
        np.testing.assert_allclose(found.average[name], expected.average[name], atol=1e-5, err_msg=name)
    assert int(found.step) == 1
