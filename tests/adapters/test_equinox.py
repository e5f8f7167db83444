"""Equinox modules as Models: names, values, and no step more than needed."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import featviz as fv
from featviz.errors import FeatvizError
from featviz.model import OUTPUT

pytestmark = pytest.mark.frameworks

eqx = pytest.importorskip("equinox", reason="Equinox is not installed: make test-frameworks installs it")

SPEC = fv.InputSpec(size=(8, 8), mean=(0.5,), std=(0.25,))
DEPTH = 3


class Mlp(eqx.Module):
    wide: eqx.nn.Linear
    narrow: eqx.nn.Linear
    drop: eqx.nn.Dropout

    def __init__(self, width, *, key):
        one, two = jax.random.split(key)
        self.wide = eqx.nn.Linear(width, 2 * width, key=one)
        self.narrow = eqx.nn.Linear(2 * width, width, key=two)
        self.drop = eqx.nn.Dropout(0.5)

    def __call__(self, x):
        return x + self.drop(self.narrow(jax.nn.gelu(self.wide(x))))


class Inheriting(Mlp):
    """Its `__call__` is another's."""


class Network(eqx.Module):
    """Blocks in a list and stacked for a scan, a module called twice, batch norm with its state."""

    stem: eqx.nn.Sequential
    norm: eqx.nn.BatchNorm
    shared: eqx.nn.Conv2d
    blocks: list
    stacked: Mlp
    head: eqx.nn.Linear

    def __init__(self, *, key):
        keys = jax.random.split(key, 6)
        self.stem = eqx.nn.Sequential([eqx.nn.Conv2d(3, 4, 3, padding=1, key=keys[0]), eqx.nn.Lambda(jax.nn.relu)])
        self.norm = eqx.nn.BatchNorm(4, axis_name="batch", mode="batch")
        self.shared = eqx.nn.Conv2d(4, 4, 1, key=keys[1])
        self.blocks = [Inheriting(4, key=keys[2]), Inheriting(4, key=keys[3])]
        self.stacked = eqx.filter_vmap(lambda key: Mlp(4, key=key))(jax.random.split(keys[4], DEPTH))
        self.head = eqx.nn.Linear(4, 5, key=keys[5])

    def __call__(self, x, state):
        x, state = self.norm(self.stem(x), state)
        x = jnp.mean(jax.nn.relu(self.shared(self.shared(x))), axis=(1, 2))
        for block in self.blocks:
            x = block(x)
        arrays, rest = eqx.partition(self.stacked, eqx.is_array)
        x, _ = jax.lax.scan(lambda x, part: (eqx.combine(part, rest)(x), None), x, arrays)
        return self.head(x), state


@pytest.fixture(scope="module")
def made():
    module, state = eqx.nn.make_with_state(Network)(key=jax.random.key(0))
    mean, var = jnp.array([0.1, -0.2, 0.3, 0.0]), jnp.array([0.5, 1.0, 2.0, 1.5])
    return module, state.set(module.norm.batch_state_index, (mean, var))


@pytest.fixture(scope="module")
def model(made):
    return fv.from_equinox(made[0], input=SPEC, state=made[1])


@pytest.fixture(scope="module")
def images():
    return jnp.asarray(np.random.default_rng(1).uniform(size=(2, 8, 8, 3)), jnp.float32)


def test_layers_are_named_by_the_paths_of_fields(model):
    names = [layer.name for layer in model.layers]
    block = ["wide", "wide/gelu", "narrow", ""]
    assert names == [
        *("stem/layers/0", "stem/layers/1", "stem", "norm", "shared", "shared[1]", "shared[1]/relu"),
        *(f"blocks/{number}/{name}".rstrip("/") for number in range(2) for name in block),
        *(f"stacked[{number}]/{name}".rstrip("/") for number in range(DEPTH) for name in block),
        "head",
    ]
    assert (model.layer("stem").shape, model.layer("blocks/0/wide").shape) == ((8, 8, 4), (8,))


def test_values_are_those_of_the_module_in_inference(model, made, images):
    module, state = eqx.nn.inference_mode(made[0]), made[1]
    found = jax.jit(model.apply)(model.weights, images)
    for number, image in enumerate(jnp.moveaxis((images - 0.5) / 0.25, -1, 1)):
        stem = module.stem(image)
        np.testing.assert_allclose(found["stem"][number], jnp.moveaxis(stem, 0, -1), rtol=1e-5, atol=1e-6)
        x = jnp.mean(jax.nn.relu(module.shared(module.shared(module.norm(stem, state)[0]))), axis=(1, 2))
        np.testing.assert_allclose(
            found["blocks/0/wide/gelu"][number], jax.nn.gelu(module.blocks[0].wide(x)), rtol=1e-4, atol=1e-6
        )
        x = module.blocks[1](module.blocks[0](x))
        for at in range(DEPTH):
            x = jax.tree.map(lambda leaf: leaf[at] if eqx.is_array(leaf) else leaf, module.stacked)(x)  # noqa: B023
            np.testing.assert_allclose(found[f"stacked[{at}]"][number], x, rtol=1e-4, atol=1e-6)
        np.testing.assert_allclose(found[OUTPUT][number], module(image, state)[0], rtol=1e-4, atol=1e-6)


def test_pictures_and_their_gradients(model, made):
    (picture,) = fv.render(model, fv.channel("stacked[1]/wide/gelu", [2]), size=8, steps=8, progress=False)
    assert np.isfinite(picture.score) and picture.history[-1] > picture.history[0]
    assert type(made[0].blocks[0]) is Inheriting


def test_a_layer_costs_as_much_as_a_network_cut_behind_it(model, made, images):
    def flops(function):
        return jax.jit(function).lower(model.weights, images).compile().cost_analysis()["flops"]

    def by_hand(weights, images):
        stem = eqx.combine(weights[0], made[0]).stem
        return jax.vmap(stem)(jnp.moveaxis((images - 0.5) / 0.25, -1, 1))

    ours = flops(lambda weights, images: model.apply(weights, images, layers=["stem"])["stem"])
    assert ours == flops(by_hand) < flops(lambda weights, images: model.apply(weights, images)[OUTPUT])


def test_an_argument_that_is_not_a_module_is_refused():
    with pytest.raises(FeatvizError, match="`module` is a dict; expected an equinox.Module"):
        fv.from_equinox({}, input=SPEC)


class Normed(eqx.Module):
    conv: eqx.nn.Conv2d
    bn: eqx.nn.BatchNorm

    def __init__(self):
        self.conv = eqx.nn.Conv2d(3, 4, 3, key=jax.random.key(0))
        self.bn = eqx.nn.BatchNorm(4, "batch", mode="batch")

    def __call__(self, x, state):
        return self.bn(self.conv(x), state)


class Optional(Normed):
    def __call__(self, x, state=None):
        y = self.conv(x)
        return y if state is None else self.bn(y, state)


def test_a_norm_needs_its_state():
    module, state = eqx.nn.make_with_state(Normed)()
    assert [layer.name for layer in fv.from_equinox(module, input=SPEC, state=state).layers] == ["conv", "bn"]
    with pytest.raises(FeatvizError, match="`state` is None, and Normed keeps state in `bn`; expected `state`"):
        fv.from_equinox(module, input=SPEC)
    other = eqx.nn.State(eqx.nn.Linear(2, 2, key=jax.random.key(0)))
    with pytest.raises(FeatvizError, match="`state` is of another network, and Normed keeps state in `bn`"):
        fv.from_equinox(module, input=SPEC, state=other)
    module, state = eqx.nn.make_with_state(Optional)()
    with pytest.warns(UserWarning, match="Optional runs without the state of `bn`"):
        fv.from_equinox(module, input=SPEC)


def test_a_network_of_half_precision_gets_its_images_so():
    convolution = eqx.nn.Conv2d(3, 4, 3, key=jax.random.key(0), dtype=jnp.bfloat16)
    model = fv.from_equinox(eqx.nn.Sequential([convolution, eqx.nn.Lambda(jax.nn.relu)]), input=SPEC)
    images = np.random.default_rng(0).random((2, 8, 8, 3), np.float32)
    found = model.apply(model.weights, images, layers=["layers/0"])["layers/0"]
    given = jnp.asarray((images - 0.5) / 0.25, jnp.bfloat16).transpose(0, 3, 1, 2)
    expected = jax.vmap(convolution)(given).transpose(0, 2, 3, 1)
    np.testing.assert_allclose(found.astype(jnp.float32), expected.astype(jnp.float32), rtol=1e-2, atol=1e-2)
