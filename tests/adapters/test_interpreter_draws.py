"""Each operator that draws random numbers has its own, whichever layers run and under whatever it stands."""

import itertools

import jax.numpy as jnp
import numpy as np
import pytest

import featviz as fv

torch = pytest.importorskip("torch")
from torch import nn  # noqa: E402

pytestmark = pytest.mark.frameworks
SPEC = fv.InputSpec(size=6, channels_first=True)


class Noise(nn.Module):
    """An operator that draws numbers; what it returns differs where these do."""

    def __init__(self, kind):
        super().__init__()
        self.kind = kind

    def forward(self, x):
        ones = torch.ones_like(x)
        match self.kind:
            case "dropout":
                return nn.functional.dropout(ones, 0.5, training=True) + 0 * x
            case "rand":
                return torch.rand(x.shape) + 0 * x
            case "randn_like":
                return torch.randn_like(x) + 0 * x
            case "attention":
                rows = ones.flatten(1, 2)
                return (
                    nn.functional.scaled_dot_product_attention(rows, rows, rows, dropout_p=0.5).reshape(x.shape) + 0 * x
                )
            case "enabled":
                with torch.enable_grad():
                    return torch.rand_like(x) + 0 * x


class Net(nn.Module):
    def __init__(self, kinds):
        super().__init__()
        self.noises = nn.ModuleList(map(Noise, kinds))

    def forward(self, x):
        return sum(noise(x) for noise in self.noises)


KINDS = ["dropout", "rand", "randn_like", "attention", "enabled"]


@pytest.mark.filterwarnings("ignore:.*(draws random numbers|run image by image)")
def test_each_has_its_own_numbers():
    model = fv.from_torch(Net(KINDS * 2), input=SPEC)
    images = jnp.zeros((1, 6, 6, 3))
    layers = [f"noises.{index}" for index in range(len(KINDS) * 2)]
    together = model.apply(model.weights, images, layers=layers)
    # Uniform numbers differ from normal ones whatever the key; their ranks do not.
    ranks = [np.argsort(np.asarray(together[layer]).ravel(), kind="stable") for layer in layers]
    for one, other in itertools.combinations(range(len(layers)), 2):
        assert not np.array_equal(ranks[one], ranks[other]), (layers[one], layers[other])
    for layer in (layers[3], layers[4], layers[-1]):
        alone = model.apply(model.weights, images, layers=[layer])[layer]
        np.testing.assert_array_equal(alone, together[layer])
