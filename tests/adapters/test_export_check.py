"""An export that computes something else than the module is named, by the first layer that differs."""

import numpy as np
import pytest

import featviz as fv

torch = pytest.importorskip("torch")

INPUT = fv.InputSpec(size=(8, 8), channels_first=True)
SAID = "Network computes something else when it is exported: from `second` on the values are not its own"


class Asking(torch.nn.Module):
    """Doubles its input where that is a tensor without values, as exports have them."""

    def forward(self, x):
        return x if type(x) is torch.Tensor else 2 * x


class Network(torch.nn.Module):
    def __init__(self, second):
        super().__init__()
        self.first, self.second, self.last = torch.nn.Conv2d(3, 4, 3), second, torch.nn.BatchNorm2d(4)
        self.register_buffer("calls", torch.zeros(()))

    def forward(self, x):
        self.calls += 1
        return self.last(torch.relu_(self.second(self.first(x)))).log()


def adapt(network, recwarn):
    fv.from_torch(network.eval(), input=INPUT)
    return [str(each.message) for each in recwarn if "Network" in str(each.message)]


def test_code_that_asks_whether_it_is_traced_is_named(recwarn):
    (said,) = adapt(Network(Asking()), recwarn)
    assert said.startswith(SAID)


@pytest.mark.parametrize("second", [torch.nn.Identity(), torch.nn.Dropout(0.5), torch.nn.ReLU(inplace=True)])
def test_an_export_that_is_the_modules_own_is_not(second, recwarn):
    network = Network(second)
    assert adapt(network, recwarn) == [] and float(network.calls) == 0


def test_what_is_random_is_not_compared(recwarn):
    class Drawing(torch.nn.Module):
        def forward(self, x):
            return torch.nn.functional.dropout(x, 0.5, training=True)

    said = adapt(Network(Drawing()), recwarn)
    assert any("draws random numbers" in each for each in said) and not any("something else" in each for each in said)


def test_the_values_are_those_of_the_export():
    network = Network(Asking()).eval()
    with pytest.warns(UserWarning, match="something else"):
        model = fv.from_torch(network, input=INPUT)
    images = np.random.default_rng(0).random((1, 8, 8, 3), np.float32)
    found = model.apply(model.weights, images, layers=("first", "second"))
    np.testing.assert_allclose(found["second"], 2 * found["first"], rtol=1e-6)
