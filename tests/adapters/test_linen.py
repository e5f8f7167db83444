"""A Flax linen module as a Model: its names, its activations, and no step more than they need."""

from functools import partial

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

import featviz as fv
from featviz.adapters.linen import from_linen
from featviz.errors import FeatvizError
from featviz.model import IMAGE, OUTPUT, InputSpec
from featviz.zoo.architectures.caffe_layers import ceil_max_pool, local_response_norm
from featviz.zoo.architectures.googlenet import BLOCKS, POOL_BEFORE, GoogLeNet, Inception, Stem
from featviz.zoo.registry import ZOO

SPEC = InputSpec(size=(8, 8), mean=(0.5,), std=(0.25,))


class Block(nn.Module):
    width: int

    @nn.compact
    def __call__(self, x, *, train):
        y = nn.Conv(self.width, (3, 3), name="conv")(x)
        y = nn.relu(nn.BatchNorm(use_running_average=not train, name="norm")(y))
        y = nn.Conv(self.width, (3, 3), name="last")(y)
        return nn.relu(x + y) * 2.0


class Network(nn.Module):
    """A stem, a module called three times, blocks in a list, a ReLU of nobody's output, a head."""

    def setup(self):
        self.stem = nn.Conv(4, (3, 3))
        self.shared = nn.Conv(4, (1, 1))
        self.blocks = [Block(4), Block(4)]
        self.head = nn.Dense(5)

    def __call__(self, x, *, train=True):
        x = nn.relu6(self.stem(x))
        x = jnp.clip(self.shared(x), 0, 6)
        x = jnp.where(self.shared(x) > 0, 0.0, 1.0) + self.shared(x)
        for block in self.blocks:
            x = block(x, train=train)
        x = jnp.minimum(jnp.maximum(x - 1.0, 0), 6)
        return self.head(jnp.mean(x, axis=(1, 2)))


NAMES = {
    "stem": (), "stem/relu": ("stem",), "shared": ("stem/relu",), "shared/relu": ("shared",),
    "shared[1]": ("shared/relu",), "shared[2]": ("shared/relu",),
    "blocks_0/conv": ("shared[1]", "shared[2]"), "blocks_0/norm": ("blocks_0/conv",),
    "blocks_0/norm/relu": ("blocks_0/norm",), "blocks_0/last": ("blocks_0/norm/relu",),
    "blocks_0/relu": ("shared[1]", "shared[2]", "blocks_0/last"), "blocks_0": ("blocks_0/relu",),
    "blocks_1/conv": ("blocks_0",), "blocks_1/norm": ("blocks_1/conv",),
    "blocks_1/norm/relu": ("blocks_1/norm",), "blocks_1/last": ("blocks_1/norm/relu",),
    "blocks_1/relu": ("blocks_0", "blocks_1/last"), "blocks_1": ("blocks_1/relu",),
    "relu": ("blocks_1",), "head": ("relu",),
}  # fmt: skip


class Until(nn.Module):
    """GoogLeNet cut off by hand behind one of its blocks."""

    last: str

    @nn.compact
    def __call__(self, x):
        x = Stem(("7x7_s2",), (64,), (7,), stride=2, name="conv1")(x)
        x = local_response_norm(ceil_max_pool(x))
        x = Stem(("3x3_reduce", "3x3"), (64, 192), (1, 3), name="conv2")(x)
        x = ceil_max_pool(local_response_norm(x))
        for name, widths in BLOCKS.items():
            x = Inception(widths, name=name)(ceil_max_pool(x) if name in POOL_BEFORE else x)
            if name == self.last:
                return x


@pytest.fixture(scope="module")
def network():
    shapes = jax.eval_shape(partial(Network().init, train=False), jax.random.key(0), jnp.zeros((1, 8, 8, 3)))
    uniform = np.random.default_rng(0).uniform
    variables = jax.tree.map(lambda leaf: uniform(-0.3, 0.7, leaf.shape).astype(np.float32), shapes)
    variables["batch_stats"] = jax.tree.map(np.abs, variables["batch_stats"])
    return from_linen(Network(), variables, input=SPEC, train=False)


@pytest.fixture(scope="module")
def images():
    return jnp.asarray(np.random.default_rng(1).uniform(size=(2, 8, 8, 3)), jnp.float32)


@pytest.fixture(scope="module")
def untrained_googlenet():
    spec = ZOO["googlenet"].input
    shapes = jax.eval_shape(GoogLeNet().init, jax.random.key(0), jnp.zeros((1, 32, 32, 3)))
    weights = jax.tree.map(lambda leaf: np.full(leaf.shape, 0.01, leaf.dtype), shapes)
    return from_linen(GoogLeNet(), weights, input=spec)


def flops(function, *args):
    return jax.jit(function).lower(*args).compile().cost_analysis()["flops"]


def test_every_module_and_every_relu_has_its_name_and_parents_in_forward_order(network):
    assert {layer.name: layer.parents for layer in network.layers} == NAMES
    position = {layer.name: index for index, layer in enumerate(network.layers)}
    assert all(position[parent] < position[name] for name, parents in NAMES.items() for parent in parents)


def test_shapes_units_and_the_count_of_relus(network):
    assert {layer.shape for layer in network.layers if layer.name != "head"} == {(8, 8, 4)}
    assert (network.layer("head").shape, network.layer("head").units) == ((5,), 5)
    assert network.relus == sum(name.endswith("relu") for name in NAMES) == 7


def test_activations_are_those_that_flax_captures(network, images):
    activations = jax.jit(network.apply)(network.weights, images)
    capture = partial(Network().apply, train=False, capture_intermediates=True, mutable="intermediates")
    output, state = jax.jit(capture)(network.weights, SPEC.encode(images))
    captured = state["intermediates"]
    np.testing.assert_array_equal(activations[IMAGE], images)
    np.testing.assert_allclose(activations[OUTPUT], output, rtol=1e-5)
    for call, value in enumerate(captured["shared"]["__call__"]):
        np.testing.assert_allclose(activations[f"shared[{call}]" if call else "shared"], value, rtol=1e-5)
    norm = captured["blocks_1"]["norm"]["__call__"][0]
    np.testing.assert_allclose(activations["blocks_1/norm/relu"], nn.relu(norm), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(activations["blocks_0/relu"] * 2.0, captured["blocks_0"]["__call__"][0], rtol=1e-4)
    np.testing.assert_allclose(activations["stem/relu"], np.clip(captured["stem"]["__call__"][0], 0, 6), rtol=1e-5)


def test_apply_returns_the_requested_layers(network, images):
    some = jax.eval_shape(partial(network.apply, layers=["blocks_0", IMAGE, "stem"]), network.weights, images)
    assert set(some) == {IMAGE, "blocks_0", "stem"}


def test_keyword_arguments_reach_the_module(network):
    # While training, batch norm writes its statistics, which a Model does not let it; the fixture says train=False.
    with pytest.raises(FeatvizError, match="batch_stats") as error:
        from_linen(Network(), network.weights, input=SPEC)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(("asked", "hint"), [("blocks_0/cnv", "blocks_0/conv"), ("Stem", "stem")])
def test_an_unknown_layer_gets_the_nearest_name(network, images, asked, hint):
    with pytest.raises(FeatvizError, match=f"`{asked}`.*did you mean `{hint}`"):
        network.apply(network.weights, images, layers=[asked])
    with pytest.raises(FeatvizError, match=f"`{asked}`.*did you mean `{hint}`"):
        network.layer(asked)


def test_names_are_the_same_inside_other_transformations_and_scopes(network, images):
    seen = []

    @jax.named_scope("elsewhere")
    def score(weights, image):
        seen.append(set(activations := network.apply(weights, image[None])))
        return jnp.sum(activations["relu"])

    gradients = jax.jit(jax.vmap(jax.grad(score, 1), in_axes=(None, 0)))(network.weights, images)
    assert seen == [{*NAMES, IMAGE, OUTPUT}]
    assert gradients.shape == images.shape


def test_a_layer_costs_as_much_as_a_network_cut_behind_it(untrained_googlenet):
    model, cut, images = untrained_googlenet, Until("inception_3b"), jnp.zeros((1, 32, 32, 3))
    ours = flops(lambda w, x: model.apply(w, x, layers=["inception_3b"])["inception_3b"], model.weights, images)
    by_hand = flops(lambda w, x: cut.apply(w, model.input.encode(x)), model.weights, images)
    assert ours == by_hand < flops(lambda w, x: model.apply(w, x)[OUTPUT], model.weights, images)


def test_so_does_its_gradient_by_lanes_and_steps(network, images):
    lanes = jnp.stack([images, 1.0 - images])

    def by_hand(weights, images):
        x = nn.Conv(4, (3, 3)).apply({"params": weights["params"]["stem"]}, SPEC.encode(images))
        return nn.Conv(4, (1, 1)).apply({"params": weights["params"]["shared"]}, nn.relu6(x))

    def ascend(activation):
        def score(images, weights):
            return jnp.mean(jnp.square(activation(weights, images)))

        def steps(lane, weights):
            return lax.scan(lambda x, _: (x + jax.grad(score)(x, weights), None), lane, None, length=3)[0]

        return flops(jax.vmap(steps, in_axes=(0, None)), lanes, network.weights)

    ours = ascend(lambda w, x: network.apply(w, x, layers=["shared"])["shared"])
    assert ours == ascend(by_hand)
    assert ours < ascend(lambda w, x: network.apply(w, x, layers=["head"])["head"])


def test_weights_are_an_argument_and_never_compiled_in(untrained_googlenet):
    model, images = untrained_googlenet, jnp.zeros((1, 32, 32, 3))
    text = jax.jit(model.apply).lower(model.weights, images).as_text()
    assert len(text) < 300_000  # seven million weights would be tens of megabytes
    assert max(map(len, text.splitlines())) < 20_000


class Doubled(nn.Module):
    """A module without parameters."""

    def __call__(self, x):
        return 2 * x


class Borrowing(nn.Module):
    """A network that calls a module which is not part of it."""

    @nn.compact
    def __call__(self, x):
        return nn.Dense(3, name="dense")(Doubled()(DOUBLED(x)))


DOUBLED = Doubled(parent=None)


def test_modules_that_are_not_part_of_the_network_run():
    network = Borrowing()
    image = jnp.ones((1, 8, 8, 3))
    variables = network.init(jax.random.key(0), image)
    model = from_linen(network, variables, input=InputSpec(size=(8, 8)))
    assert [layer.name for layer in model.layers] == ["Doubled_0", "dense"]
    found = model.apply(model.weights, image, layers=["dense"])["dense"]
    np.testing.assert_allclose(found, network.apply(variables, image), rtol=1e-6)


class Regularized(nn.Module):
    @nn.compact
    def __call__(self, x, *, train=True):
        x = nn.BatchNorm(use_running_average=not train)(nn.Conv(4, (3, 3))(x))
        return nn.Dropout(0.5, deterministic=not train)(x)


def test_what_flax_refuses_says_what_is_expected():
    network = Regularized()
    variables = network.init(jax.random.key(0), jnp.ones((1, 8, 8, 3)), train=False)
    with pytest.raises(FeatvizError, match="expected arguments under which it updates nothing, such as train=False"):
        from_linen(network, variables, input=SPEC)
    with pytest.raises(FeatvizError, match="expected all `variables` that `module.init` returns"):
        from_linen(network, {"params": variables["params"]}, input=SPEC, train=False)
    dropout = nn.Sequential([nn.Dense(4), nn.Dropout(0.5, deterministic=False)])
    dense = {"kernel": jnp.ones((3, 4)), "bias": jnp.ones(4)}
    with pytest.raises(FeatvizError, match="expected arguments under which it draws nothing, such as train=False"):
        from_linen(dropout, {"params": {"layers_0": dense}}, input=SPEC)
    with pytest.raises(FeatvizError, match="expected all `variables` that `module.init` returns"):
        from_linen(dropout, {"layers_0": dense}, input=SPEC)


def test_variables_with_partitions_are_taken_and_pictures_drawn():
    init = nn.with_partitioning(nn.initializers.lecun_normal(), (None, None, None, "model"))
    network = nn.Sequential([nn.Conv(4, (3, 3), kernel_init=init), nn.relu])
    variables = network.init(jax.random.key(0), jnp.ones((1, 8, 8, 3)))
    model = from_linen(network, variables, input=SPEC)
    picture = fv.render(model, fv.channel("layers_0", 1), steps=2, progress=False)
    assert picture.score > 0
