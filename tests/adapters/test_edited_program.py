"""Edits in networks of other layouts: channels first, layers inside scans, networks that take one image only."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import featviz as fv
from featviz.model import OUTPUT

IMAGES = np.random.default_rng(0).random((2, 8, 8, 3), np.float32)
SPEC = fv.InputSpec(size=(8, 8))


class Block(nn.Module):
    @nn.compact
    def __call__(self, x, _):
        return x + nn.relu(nn.Dense(5, name="mlp")(x)), None


class Scanned(nn.Module):
    """Four blocks that are one scan."""

    @nn.compact
    def __call__(self, x):
        x = nn.Dense(5, name="stem")(x.mean((1, 2)))
        x, _ = nn.scan(Block, variable_axes={"params": 0}, split_rngs={"params": True}, length=4)(name="blocks")(
            x, None
        )
        return nn.Dense(2, name="head")(x)


def test_one_iteration_of_a_scan_is_edited():
    module = Scanned()
    weights = module.init(jax.random.key(0), IMAGES)
    model = fv.from_linen(module, weights, input=SPEC)
    layer = next(layer.name for layer in model.layers if "[2]" in layer.name and layer.rectified)
    edited = model.edited({layer: fv.ablate([1, 4])})
    names = [each.name for each in model.layers]
    plain, changed = (dict(m.apply(m.weights, IMAGES, layers=[*names, OUTPUT])) for m in (model, edited))
    before = names[: names.index(layer)]
    assert all(np.allclose(plain[name], changed[name], atol=1e-6) for name in before if "[3]" not in name)
    expected = np.asarray(plain[layer]) * (np.arange(5) % 3 != 1)
    np.testing.assert_allclose(changed[layer], expected, atol=1e-6)
    assert not np.allclose(plain[OUTPUT], changed[OUTPUT])
    # The same network with the units' weights at zero in that iteration.
    params = jax.tree.map(np.array, weights)
    for name in ("kernel", "bias"):
        params["params"]["blocks"]["mlp"][name][2][..., [1, 4]] = 0
    by_hand = module.apply(params, model.input.encode(jnp.asarray(IMAGES)))
    np.testing.assert_allclose(changed[OUTPUT], by_hand, atol=1e-5)


def test_units_are_edited_wherever_the_network_has_them():
    def network(weights, images):
        x = jnp.transpose(images, (0, 3, 1, 2))
        x = jax.named_scope("first")(jnp.einsum)("nchw,cd->ndhw", x, weights["a"])
        return (x * 2.0).mean((2, 3))

    weights = {"a": np.random.default_rng(1).random((3, 4)).astype(np.float32)}
    model = fv.from_function(network, weights, input=SPEC)
    layer = next(layer for layer in model.layers if layer.shape == (8, 8, 4))
    edited = model.edited({layer.name: fv.ablate(2, positions=[(0, 0), (7, 7)])})
    h = np.asarray(model.apply(model.weights, IMAGES, layers=[layer.name])[layer.name]).copy()
    h[:, 0, 0, 2] = h[:, 7, 7, 2] = 0
    values = edited.apply(edited.weights, IMAGES, layers=[layer.name, OUTPUT])
    np.testing.assert_allclose(values[layer.name], h, atol=1e-6)
    np.testing.assert_allclose(values[OUTPUT], 2 * h.mean((1, 2)), atol=1e-5)


@pytest.mark.frameworks
def test_a_torch_network_is_edited_at_a_module():
    torch = pytest.importorskip("torch", reason="needs torch: make test-frameworks")
    torch.manual_seed(0)
    first, second = torch.nn.Conv2d(3, 6, 3), torch.nn.Conv2d(6, 4, 3)
    module = torch.nn.Sequential(first, torch.nn.ReLU(), second, torch.nn.Flatten()).eval()
    model = fv.from_torch(module, input=fv.InputSpec(size=(8, 8), channels_first=True))
    edited = model.edited({"1": fv.ablate([2, 3])})
    got = edited.apply(edited.weights, IMAGES, layers=[OUTPUT])[OUTPUT]
    with torch.no_grad():
        h = torch.relu(first(torch.from_numpy(IMAGES).permute(0, 3, 1, 2)))
        h[:, [2, 3]] = 0
        expected = second(h).flatten(1).numpy()
    np.testing.assert_allclose(np.asarray(got).reshape(expected.shape), expected, atol=1e-5)
