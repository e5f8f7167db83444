"""An objective's hash is its permanent name, and the seed of its lane: it must not change unnoticed."""

import subprocess
import sys

import numpy as np
import pytest
from support.objectives import EXAMPLES, example

from featviz.ascent import VERSION
from featviz.objectives import channel, deepdream, direction, logit, neuron

VECTOR = np.linspace(-1, 1, 7, dtype=np.float32)
LITERAL = "neuron('conv1', 3, position=(1, 2)) - 0.5 * direction('fc', np.linspace(0, 1, 20), power=2.0)"
LITERAL_HASH = "5f9e23a7333b59989e6277e287b8b51b4730a73c277f784343f8676741a9838d"
# Of `ascent.VERSION` 9, the first 16 digits; of every example of a kind, for a layer of shape (4, 5, 7).
GOLDEN_VERSION = 9
GOLDEN = {
    "channel": "e20e23bd9d388018",
    "patches": "894bd797116e8316",
    "patches after two class tokens": "492573f17126c23c",
    "cosine": "6b63e356a9ad0aa2",
    "cosine at a position": "bc185bdb8a3d6afb",
    "function": "fe605060ef5f1a9e",
    "direction": "f1ee38deeabc04c7",
    "direction by its angle": "32250958965b4fe7",
    "direction with an index": "11dd7d39865521ec",
    "direction at a position": "8912239ab825d737",
    "direction over patches": "4cf0d7d1d89dc114",
    "diversity": "9efe60847186aa5c",
    "diverse": "100212edd35b838a",
    "interpolate": "a482b77a95bccc00",
    "alignment": "836e104e2719d8d9",
    "latent": "23f65df66b3a674e",
    "logit": "911f0439e7374ddf",
    "within": "bd66eaa7556486ee",
    "unit within": "3417d51176303985",
    "guided dream": "0b00f3d5ca432103",
    "inversion": "a9ddbdae58720dfa",
    "style": "d61d12eac2d3d9b7",
    "deepdream": "0e0c5009ee32a0a0",
    "head": "d3c07624edef12a5",
    "neuron": "5b42319c5c7b1889",
    "neuron at a position": "d3c5a731a396e234",
    "strongest": "3cf849e07de7161a",
    "strongest patches": "1d0bd915e5a08528",
    "tensor direction": "58b0f540cb0431f7",
    "tensor direction by its angle": "c66bef3cf46d8b36",
    "caricature": "4d0d98c77b5f4599",
    "tv": "0de50fcb9beb863b",
    "variation": "567d05dc0011bdfe",
    "blur": "00924097e91a0d97",
    "frequency": "b24f1fd2a0148ab5",
    "l1": "cbd68a702febd10b",
    "l2": "22a84ba5fd88eb1d",
    "exemplars": "3a5c59bd75f2d255",
    "facets": "cc12969b961de593",
    "statistics": "17eb602fbd99c161",
    "vital": "341ab6a125facbfc",
}


def test_the_hash_is_the_same_in_every_process():
    objective = neuron("conv1", 3, position=(1, 2)) - 0.5 * direction("fc", np.linspace(0, 1, 20), power=2.0)
    script = f"import numpy as np; from featviz.objectives import *; print(({LITERAL}).hash)"
    elsewhere = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert objective.hash == elsewhere.stdout.strip() == LITERAL_HASH


@pytest.mark.parametrize("name", GOLDEN)
def test_hashes_change_only_with_the_version(name):
    assert VERSION == GOLDEN_VERSION, "VERSION was raised: write the new hashes and the version into this file"
    assert example(name).hash[:16] == GOLDEN[name], (
        f"the hash of `{name}` has changed, and with it the seeds of its pictures: raise ascent.VERSION in "
        "featviz/ascent/routine.py and write the new hashes into this file, or undo the change of names and fields"
    )


def test_every_kind_has_a_golden_hash():
    missing = {name: example(name).hash[:16] for name in EXAMPLES.keys() - GOLDEN.keys()}
    assert not missing, f"add to GOLDEN in this file: {missing}"
    assert not GOLDEN.keys() - EXAMPLES.keys()


def test_different_objectives_have_different_hashes():
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
