"""Of several outputs the first is the network's, in its own order, not by the alphabet."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

import featviz as fv
from featviz.adapters.first_output import first_output

SPEC = fv.InputSpec(size=(8, 8))


def outputs(x):
    return {"z": x, "a": x.mean((0, 1))}


@pytest.mark.parametrize(
    "returned",
    [
        np.ones(2),
        {"z": np.ones(2), "a": np.zeros(3)},
        [{"z": np.ones(2)}, np.zeros(3)],
        (np.ones(3, int), np.ones(2), np.zeros(3)),
        {"loss": np.float32(0), "kept": np.ones(3, bool), "z": np.ones(2)},
        ({}, None, {"b": {"z": np.ones(2), "a": np.zeros(3)}, "a": np.zeros(3)}),
    ],
)
def test_the_first_array_in_the_order_of_the_network(returned):
    assert first_output(returned).shape == (2,)


def test_one_number_is_the_output_of_an_image_or_where_there_is_no_other():
    assert first_output((np.float32(1), np.zeros(3)), of_one_image=True) == 1
    assert first_output((np.ones(3, int), np.float32(1))).shape == (3,)


@pytest.mark.frameworks
def test_pytorch_whole_numbers_and_losses_are_not_the_output():
    torch = pytest.importorskip("torch", reason="needs PyTorch: make test-frameworks")

    class Net(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = torch.nn.Conv2d(3, 4, 3)

        def forward(self, x):
            y = self.conv(x).mean((2, 3))
            return {"loss": y.sum(), "label": y.argmax(1), "scores": y.softmax(1), "conv": y}

    net = Net().eval()
    model = fv.from_torch(net, input=fv.InputSpec(size=(8, 8), channels_first=True))
    images = np.random.default_rng(0).random((2, 8, 8, 3), np.float32)
    with torch.no_grad():
        expected = net(torch.tensor(images).permute(0, 3, 1, 2))["scores"]
    np.testing.assert_allclose(model.apply(model.weights, images)["<output>"], expected, rtol=1e-5)


def test_no_array_is_an_error():
    with pytest.raises(IndexError, match="it returned a dict without arrays"):
        first_output({"a": None})


def linen():
    class Net(nn.Module):
        @nn.compact
        def __call__(self, x):
            return outputs(nn.Conv(4, (3, 3))(x))

    return fv.from_linen(Net(), Net().init(jax.random.key(0), jnp.ones((1, 8, 8, 3))), input=SPEC)


def nnx_module():
    class Net(nnx.Module):
        def __init__(self):
            self.conv = nnx.Conv(3, 4, (3, 3), rngs=nnx.Rngs(0))

        def __call__(self, x):
            return outputs(self.conv(x))

    return fv.from_nnx(Net(), input=SPEC)


def function():
    # The last key of the dict is the output, here a dict itself.
    return fv.from_function(lambda w, x: {"h": x, "out": outputs(x @ w)}, jnp.ones((3, 4)), input=SPEC)


def equinox():
    eqx = pytest.importorskip("equinox", reason="needs Equinox: make test-frameworks")

    class Net(eqx.Module):
        conv: eqx.nn.Conv2d

        def __call__(self, x):
            y = self.conv(x)
            return {"z": y, "a": y.mean((1, 2))}

    return fv.from_equinox(Net(eqx.nn.Conv2d(3, 4, 3, padding=1, key=jax.random.key(0))), input=SPEC)


def keras():
    keras = pytest.importorskip("keras", reason="needs Keras: make test-frameworks")
    image = keras.layers.Input((8, 8, 3))
    y = keras.layers.Conv2D(4, 3, padding="same")(image)
    return fv.from_keras(keras.Model(image, {"z": y, "a": keras.layers.GlobalAveragePooling2D()(y)}))


DOORS = [
    linen,
    nnx_module,
    function,
    pytest.param(equinox, marks=pytest.mark.frameworks),
    pytest.param(keras, marks=pytest.mark.frameworks),
]


@pytest.mark.parametrize("build", DOORS)
def test_every_adapter_takes_the_first(build):
    with jax.numpy_rank_promotion("allow"), jax.numpy_dtype_promotion("standard"):
        model = build()
        values = model.apply(model.weights, jnp.ones((2, 8, 8, 3)), layers=["<output>"])["<output>"]
    assert values.shape == (2, 8, 8, 4)
