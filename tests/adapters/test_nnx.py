"""A Flax nnx module as a Model: its names and values, and the module left as it was."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx

import featviz as fv
from featviz.adapters.nnx import from_nnx, weights_of
from featviz.errors import FeatvizError
from featviz.model import IMAGE, OUTPUT, hash_weights

SPEC = fv.InputSpec(size=(8, 8), mean=(0.5,), std=(0.25,))
DEPTH = 3


class Block(nnx.Module):
    def __init__(self, width, *, rngs):
        self.conv = nnx.Conv(width, width, (3, 3), rngs=rngs)
        self.norm = nnx.BatchNorm(width, rngs=rngs)
        self.drop = nnx.Dropout(0.5, rngs=rngs)

    def __call__(self, x):
        y = self.drop(nnx.relu(self.norm(self.conv(x))))
        return nnx.relu(x + y) * 2.0


class Inheriting(Block):
    """Its `__call__` is another's."""


class Mlp(nnx.Module):
    def __init__(self, width, *, rngs):
        self.wide = nnx.Linear(width, 2 * width, rngs=rngs)
        self.narrow = nnx.Linear(2 * width, width, rngs=rngs)

    def __call__(self, x):
        return x + self.narrow(nnx.gelu(self.wide(x)))


class Network(nnx.Module):
    """A stem, a module called twice, blocks in lists and dicts, rematerialized, and stacked for a scan."""

    def __init__(self, *, rngs):
        self.stem = nnx.Sequential(nnx.Conv(3, 4, (3, 3), rngs=rngs), nnx.relu)
        self.shared = nnx.Conv(4, 4, (1, 1), rngs=rngs)
        self.alias = self.shared
        self.blocks = nnx.List([Inheriting(4, rngs=rngs), Inheriting(4, rngs=rngs)])
        self.extra = nnx.Dict(side=Mlp(4, rngs=rngs))
        self.stacked = nnx.vmap(lambda rngs: Mlp(4, rngs=rngs))(rngs.split(DEPTH))
        self.head = nnx.Linear(4, 5, rngs=rngs)

    def __call__(self, x):
        x = self.alias(self.shared(self.stem(x)))
        x = self.blocks[0](x)
        x = nnx.remat(lambda block, x: block(x))(self.blocks[1], x)
        x = self.extra["side"](x)
        x = nnx.scan(lambda x, mlp: mlp(x), in_axes=(nnx.Carry, 0), out_axes=nnx.Carry)(x, self.stacked)
        x = nnx.silu(x - 1.0)
        return self.head(jnp.mean(x, axis=(1, 2)))


BLOCK = ["conv", "norm", "norm/relu", "relu", ""]
MLP = ["/wide", "/wide/gelu", "/narrow", ""]
NAMES = [
    "stem/layers/0", "stem", "alias", "alias[1]",
    *(f"blocks/{number}/{name}".rstrip("/") for number in range(2) for name in BLOCK),
    *(f"extra/side{name}" for name in MLP),
    *(f"stacked[{number}]{name}" for number in range(DEPTH) for name in MLP),
    "silu", "head",
]  # fmt: skip


@pytest.fixture(scope="module")
def made():
    network = Network(rngs=nnx.Rngs(0))
    uniform = np.random.default_rng(0).uniform
    state = nnx.state(network, (nnx.Param, nnx.BatchStat))
    nnx.update(network, jax.tree.map(lambda leaf: jnp.asarray(uniform(0.0, 0.4, leaf.shape), leaf.dtype), state))
    return network


@pytest.fixture
def module(made):
    return nnx.clone(made)


@pytest.fixture
def images():
    return jnp.asarray(np.random.default_rng(1).uniform(size=(2, 8, 8, 3)), jnp.float32)


def flops(function, *args):
    return jax.jit(function).lower(*args).compile().cost_analysis()["flops"]


def test_layers_are_named_by_the_paths_of_attributes(module):
    model = from_nnx(module, input=SPEC)
    assert [layer.name for layer in model.layers] == NAMES
    assert model.layer("blocks/1/norm/relu").shape == (8, 8, 4)
    assert model.layer("stacked[2]/wide/gelu").parents == ("stacked[2]/wide",)
    assert model.layer("stacked[0]/wide").parents == ("extra/side",)
    assert model.layer("head").parents == ("silu",)


def test_values_are_those_of_the_module_in_evaluation(module, images):
    model = from_nnx(module, input=SPEC)
    found = jax.jit(model.apply)(model.weights, images)
    module.eval()
    encoded = SPEC.encode(images)
    stem = module.stem(encoded)
    np.testing.assert_array_equal(found[IMAGE], images)
    np.testing.assert_allclose(found["stem"], stem, rtol=1e-5)
    x = found["alias[1]"]
    np.testing.assert_allclose(x, module.shared(module.shared(stem)), rtol=1e-4, atol=1e-5)
    block = module.blocks[0]
    np.testing.assert_allclose(found["blocks/0/norm/relu"], nnx.relu(block.norm(block.conv(x))), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(found["blocks/0"], block(x), rtol=1e-4, atol=1e-5)
    x = found["extra/side"]
    for number in range(DEPTH):
        graph, state = nnx.split(module.stacked)
        mlp = nnx.merge(graph, jax.tree.map(lambda leaf: leaf[number], state))  # noqa: B023
        gelu = nnx.gelu(mlp.wide(x))
        np.testing.assert_allclose(found[f"stacked[{number}]/wide/gelu"], gelu, rtol=1e-4, atol=1e-5)
        x = mlp(x)
        np.testing.assert_allclose(found[f"stacked[{number}]"], x, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(found[OUTPUT], module(encoded), rtol=1e-4, atol=1e-5)


def test_the_module_is_left_as_it_was(module, images):
    before, structure = hash_weights(weights_of(module)), str(nnx.graphdef(module))
    counts = nnx.to_pure_dict(nnx.state(module, nnx.RngCount))
    model = from_nnx(module, input=SPEC)
    model.apply(model.weights, images, layers=["stacked[1]/wide"])
    assert (hash_weights(weights_of(module)), str(nnx.graphdef(module))) == (before, structure)
    assert jax.tree.all(jax.tree.map(jnp.array_equal, counts, nnx.to_pure_dict(nnx.state(module, nnx.RngCount))))
    assert type(module.blocks[0]) is Inheriting
    # Still in training: dropout drops, and the batch's own statistics count.
    assert not module.blocks[0].drop.deterministic and not module.blocks[0].norm.use_running_average
    assert not jnp.array_equal(module(SPEC.encode(images)), module(SPEC.encode(images)))


def test_weights_later_in_training_are_those_of_the_live_module(module, images):
    model = from_nnx(module, input=SPEC)
    first = model.apply(model.weights, images)[OUTPUT]
    optimizer = nnx.Optimizer(module, optax.sgd(0.1), wrt=nnx.Param)
    # Its old arrays are thrown away, as training may.
    step = nnx.jit(
        lambda module, optimizer: optimizer.update(
            module, nnx.grad(lambda module: jnp.sum(jnp.square(module(SPEC.encode(images)))))(module)
        ),
        donate_argnums=0,
    )
    step(module, optimizer)
    weights = weights_of(module)
    assert jax.tree.structure(weights) == jax.tree.structure(model.weights)
    found = model.apply(weights, images)[OUTPUT]
    module.eval()
    np.testing.assert_allclose(found, module(SPEC.encode(images)), rtol=1e-4, atol=1e-5)
    assert not np.allclose(found, first)
    np.testing.assert_array_equal(weights_of(nnx.state(module))["head"]["bias"], module.head.bias[...])


def test_a_layer_costs_as_much_as_a_network_cut_behind_it(module, images):
    model = from_nnx(module, input=SPEC)

    def by_hand(weights, images):
        x = SPEC.encode(images)
        first, shared = weights["stem"]["layers"][0], weights["alias"]
        for kernel, bias in ((first["kernel"], first["bias"]), (shared["kernel"], shared["bias"])):
            x = jax.lax.conv_general_dilated(x, kernel, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"))
            x = x + bias.reshape(1, 1, 1, -1)
            x = nnx.relu(x) if kernel is first["kernel"] else x
        return x

    ours = flops(lambda weights, images: model.apply(weights, images, layers=["alias"])["alias"], model.weights, images)
    assert ours == flops(by_hand, model.weights, images)


def test_a_network_that_draws_at_random_draws_the_same_each_time(images):
    class Noisy(nnx.Module):
        def __init__(self, rngs):
            self.noise, self.head = rngs.fork(), nnx.Linear(3, 4, rngs=rngs)

        def __call__(self, x):
            return self.head(x + jax.random.normal(self.noise.params(), x.shape))

    module = Noisy(nnx.Rngs(0))
    with pytest.warns(UserWarning, match="`head` depends on random numbers"):
        model = from_nnx(module, input=SPEC)
    first, again = (model.apply(model.weights, images)[OUTPUT] for _ in range(2))
    np.testing.assert_array_equal(first, again)
    alone = [Noisy(nnx.Rngs(0))(SPEC.encode(images[i : i + 1])) for i in range(len(images))]
    np.testing.assert_allclose(first, np.concatenate(alone), rtol=1e-5, atol=1e-6)


def test_keyword_arguments_reach_the_module_and_what_it_sows_has_a_name():
    class Switch(nnx.Module):
        def __init__(self, rngs):
            self.head = nnx.Linear(3, 4, rngs=rngs)

        def __call__(self, x, *, twice):
            self.sow(nnx.Intermediate, "half", x * 0.5)
            return self.head(x) * (2.0 if twice else 1.0)

    one, two = (from_nnx(Switch(nnx.Rngs(0)), input=SPEC, twice=twice) for twice in (False, True))
    image = jnp.ones((1, 8, 8, 3))
    np.testing.assert_allclose(2 * one.apply(one.weights, image)[OUTPUT], two.apply(two.weights, image)[OUTPUT])
    np.testing.assert_allclose(one.apply(one.weights, image)["half"], 0.5 * SPEC.encode(image))


def test_an_argument_that_is_not_a_module_is_refused():
    with pytest.raises(FeatvizError, match="`module` is a dict; expected an instance of a flax.nnx.Module"):
        from_nnx({}, input=SPEC)
    with pytest.raises(FeatvizError, match="Linear cannot run on images of 8 x 8 px") as error:
        from_nnx(nnx.Linear(7, 4, rngs=nnx.Rngs(0)), input=SPEC)
    assert "\n" not in str(error.value)
