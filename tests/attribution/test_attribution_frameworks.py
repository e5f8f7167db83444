"""Attributions and edits of PyTorch networks of many kinds, against autograd and forward hooks of PyTorch itself."""

import numpy as np
import pytest

import featviz as fv
from featviz.attribution.effects import unit_effects
from featviz.attribution.methods import GradientTimesActivation

pytestmark = pytest.mark.frameworks
torch = pytest.importorskip("torch", reason="needs torch: make test-frameworks")
nn = torch.nn
SIDE, UNIT = 16, 2


class Trunk(nn.Module):
    """Convolutions with a batch norm and a residual, then an output of some form from (n, 12, 8, 8) features."""

    def __init__(self, head, form, channels=3):
        super().__init__()
        self.stem = nn.Conv2d(channels, 8, 3, padding=1)
        self.norm = nn.BatchNorm2d(8)
        self.down = nn.Conv2d(8, 12, 3, stride=2, padding=1)
        self.block = nn.Conv2d(12, 12, 3, padding=1)
        self.head, self.form = head, form

    def forward(self, x):
        x = torch.relu(self.down(torch.relu(self.norm(self.stem(x)))))
        x = x + torch.nn.functional.silu(self.block(x))
        return self.form(self.head, x)


class Tokens(nn.Module):
    """Patches and a class token through attention, (n, tokens, units), the class token's logits."""

    def __init__(self, units=16):
        super().__init__()
        self.patches = nn.Conv2d(3, units, 4, stride=4)
        self.token = nn.Parameter(torch.randn(1, 1, units))
        self.blocks = nn.ModuleList(
            nn.TransformerEncoderLayer(units, 2, 32, batch_first=True, norm_first=True) for _ in range(2)
        )
        self.head = nn.Linear(units, 6)

    def forward(self, x):
        x = self.patches(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.token.expand(len(x), -1, -1), x], 1)
        for block in self.blocks:
            x = block(x)
        return self.head(x[:, 0])


def pooled(head, x):
    return head(x.mean((2, 3)))


# What the network returns, and which of it the classes are.
KINDS = {
    "classifier": (lambda: Trunk(nn.Linear(12, 6), pooled), lambda y: y),
    "gray": (lambda: Trunk(nn.Linear(12, 6), pooled, channels=1), lambda y: y),
    "one logit": (lambda: Trunk(nn.Linear(12, 1), pooled), lambda y: y),
    "softmax": (lambda: Trunk(nn.Linear(12, 6), lambda head, x: pooled(head, x).softmax(-1)), lambda y: y),
    "dict": (
        lambda: Trunk(nn.Linear(12, 6), lambda head, x: {"logits": pooled(head, x), "features": x}),
        lambda y: y["logits"],
    ),
    "several": (lambda: Trunk(nn.Linear(12, 6), lambda head, x: (pooled(head, x), x.mean((2, 3)))), lambda y: y[0]),
    "segmentation": (
        lambda: Trunk(nn.Conv2d(12, 6, 1), lambda head, x: nn.functional.interpolate(head(x), scale_factor=2)),
        lambda y: y,
    ),
    "part of a layer": (lambda: Trunk(nn.Linear(12, 9), lambda head, x: pooled(head, x)[:, 3:]), lambda y: y),
    "tokens": (Tokens, lambda y: y),
}
LAYERS = {"tokens": ("patches", "blocks.0", "blocks.1")}


def as_ours(tensor):
    """An image's activation as featviz has it, units last; in PyTorch the maps of convolutions have them first."""
    array = tensor.detach().numpy()[0]
    return array.transpose(1, 2, 0) if array.ndim == 3 else array


class Reference:
    """A network in PyTorch on one image: the score of a unit of its output, and what hooks make of it."""

    def __init__(self, kind, image, unit):
        make, self.classes = KINDS[kind]
        self.network, self.unit = make().eval(), unit
        self.pixels = (torch.from_numpy(image) - 0.5).permute(2, 0, 1)[None]

    def score(self):
        found = self.classes(self.network(self.pixels))
        return found.flatten(2).mean(-1)[0, self.unit] if found.ndim == 4 else found[0, self.unit]

    def hooked(self, layer, hook):
        handle = self.network.get_submodule(layer).register_forward_hook(lambda module, given, returned: hook(returned))
        try:
            return self.score()
        finally:
            handle.remove()

    def gradient(self, layer):
        """The layer's activation, and the score's gradient by it."""
        kept = []

        def keep(returned):
            returned.retain_grad()
            kept.append(returned)

        self.hooked(layer, keep).backward()
        return as_ours(kept[0]), as_ours(kept[0].grad)

    def without(self, layer, unit):
        """The score with one unit at zero."""

        def ablate(returned):
            changed = returned.clone()
            changed[(slice(None), unit) if returned.ndim == 4 else (..., unit)] = 0
            return changed

        return float(self.hooked(layer, ablate).detach())


@pytest.mark.parametrize("kind", KINDS)
def test_units_count_as_much_as_pytorch_says(kind):
    torch.manual_seed(0)
    channels, unit, units = (1 if kind == "gray" else 3), (0 if kind == "one logit" else UNIT), [0, 3, 7]
    image = np.random.default_rng(1).random((SIDE, SIDE, channels), np.float32)
    reference = Reference(kind, image, unit)
    spec = fv.InputSpec(size=(SIDE, SIDE), channels=channels, mean=(0.5,) * channels, channels_first=True)
    model = fv.from_torch(reference.network, input=spec)
    objective, score = fv.logit(unit), float(reference.score().detach())
    tolerance = {"rtol": 1e-3, "atol": 1e-5 * max(1.0, abs(score))}
    for layer in LAYERS.get(kind, ("norm", "down", "block")):
        activation, gradient = reference.gradient(layer)
        why = fv.attribute(model, image, objective, layer=layer, method=GradientTimesActivation())
        expected = activation * gradient
        assert why.scores[0] == pytest.approx(score, rel=1e-4, abs=1e-6)
        np.testing.assert_allclose(why.activations[0], activation, rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(why.values[0], expected, rtol=1e-3, atol=1e-4 * np.abs(expected).max())
        lost = np.array([reference.without(layer, each) - score for each in units])
        np.testing.assert_allclose(unit_effects(model, image, objective, layer, units), lost, **tolerance)
        edited = model.edited({layer: fv.ablate([units[1]])})
        after = objective(edited.apply(edited.weights, image[None], layers=["<output>"]))[0]
        np.testing.assert_allclose(float(after) - score, lost[1], **tolerance)
