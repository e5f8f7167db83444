"""Modules with hooks on their gradients, such as those of Grad-CAM: taken, left as they are, and said."""

import jax
import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs PyTorch: make test-frameworks")

from support.adapted import adapted  # noqa: E402
from torch import nn  # noqa: E402

pytestmark = [pytest.mark.frameworks, pytest.mark.filterwarnings("ignore:.*jit.script")]


class GradCam(nn.Module):
    """Keeps its units and their gradient."""

    def __init__(self, of_module):
        super().__init__()
        self.conv, self.head = nn.Conv2d(3, 4, 3), nn.Conv2d(4, 2, 1)
        self.of_module, self.kept = of_module, {}
        if of_module:
            self.conv.register_full_backward_hook(lambda module, given, taken: self.kept.update(conv=taken[0]))

    def forward(self, x):
        y = self.conv(x).relu()
        if not self.of_module:
            y.retain_grad()
            y.register_hook(lambda gradient: self.kept.update(conv=gradient))
        return self.head(y)


class WhereThereIsOne(nn.Module):
    """Reverses a gradient, which it asks for first."""

    def __init__(self, asks):
        super().__init__()
        self.conv, self.head, self.asks = nn.Conv2d(3, 4, 3), nn.Conv2d(4, 2, 1), asks
        self.register_buffer("runs", torch.zeros(()))

    def forward(self, x):
        self.runs += 1
        y = self.conv(x)
        if self.asks(y):
            y.register_hook(lambda gradient: -gradient)
        return self.head(y)


@pytest.mark.parametrize(
    "asks",
    [lambda y: y.requires_grad, lambda y: torch.is_grad_enabled(), lambda y: y.requires_grad and y.shape[1] == 4],
)
def test_hooks_behind_the_question_whether_there_is_a_gradient_are_said(asks):
    model, said = adapted(WhereThereIsOne(asks).eval())
    assert [
        text for text in said if "WhereThereIsOne has hooks on gradients, of an array, which are not called" in text
    ]
    assert model.weights["runs"] == adapted(WhereThereIsOne(lambda y: False).eval())[0].weights["runs"]
    given = torch.zeros(1, requires_grad=True)
    assert given.requires_grad
    assert not torch.zeros(1).requires_grad
    assert torch.is_grad_enabled()


def test_nothing_is_said_of_a_question_that_no_hook_follows():
    assert not [
        text for text in adapted(WhereThereIsOne(lambda y: y.requires_grad and False).eval())[1] if "hook" in text
    ]


@pytest.mark.parametrize("of_module", [False, True])
def test_hooks_on_gradients_are_not_called_and_that_is_said(of_module):
    torch.manual_seed(0)
    net = GradCam(of_module).eval()
    model, said = adapted(net)
    said = [text for text in said if "GradCam" in text]
    what = "conv" if of_module else "an array"
    assert len(said) == 1
    assert said[0].startswith(f"GradCam has hooks on gradients, of {what}, which are not called")
    assert not net.kept
    images = np.random.default_rng(0).random((1, 8, 8, 3), np.float32)
    given = torch.tensor(images).permute(0, 3, 1, 2).contiguous().requires_grad_()
    net(given)[:, 1].sum().backward()
    assert net.kept["conv"].shape == (1, 4, 6, 6)
    ours = jax.grad(lambda x: model.apply(model.weights, x, layers=["head"])["head"][..., 1].sum())(images)
    np.testing.assert_allclose(ours, given.grad.permute(0, 2, 3, 1), atol=1e-6)
    with pytest.raises(RuntimeError, match="register a hook"):
        torch.ones(1).register_hook(print)
