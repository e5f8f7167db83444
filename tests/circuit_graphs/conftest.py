"""A circuit that tests share: of a unit of the built-in network, tested on images of noise."""

import numpy as np
import pytest

from featviz.circuit_graphs.find_circuit import circuit
from featviz.circuits.linearization_point import pink_noise
from featviz.zoo.registry import load

LAYERS = ["conv2", "mixed3a", "mixed3b"]


@pytest.fixture(scope="session")
def noise():
    # As photos are read: in bytes.
    return (pink_noise(np.random.default_rng(1), 12, (64, 64)) * 255).round().astype(np.float32) / 255


@pytest.fixture(scope="session")
def found(noise):
    return circuit(load("patterns"), "mixed3b", 5, layers=LAYERS, inputs=4, photos=list(noise), progress=False)
