"""A backward that is not the derivative of its forward is said; one that is the same is not."""

import warnings

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import featviz as fv
from featviz.model import OUTPUT

torch = pytest.importorskip("torch")
from torch import nn  # noqa: E402

pytestmark = pytest.mark.frameworks
SPEC = fv.InputSpec(size=8, channels_first=True)


class Straight(torch.autograd.Function):
    """Signs with the gradient of the identity."""

    @staticmethod
    def forward(ctx, x):
        return torch.sign(x)

    @staticmethod
    def backward(ctx, gradient):
        return gradient


class Swish(torch.autograd.Function):
    """A function that keeps less for its own backward."""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x * torch.sigmoid(x)

    @staticmethod
    def backward(ctx, gradient):
        (x,) = ctx.saved_tensors
        gate = torch.sigmoid(x)
        return gradient * (gate + x * gate * (1 - gate))


class Scale(torch.autograd.Function):
    """The newer form, with an argument that is no tensor."""

    @staticmethod
    def forward(x, factor):
        return x * factor

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.factor = inputs[1]

    @staticmethod
    def backward(ctx, gradient):
        return gradient * ctx.factor, None


class Net(nn.Module):
    def __init__(self, function):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)
        self.function = function

    def forward(self, x):
        return self.function(self.conv(x)).mean((2, 3))


def test_a_backward_that_differs_is_named():
    forward = Straight.__dict__["forward"]
    with pytest.warns(UserWarning, match="backward of its own in Straight, which is not the derivative"):
        model = fv.from_torch(Net(Straight.apply), input=SPEC)
    assert Straight.__dict__["forward"] is forward
    gradient = jax.grad(lambda x: model.apply(model.weights, x)[OUTPUT].sum())(jnp.ones((1, 8, 8, 3)))
    assert not gradient.any()


@pytest.mark.parametrize("function", [Swish.apply, lambda x: Scale.apply(x, 3.0)], ids=["swish", "scale"])
def test_a_backward_that_is_the_derivative_is_not(function):
    net = Net(function)
    x = torch.rand(1, 3, 8, 8, requires_grad=True)
    net(x).sum().backward()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = fv.from_torch(net, input=SPEC)
    images = x.detach().permute(0, 2, 3, 1).numpy()
    gradient = jax.grad(lambda images: model.apply(model.weights, images, layers=[OUTPUT])[OUTPUT].sum())
    np.testing.assert_allclose(gradient(images), x.grad.permute(0, 2, 3, 1).numpy(), atol=1e-6)
