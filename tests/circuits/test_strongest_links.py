"""Links between units are the strongest of the matrices, computed when they are requested."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import featviz as fv
from featviz.circuits import strongest_links as links_module
from featviz.circuits.cosine_neighbors import cosine_neighbors
from featviz.circuits.expanded_weights import expand, expanded_weights
from featviz.circuits.ranking import strongest, strongest_of_layers
from featviz.circuits.strongest_links import LINKS, StrongestLinks, UnitLink, strongest_outputs

LAYERS = ["conv1/relu", "conv2/relu", "fc"]


def test_outputs_are_relative_to_the_weights_of_the_units_above():
    weights = np.random.default_rng(2).standard_normal((30, 20)).astype(np.float32)
    expected = weights / np.maximum(np.linalg.norm(weights, axis=1, keepdims=True), 1e-30)
    found = strongest_outputs(weights, LINKS)
    for unit in range(20):
        assert strongest_of_layers([("a", found.row(unit))], LINKS) == [
            ("a", *link) for link in strongest(expected[:, unit], LINKS)
        ]


@pytest.fixture
def asked(monkeypatch):
    """The pairs of layers whose weights have been computed."""
    pairs = []
    monkeypatch.setattr(
        links_module,
        "expand",
        lambda model, sources, layer, std: pairs.append((*sources, layer)) or expand(model, sources, layer, std),
    )
    return pairs


def test_links_are_computed_when_they_are_requested(tiny, asked):
    links = StrongestLinks(tiny, LAYERS)
    assert asked == []
    assert links.inputs("conv1/relu", 0) == () and links.similar("conv1/relu", 3) == () and asked == []
    links.inputs("conv2/relu", 0)
    assert asked == [("conv1/relu", "conv2/relu")]
    links.outputs("conv1/relu", 0)
    links.similar("conv2/relu", 1)
    assert len(asked) == 1
    links.outputs("conv2/relu", 7)
    assert asked[1:] == [("conv2/relu", "fc")]


def test_links_are_the_strongest_of_the_matrices(tiny):
    links = StrongestLinks(tiny, LAYERS)
    weights = expanded_weights(tiny, "conv1/relu", "conv2/relu", np.ones(80, np.float32))
    driven = weights / np.linalg.norm(weights, axis=1, keepdims=True)
    for unit in range(8):
        assert links.inputs("conv2/relu", unit) == tuple(
            UnitLink("conv1/relu", *link) for link in strongest(weights[unit], LINKS)
        )
        assert links.similar("conv2/relu", unit) == tuple(
            UnitLink("conv2/relu", *link) for link in cosine_neighbors(weights, LINKS).row(unit)
        )
    for unit in range(80):
        assert links.outputs("conv1/relu", unit) == tuple(
            UnitLink("conv2/relu", *link) for link in strongest(driven[:, unit], LINKS)
        )


class TwoPaths(nn.Module):
    """A unit above reads the sum of two layers."""

    @nn.compact
    def __call__(self, x):
        joined = nn.Conv(4, (3, 3), name="left")(x) + nn.Conv(4, (3, 3), name="right")(x)
        return nn.Conv(5, (3, 3), name="above")(joined)


def test_a_skip_connection_past_the_layers_that_are_asked_for():
    module = TwoPaths()
    weights = module.init(jax.random.key(0), jnp.zeros((1, 12, 12, 3)))
    model = fv.from_linen(module, weights, input=fv.InputSpec(size=12))
    links = StrongestLinks(model, ["left"])
    assert {link.layer for link in links.one_step_outputs("left", 1)} == {"above"}
