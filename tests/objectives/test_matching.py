"""Objectives of another image's features, on a network."""

from dataclasses import replace

import jax.numpy as jnp
import numpy as np
import pytest

import featviz as fv
from featviz.errors import FeatvizError


def test_observed_features_have_no_distance(patterns):
    image = np.random.default_rng(0).random((32, 32, 3)).astype(np.float32)
    features = fv.observe(patterns, image, "conv2")
    found = patterns.apply(patterns.weights, jnp.asarray(image[None]), layers=("conv2",))
    assert float(fv.inversion("conv2", features)(found)[0]) == pytest.approx(0, abs=1e-6)
    with pytest.raises(FeatvizError, match="`image` has shape"):
        fv.observe(patterns, image[..., :1], "conv2")


@pytest.mark.parametrize("kind", ["inversion", "caricature", "style", "guided", "function", "cosine"])
def test_each_can_be_rendered(kind, patterns):
    image = np.random.default_rng(1).random((32, 32, 3)).astype(np.float32)
    features = fv.observe(patterns, image, "conv2")
    objective = {
        "inversion": lambda: fv.inversion("conv2", features),
        "caricature": lambda: fv.caricature("conv2", features),
        "style": lambda: fv.style("conv2", features),
        "guided": lambda: fv.guided_dream("conv2", features),
        "function": lambda: fv.function(
            lambda a, b: a.mean((1, 2, 3)) + b.mean((1, 2, 3)), "conv1", "conv2", name="both"
        ),
        "cosine": lambda: fv.cosine("conv2", features.mean((0, 1))),
    }[kind]()
    recipe = replace(fv.recipes.default, transforms=())
    picture = fv.render(patterns, objective, recipe=recipe, size=32, steps=12, progress=False)
    assert picture.score > picture.history[0]
    assert picture.provenance["command"] is None
