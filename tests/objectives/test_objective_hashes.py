"""An objective's hash is its name for ever, and the seed of its lane."""

import subprocess
import sys

import numpy as np

from featviz.objectives import channel, deepdream, direction, logit, neuron

VECTOR = np.linspace(-1, 1, 7, dtype=np.float32)
LITERAL = "neuron('conv1', 3, position=(1, 2)) - 0.5 * direction('fc', np.linspace(0, 1, 20), power=2.0)"
LITERAL_HASH = "5f9e23a7333b59989e6277e287b8b51b4730a73c277f784343f8676741a9838d"


def test_hashes_are_those_of_all_times_and_processes():
    objective = neuron("conv1", 3, position=(1, 2)) - 0.5 * direction("fc", np.linspace(0, 1, 20), power=2.0)
    script = f"import numpy as np; from featviz.objectives import *; print(({LITERAL}).hash)"
    elsewhere = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert objective.hash == elsewhere.stdout.strip() == LITERAL_HASH


def test_hashes_tell_everything_apart():
    vectors = [VECTOR, -VECTOR, np.arange(20.0), np.arange(20.0) + 1e-6, np.arange(20.0)[::-1]]
    objectives = [
        *channel("a", range(3)),
        channel("b", 0),
        neuron("a", 0),
        neuron("a", 0, position=(0, 1)),
        neuron("a", 0, position=(1, 0)),
        logit(0),
        deepdream("a"),
        -deepdream("a"),
        2 * deepdream("a"),
        *(direction("a", vector) for vector in vectors),
        direction("a", VECTOR, power=1.0),
        direction("a", VECTOR, power=2.0),
    ]
    assert len({objective.hash for objective in objectives}) == len(objectives)
