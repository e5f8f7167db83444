"""A layer behind others: at their own activations it has the values of the whole network."""

import jax.numpy as jnp
import numpy as np
import pytest
from support.dictionaries import draw_autoencoder

import featviz as fv
from featviz.circuits.linearization import program_behind
from featviz.dictionaries import Dictionary
from featviz.dictionaries.kinds import ReluSae
from featviz.tracing.evaluation import evaluate


@pytest.mark.parametrize("source", ["conv1", "conv2", "conv2/latents"])
def test_edits_of_latents_act_once(tiny, source):
    arrays = draw_autoencoder(np.random.default_rng(0), units=8, latents=12)
    latents = tiny.with_dictionary("conv2", Dictionary(ReluSae(**arrays)))
    edited = latents.edited({"conv2/latents": fv.clamp(4, 3.5)})
    image = jnp.asarray(np.random.default_rng(1).random((1, 16, 16, 3), np.float32))
    whole = edited.apply(edited.weights, image, layers=("fc", source))
    program, args = program_behind(edited.apply, edited.weights, image, {source: whole[source]}, "fc")
    (behind,) = evaluate(program, [*args, whole[source]], program.outputs)
    np.testing.assert_allclose(behind, whole["fc"], rtol=1e-5, atol=1e-6)
    unedited = latents.apply(latents.weights, image, layers=("fc",))["fc"]
    assert np.abs(np.asarray(unedited - whole["fc"])).max() > 0.1
