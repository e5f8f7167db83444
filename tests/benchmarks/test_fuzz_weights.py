"""Damaged files of weights are loaded or refused in one line: nothing else escapes, and nothing takes long.

A few of each; benchmarks/fuzz_weights.py tries ten thousand.
"""

import time

import pytest
from support.mutations import kinds, mutations

from featviz.errors import FeatvizError
from featviz.zoo.readers.weight_file import read_tensors

KINDS = kinds()
COUNT = 300


@pytest.mark.parametrize("kind", KINDS)
def test_damaged_files(tmp_path, kind):
    path = tmp_path / "net.pth"
    path.write_bytes(KINDS[kind].whole)
    assert read_tensors(path)
    path.write_bytes(KINDS[kind].rebuilt(KINDS[kind].inner))
    assert read_tensors(path)
    refused = loaded = 0
    for data in mutations(KINDS[kind], COUNT):
        path.write_bytes(data)
        begin = time.process_time()
        try:
            found = read_tensors(path)
        except FeatvizError as error:
            refused += 1
            said = str(error)
            assert said.startswith("`weights`: `net.pth` ") and said.isprintable() and len(said) < 500
            assert "does not fit into memory" not in said
        else:
            loaded += 1
            assert max(array.nbytes for array in found.values()) <= 2 * len(data)
        assert time.process_time() - begin < 1
    assert refused > COUNT / 2 and refused + loaded == COUNT
