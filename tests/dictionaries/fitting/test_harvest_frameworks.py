"""A harvest of a PyTorch transformer is what its own hooks give; class and register tokens are left out."""

import numpy as np
import pytest
from support.surveys import IMAGES

import featviz as fv
from featviz.dictionaries.fitting.activation_store import HELD_OUT, TRAIN
from featviz.dictionaries.fitting.harvest import harvest
from featviz.dictionaries.fitting.position_sampling import Sampling

torch = pytest.importorskip("torch", reason="PyTorch is not installed")

pytestmark = [pytest.mark.frameworks, pytest.mark.filterwarnings("ignore")]

SIDE, PATCH, UNITS, FIRST = 16, 4, 12, 3  # a class token and two registers come first
SOME = IMAGES[:20]


class Transformer(torch.nn.Module):
    """Patches behind a class token and two registers, one layer of attention, the class token's outputs."""

    def __init__(self):
        super().__init__()
        self.patches = torch.nn.Conv2d(3, UNITS, PATCH, PATCH)
        self.first = torch.nn.Parameter(torch.randn(1, FIRST, UNITS))
        self.block = torch.nn.TransformerEncoderLayer(UNITS, 2, 24, dropout=0, batch_first=True, norm_first=True)
        self.head = torch.nn.Linear(UNITS, 5)

    def forward(self, x):
        tokens = self.patches(x).flatten(2).transpose(1, 2)
        tokens = self.block(torch.cat([self.first.expand(len(x), -1, -1), tokens], 1))
        return self.head(tokens[:, 0])


@pytest.mark.parametrize("class_tokens", [False, True])
def test_rows_are_those_of_pytorchs_hooks(class_tokens, tmp_path):
    torch.manual_seed(0)
    network, found = Transformer().eval(), []
    hook = network.block.register_forward_hook(lambda module, args, output: found.append(output.detach().numpy()))
    with torch.no_grad():
        network(torch.from_numpy((SOME / np.float32(255) - np.float32(0.5)).transpose(0, 3, 1, 2) / np.float32(0.25)))
    hook.remove()
    tokens = found.pop()
    spec = fv.InputSpec(size=(SIDE, SIDE), mean=(0.5,) * 3, std=(0.25,) * 3, channels_first=True)
    model = fv.from_torch(network, input=spec)
    sampling = Sampling(class_tokens=class_tokens)
    store = harvest(model, "block", SOME, out=tmp_path / "a", sampling=sampling, progress=False)
    for part in (TRAIN, HELD_OUT):
        photo, position = store.where(part)
        np.testing.assert_allclose(store.read(part, 0, 10**6), tokens[photo, position], atol=1e-5)
        assert np.unique(position).tolist() == list(range(0 if class_tokens else FIRST, tokens.shape[1]))
