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
