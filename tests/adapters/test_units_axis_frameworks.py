"""The axis of the units in networks of each framework: mixers, resizes, filters along units, tokens before images."""

import os

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen, nnx

import featviz as fv

pytestmark = pytest.mark.frameworks
SPEC = fv.InputSpec(size=16)
IMAGES = np.random.default_rng(0).random((3, 16, 16, 3)).astype(np.float32)


def shapes(model, *names):
    return {name: model.layer(name).shape for name in names}


class Linen(linen.Module):
    @linen.compact
    def __call__(self, x):
        y = linen.Conv(8, (4, 4), strides=(4, 4), name="stem")(x)
        y = linen.relu(jax.image.resize(y, (y.shape[0], 6, 5, 8), "bilinear"))
        return linen.relu(linen.DenseGeneral(7, axis=2, name="width")(y))


def test_linen():
    variables = Linen().init(jax.random.key(0), IMAGES)
    model = fv.from_linen(Linen(), variables, input=SPEC)
    assert shapes(model, "relu", "width", "width/relu") == {
        "relu": (6, 5, 8),
        "width": (6, 7, 8),
        "width/relu": (6, 7, 8),
    }


class Nnx(nnx.Module):
    def __init__(self, rngs):
        self.stem = nnx.Conv(3, 8, (4, 4), strides=4, rngs=rngs)
        self.up, self.down = nnx.Linear(16, 32, rngs=rngs), nnx.Linear(32, 16, rngs=rngs)
        self.filter = nnx.Conv(1, 1, (3,), rngs=rngs)

    def __call__(self, x):
        y = self.stem(x).reshape(x.shape[0], 16, 8)
        y = y + self.down(nnx.gelu(self.up(y.swapaxes(1, 2)))).swapaxes(1, 2)
        gate = self.filter(y.mean(1)[:, :, None])[:, :, 0]
        return y * nnx.sigmoid(gate)[:, None]


def test_nnx():
    model = fv.from_nnx(Nnx(nnx.Rngs(0)), input=SPEC)
    expected = {"up": (8, 32), "down": (16, 8), "filter": (1, 8)}
    assert shapes(model, *expected) == expected


def test_equinox():
    eqx = pytest.importorskip("equinox", reason="needs equinox: make test-frameworks")

    class Mixer(eqx.Module):
        stem: eqx.nn.Conv2d
        mix: eqx.nn.Linear
        attention: eqx.nn.MultiheadAttention

        def __call__(self, image):
            y = self.stem(image).reshape(8, 16)
            y = y + jax.vmap(self.mix)(y)
            return self.attention(y.T, y.T, y.T).mean(0)

    keys = jax.random.split(jax.random.key(0), 3)
    network = Mixer(
        eqx.nn.Conv2d(3, 8, 4, 4, key=keys[0]),
        eqx.nn.Linear(16, 16, key=keys[1]),
        eqx.nn.MultiheadAttention(2, 8, key=keys[2]),
    )
    expected = {"stem": (4, 4, 8), "mix": (16, 8), "attention": (16, 8)}
    assert shapes(fv.from_equinox(network, input=SPEC), *expected) == expected


def test_keras():
    os.environ.setdefault("KERAS_BACKEND", "jax")
    keras = pytest.importorskip("keras", reason="needs keras: make test-frameworks")
    layers = keras.layers
    image = layers.Input((16, 16, 3))
    x = tokens = layers.Reshape((16, 8), name="tokens")(layers.Conv2D(8, 4, strides=4)(image))
    x = layers.Dense(16, name="mix")(layers.Dense(32, activation="gelu", name="hidden")(layers.Permute((2, 1))(x)))
    x = layers.Add(name="sum")([layers.Permute((2, 1))(x), tokens])
    gate = layers.Conv1D(1, 3, padding="same", name="gate")(layers.Reshape((8, 1))(layers.GlobalAveragePooling1D()(x)))
    x = layers.Reshape((4, 4, 8))(layers.Multiply()([x, layers.Reshape((1, 8))(gate)]))
    x = layers.Resizing(9, 11, name="resized")(layers.UpSampling2D(3, interpolation="bilinear", name="up")(x))
    width = layers.Dense(7, name="width")(layers.Permute((3, 1, 2))(x))
    model = fv.from_keras(keras.Model(image, width), input=SPEC)
    expected = {
        "tokens": (16, 8), "hidden": (8, 32), "mix": (16, 8), "sum": (16, 8), "gate": (1, 8), "up": (12, 12, 8),
        "resized": (9, 11, 8), "width": (9, 7, 8),
    }  # fmt: skip
    assert shapes(model, *expected) == expected


def test_pytorch():
    torch = pytest.importorskip("torch", reason="needs PyTorch: make test-frameworks")
    nn = torch.nn

    class Network(nn.Module):
        """Windows folded into the images, tokens before the images, a token mixer, a table that sees no image."""

        def __init__(self):
            super().__init__()
            self.stem, self.table = nn.Conv2d(3, 8, 4, 4), nn.Linear(8, 8)
            self.inside, self.mix = nn.Linear(8, 8), nn.Conv1d(16, 16, 1)
            self.first = nn.TransformerEncoderLayer(8, 2, 12)

        def forward(self, x):
            y = self.stem(x) + self.table(torch.ones(1, 4, 4, 8)).permute(0, 3, 1, 2)
            y = y.permute(0, 2, 3, 1).unflatten(1, (2, 2)).unflatten(3, (2, 2)).transpose(2, 3).reshape(-1, 4, 8)
            y = self.inside(y).reshape(-1, 16, 8)
            y = self.mix(y) + y
            return self.table(self.first(y.transpose(0, 1)).mean(0))

    torch.manual_seed(0)
    network = Network().eval()
    model = fv.from_torch(network, input=fv.InputSpec(size=16, channels_first=True))
    expected = {"inside": (4, 4, 8), "mix": (16, 8), "first.linear1": (16, 12), "first": (16, 8), "table[1]": (8,)}
    assert shapes(model, *expected) == expected
    assert dict(model.absent) == {"table": "does not depend on the image"}
    found = {}
    for name, module in network.named_modules():
        module.register_forward_hook(lambda module, args, output, name=name: found.update({name: output}))
    with torch.no_grad():
        network(torch.tensor(IMAGES.transpose(0, 3, 1, 2)))
    ours = jax.jit(model.apply)(model.weights, jnp.asarray(IMAGES))
    for name, order in [("inside", (0, 1, 2)), ("mix", (0, 1, 2)), ("first", (1, 0, 2)), ("first.linear1", (1, 0, 2))]:
        values = found[name].numpy().transpose(order)
        np.testing.assert_allclose(ours[name].reshape(values.shape), values, rtol=1e-4, atol=1e-4)
    with pytest.raises(fv.FeatvizError, match=r"`axes` has 1 for `first`, an array of \(16, n, 8\); expected 0 or 2"):
        fv.from_torch(network, input=fv.InputSpec(size=16, channels_first=True), axes={"first": 1})


def test_pytorch_patches_that_become_images_of_their_own():
    """Windows by `nn.Unfold`, each an image with tokens of its own, as in TNT."""
    torch = pytest.importorskip("torch", reason="needs PyTorch: make test-frameworks")
    nn = torch.nn

    class Windows(nn.Module):
        """(n, channels, h, w) -> (n * windows, places, channels), the numbers of all but the channels the same."""

        def __init__(self):
            super().__init__()
            self.stem, self.unfold, self.norm = nn.Conv2d(3, 5, 1), nn.Unfold(4, stride=4), nn.LayerNorm(5)

        def forward(self, x):
            windows = self.unfold(self.stem(x)).transpose(1, 2).reshape(-1, 5, 4, 4)
            return self.norm(windows.flatten(2).transpose(1, 2))

    torch.manual_seed(0)
    network = Windows().eval()
    model = fv.from_torch(network, input=fv.InputSpec(size=16, channels_first=True))
    assert [(layer.name, layer.shape) for layer in model.layers][-1] == ("norm", (16, 16, 5))
    found = model.apply(model.weights, jnp.asarray(IMAGES), layers=["norm"])["norm"]
    with torch.no_grad():
        expected = network(torch.tensor(IMAGES.transpose(0, 3, 1, 2))).numpy()
    np.testing.assert_allclose(found, expected.reshape(found.shape), rtol=1e-4, atol=1e-5)


def test_pytorch_tokens_of_all_images_in_one_sequence():
    torch = pytest.importorskip("torch")

    class Packed(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.stem, self.norm = torch.nn.Conv2d(3, 5, 4, 4), torch.nn.LayerNorm(5)
            self.mlp = torch.nn.Linear(5, 7)

        def forward(self, x):
            tokens = torch.cat([image.flatten(1).T for image in self.stem(x)]).unsqueeze(0)
            return torch.softmax(self.mlp(self.norm(tokens)), dim=1)

    with pytest.warns(UserWarning, match="it is run image by image"):
        model = fv.from_torch(Packed(), input=fv.InputSpec(size=16, channels_first=True))
    assert shapes(model, "stem", "norm", "mlp") == {"stem": (4, 4, 5), "norm": (16, 5), "mlp": (16, 7)}
