"""What a state dict of overcomplete does not say, without the library."""

import numpy as np

from featviz.dictionaries.formats.contents import Contents
from featviz.dictionaries.formats.hints import Hints
from featviz.dictionaries.formats.overcomplete_format import read

RNG = np.random.default_rng(0)
RELAXATION = 2 * RNG.normal(size=(4, 3)).astype(np.float32)
ARRAYS = {
    "dictionary.W": RNG.random((4, 5)).astype(np.float32),
    "dictionary.C": RNG.normal(size=(5, 3)).astype(np.float32),
    "dictionary.Relax": RELAXATION,
}


def relaxation(**values):
    contents = Contents("a.pt", ARRAYS, values={f"dictionary.{name}": value for name, value in values.items()})
    return np.asarray(read(contents, Hints("relu", None, None, None, None)).code.relaxation)


def test_a_relaxation_is_limited_only_where_the_file_says_how():
    np.testing.assert_array_equal(relaxation(), RELAXATION)
    lengths = np.linalg.norm(RELAXATION, axis=1)
    np.testing.assert_allclose(np.linalg.norm(relaxation(delta=0.5), axis=1), np.minimum(lengths, 0.5), rtol=1e-5)
