"""The network behind a layer: at the layer's own activation the score is that of the whole network."""

import jax.numpy as jnp
import numpy as np
import pytest
from support.dictionaries import draw_autoencoder

import featviz as fv
from featviz.attribution.behind import make_problem
from featviz.dictionaries import Dictionary
from featviz.dictionaries.kinds import ReluSae


@pytest.mark.parametrize("layer", ["conv1", "conv2", "conv2/latents"])
def test_edits_of_latents_act_once(tiny, layer):
    arrays = draw_autoencoder(np.random.default_rng(0), units=8, latents=12)
    latents = tiny.with_dictionary("conv2", Dictionary(ReluSae(**arrays)))
    edited = latents.edited({"conv2/latents": fv.clamp(4, 3.5)})
    image = jnp.asarray(np.random.default_rng(1).random((16, 16, 3), np.float32))
    scores = [float(model.apply(model.weights, image[None], layers=("fc",))["fc"][0, 3]) for model in (latents, edited)]
    problem = make_problem(edited.apply, layer, edited.weights, fv.channel("fc", 3), image, None)
    assert float(problem.function(problem.activation)) == pytest.approx(scores[1], rel=1e-5)
    assert abs(scores[0] - scores[1]) > 0.1
