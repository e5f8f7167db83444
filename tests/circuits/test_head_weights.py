"""Direct paths through the residual stream equal products of DeiT's own weights."""

import numpy as np
import pytest

from featviz.circuits.head_weights import ov_weights, qk_weights
from featviz.circuits.weight_maps import weights_between

HEAD, SIZE, WIDTH = 1, 64, 192
UNITS = range(HEAD * SIZE, (HEAD + 1) * SIZE)


@pytest.fixture(scope="module")
def block(deit):
    """A function that gives a kernel (inputs, outputs) or a gain of one of DeiT's blocks."""

    def find(index, *names):
        found = deit.weights["params"]["blocks"][str(index)]
        for name in names:
            found = found[name]
        return np.asarray(found, np.float64)

    return find


def centered(kernel, gain):
    """A kernel behind a normalization whose scale is 1: (x - mean(x)) gain kernel."""
    scaled = gain[:, None] * kernel
    return scaled - scaled.mean(0)


def close(found, expected):
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-4 * np.abs(expected).max())


def test_neurons_to_neurons_of_the_next_block(deit, block):
    found = weights_between(deit, "blocks/5/mlp/act", "blocks/6/mlp/fc1", units=range(32), direct=True)
    read = centered(block(6, "mlp", "fc1", "kernel"), block(6, "norm2", "scale"))
    assert found.maps.shape == (32, 1, 1, 768)
    close(found.maps[:, 0, 0], (block(5, "mlp", "fc2", "kernel") @ read).T[:32])


def test_what_a_head_moves(deit, block):
    found = ov_weights(
        deit, "blocks/5/mlp/act", "blocks/6/attn/heads", "blocks/6/mlp/fc1", units=UNITS, targets=range(16)
    )
    values = slice(2 * WIDTH + HEAD * SIZE, 2 * WIDTH + (HEAD + 1) * SIZE)
    reads = centered(block(6, "attn", "qkv", "kernel"), block(6, "norm1", "scale"))[:, values]
    writes = block(6, "attn", "proj", "kernel")[list(UNITS)]
    above = centered(block(6, "mlp", "fc1", "kernel"), block(6, "norm2", "scale"))[:, :16]
    close(found, (block(5, "mlp", "fc2", "kernel") @ reads @ writes @ above).T)


def test_where_a_head_looks(deit, block):
    keys = range(WIDTH + HEAD * SIZE, WIDTH + (HEAD + 1) * SIZE)
    layer = "blocks/6/attn/qkv"
    found = qk_weights(deit, "blocks/5/mlp/act", queries=(layer, UNITS), keys=(layer, keys))
    read = centered(block(6, "attn", "qkv", "kernel"), block(6, "norm1", "scale"))
    written = block(5, "mlp", "fc2", "kernel")
    expected = (written @ read[:, list(UNITS)]) @ (written @ read[:, list(keys)]).T / np.sqrt(SIZE)
    close(found, expected)
    by_residual = qk_weights(
        deit, "blocks/5/mlp/act", queries=(layer, UNITS), keys=(layer, keys), key_source="blocks/5"
    )
    close(by_residual, (written @ read[:, list(UNITS)]) @ read[:, list(keys)].T / np.sqrt(SIZE))
