"""What no image and no weight decides is known while a module is exported: masks that index, flags, numbers."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import featviz as fv
from featviz.model import OUTPUT
from featviz.model.fingerprints import hash_architecture, hash_weights

torch = pytest.importorskip("torch")
from torch import nn  # noqa: E402

pytestmark = [pytest.mark.frameworks, pytest.mark.filterwarnings("error:.*ends behind")]
SPEC = fv.InputSpec(size=8, channels_first=True)
MASKS = st.lists(st.booleans(), min_size=4, max_size=4).filter(any)


class Net(nn.Module):
    """A convolution, and what a function makes of its units with a mask of them."""

    def __init__(self, function, mask, *, plain=False):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3, padding=1)
        self.norm = nn.Identity()
        self.function = function
        if plain:
            self.mask = mask
        else:
            self.register_buffer("mask", mask)
        for index, parameter in enumerate(self.parameters()):
            parameter.data = torch.sin(torch.arange(parameter.numel()) + 1.0 + index).reshape(parameter.shape)

    def forward(self, x):
        return self.function(self.norm(self.conv(x)), self.mask)


def assigned(y, mask):
    y = y.clone()
    y[:, mask] = 2.0
    return y


def assigned_back(y, mask):
    z = torch.zeros_like(y)
    z[:, mask] = y[:, mask] * 2
    return z


def written(y, mask):
    """The mask is written to before it is used."""
    mask = mask.clone()
    mask[0] = True
    mask |= torch.tensor([False, False, False, True])
    mask[1:3].logical_not_()
    return y[:, mask]


def counted(y, mask):
    return y[:, : int(mask.sum())]


def decided(y, mask):
    return torch.relu(y) if mask[0] else -y


def looped(y, mask):
    for keep in mask.tolist():
        y = y * 2 if keep else y + 1
    return y


def numbered(y, mask):
    return y.index_select(1, mask.nonzero().flatten())


def of_positions(y, mask):
    """A mask of two axes."""
    grid = mask[:, None] & torch.ones(2, dtype=torch.bool)
    return y[:, :, grid.reshape(8, 1).expand(8, 8)]


FUNCTIONS = {
    "index": lambda y, mask: y[:, mask],
    "of rows": lambda y, mask: y[:, :, torch.cat([mask, ~mask])],
    "with others": lambda y, mask: y[:, mask, torch.arange(len(mask.nonzero())), :3],
    "not": lambda y, mask: y[:, ~mask | torch.tensor([True, False, False, False])],
    "made here": lambda y, mask: y[:, torch.arange(4) % 2 == 0],
    "list": lambda y, mask: y[:, [True, False, True, True]],
    "where": lambda y, mask: y[:, torch.where(mask)[0]],
    "linspace": lambda y, mask: y[:, torch.linspace(0, 1, 4) > 0.4],
    "bytes": lambda y, mask: y[:, mask.to(torch.int32) > 0],
    "unique": lambda y, mask: y[:, torch.unique(mask.long())],
    "split": lambda y, mask: y.split([int(mask.sum()), 4 - int(mask.sum())], 1)[0] * 2,
    **{each.__name__: each for each in (assigned, assigned_back, written, counted, decided, looped, numbered)},
    "positions": of_positions,
}


@pytest.mark.parametrize("name", FUNCTIONS)
@settings(max_examples=2, deadline=None)
@given(mask=MASKS, plain=st.booleans())
def test_values_are_those_of_pytorch(name, mask, plain):
    net = Net(FUNCTIONS[name], torch.tensor(mask), plain=plain).eval()
    model = fv.from_torch(net, input=SPEC)
    for count, size in ((2, 8), (3, 8)):
        images = np.random.default_rng(count).random((count, size, size, 3), dtype=np.float32)
        expected = net(torch.from_numpy(images.transpose(0, 3, 1, 2).copy())).detach().numpy()
        found = np.asarray(model.apply(model.weights, images)[OUTPUT])
        np.testing.assert_allclose(found, np.moveaxis(expected, 1, -1), rtol=1e-5, atol=1e-5)
    assert torch.equal(net.mask, torch.tensor(mask))


@given(first=MASKS, second=MASKS)
@settings(max_examples=5, deadline=None)
def test_other_masks_are_other_networks(first, second):
    models = [fv.from_torch(Net(FUNCTIONS["index"], torch.tensor(mask)), input=SPEC) for mask in (first, second)]
    one, other = ((hash_architecture(model), hash_weights(model.weights)) for model in models)
    assert (one == other) == (first == second)
    # The places are part of the program, the weights those of the module.
    assert (one[0] == other[0]) == (first == second)
    assert set(models[0].weights) == {"conv.weight", "conv.bias", "mask"}


def test_a_mask_that_is_added_or_chosen_by_stays_a_weight():
    net = Net(lambda y, mask: torch.where(mask[:, None, None], y, 0.0), torch.tensor([True, False, True, True]))
    model = fv.from_torch(net, input=SPEC)
    images = np.ones((1, 8, 8, 3), np.float32)
    other = {**model.weights, "mask": np.array([False, True, True, True])}
    found = np.asarray(model.apply(other, images)[OUTPUT])
    assert not found[..., 0].any() and found[..., 1].any()


@pytest.mark.filterwarnings("default:.*ends behind")
@pytest.mark.parametrize("function", [lambda y, mask: y[:, y[0, :, 0, 0] > 0], lambda y, mask: y[y > 0]])
def test_what_images_decide_ends_the_network(function):
    net = Net(function, torch.ones(4, dtype=torch.bool))
    with pytest.warns(UserWarning, match="ends behind `norm`"):
        model = fv.from_torch(net, input=SPEC)
    assert [layer.name for layer in model.layers] == ["conv", "norm"]


@pytest.mark.filterwarnings("default:.*ends behind")
def test_what_weights_decide_ends_the_network():
    net = Net(lambda y, mask: y[:, mask > 0], torch.tensor([0.5, -0.5, 0.5, 0.5]))
    with pytest.warns(UserWarning, match="ends behind `norm`"):
        fv.from_torch(net, input=SPEC)


@pytest.mark.filterwarnings("default:.*ends behind")
def test_a_mask_that_an_image_writes_to_is_not_known_any_more():
    def function(y, mask):
        mask = torch.zeros(4, dtype=torch.bool)
        part = mask[:2]
        part.copy_(y[0, :2, 0, 0] > 0)
        return y[:, mask]

    with pytest.warns(UserWarning, match="ends behind `norm`"):
        fv.from_torch(Net(function, torch.ones(4)), input=SPEC)


@pytest.mark.filterwarnings("default:.*ends behind")
def test_nor_is_one_that_the_module_keeps():
    def function(y, mask):
        mask[0] = y[0, 0, 0, 0] > 0
        return y[:, mask]

    with pytest.warns(UserWarning, match="ends behind `norm`"):
        fv.from_torch(Net(function, torch.tensor([True, True, False, True])), input=SPEC)
