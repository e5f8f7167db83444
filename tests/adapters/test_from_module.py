"""PyTorch's modules as Models: the values and gradients are PyTorch's own, and so are the names."""

import copy
import dataclasses
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs PyTorch: make test-frameworks")

import torch.nn.functional as F  # noqa: E402
from support.torch_networks import NETWORKS, Residual, VisionTransformer, make  # noqa: E402
from torch import nn  # noqa: E402
from torch.distributed.algorithms._checkpoint.checkpoint_wrapper import checkpoint_wrapper  # noqa: E402

import featviz as fv  # noqa: E402
from featviz.errors import FeatvizError  # noqa: E402
from featviz.gradients.max_pooling import indexed_max_pool  # noqa: E402
from featviz.model import IMAGE, OUTPUT, before_relu  # noqa: E402
from featviz.tracing.program import trace  # noqa: E402

pytestmark = pytest.mark.frameworks

SPEC = fv.InputSpec(size=(32, 32), mean=(0.4, 0.5, 0.6), std=(0.25,), channels_first=True)


@pytest.fixture(scope="module", params=list(NETWORKS))
def network(request):
    return make(NETWORKS[request.param])


@pytest.fixture(scope="module")
def model(network):
    return fv.from_torch(network, input=SPEC)


@pytest.fixture(scope="module")
def residual():
    return fv.from_torch(make(Residual), input=SPEC)


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(1).uniform(size=(2, 32, 32, 3)).astype(np.float32)


def by_pytorch(network, images):
    """What PyTorch's modules return, by name, as functions of the image that it hands back."""
    x = torch.tensor(images, requires_grad=True)
    found, hooks = {}, []

    def read(name):
        def hook(module, args, output):
            parts = dict(enumerate(output)) if isinstance(output, tuple) else {"": output}
            outputs = {f"{name}/{at}".rstrip("/"): each for at, each in parts.items() if torch.is_tensor(each)}
            for key, value in outputs.items():
                number = sum(each.split("[")[0] == key for each in found)
                found[f"{key}[{number}]" if number else key] = value.clone()

        return hook

    network = copy.deepcopy(network).eval()
    for name, module in network.named_modules():
        hooks.append(module.register_forward_hook(read(name or OUTPUT)))
    network(((x - torch.tensor(SPEC.mean)) / SPEC.std[0]).permute(0, 3, 1, 2))
    return x, found


def turned(value):
    """PyTorch's axes in featviz's order."""
    value = value.detach().numpy()
    return np.moveaxis(value, 1, -1) if value.ndim == 4 else value


def differ(ours, theirs):
    return np.abs(ours - theirs).max() / np.abs(theirs).max()


def flops(function, *args):
    return jax.jit(function).lower(*args).compile().cost_analysis()["flops"]


def test_every_module_has_its_values(network, model, images):
    _, theirs = by_pytorch(network, images)
    ours = jax.jit(model.apply)(model.weights, images)
    assert set(theirs) <= set(ours)
    functions = {
        name
        for name in ours
        if name.split("/")[-1].split("_")[0] in ("relu", "gelu", "silu", "heads", "sigmoid", "hard")
    }
    assert set(ours) - set(theirs) - functions == {IMAGE}
    for name, value in theirs.items():
        assert differ(ours[name], turned(value)) < 1e-4, name
    alone = jax.eval_shape(model.apply, model.weights, images[:1])
    assert {name: value.shape[1:] for name, value in alone.items()} == {n: v.shape[1:] for n, v in ours.items()}


def test_image_gradients_are_those_of_pytorch(network, model, images):
    x, theirs = by_pytorch(network, images)
    names = [*[name for name in theirs if name != OUTPUT][3 :: len(theirs) // 6], OUTPUT]
    random = np.random.default_rng(2)
    weights = {name: random.normal(size=turned(theirs[name]).shape).astype(np.float32) for name in names}

    def score(images, name):
        return jnp.sum(model.apply(model.weights, images, layers=[name])[name] * weights[name])

    ours = jax.jit(lambda images: {name: jax.grad(score)(images, name) for name in names})(images)
    for name in names:
        weight = torch.tensor(np.moveaxis(weights[name], -1, 1).copy() if theirs[name].ndim == 4 else weights[name])
        (expected,) = torch.autograd.grad((theirs[name] * weight).sum(), x, retain_graph=True)
        assert differ(ours[name], expected.numpy()) < 1e-4, name


def test_names_are_pytorchs_and_functions_are_named_after_their_module():
    layers = {layer.name: layer for layer in fv.from_torch(make(Residual), input=SPEC).layers}
    assert [name for name in layers if "layer" not in name] == ["conv1", "bn1", "bn1/relu", "maxpool", "avgpool", "fc"]
    assert [name for name in layers if name.startswith("layer2.0")] == [
        *("layer2.0.conv1", "layer2.0.bn1", "layer2.0.relu", "layer2.0.conv2", "layer2.0.bn2"),
        *("layer2.0.downsample.0", "layer2.0.downsample.1", "layer2.0.downsample", "layer2.0.relu[1]", "layer2.0"),
    ]
    assert layers["layer2.0"].parents == ("layer2.0.bn2", "layer2.0.downsample")
    assert layers["layer2.0.conv1"].shape == (4, 4, 16) and layers["fc"].shape == (5,)
    assert layers["maxpool"].rectified and not layers["layer2.0.bn2"].rectified

    class Odd(nn.Module):
        """A ReLU of nobody's output in a module within, a SiLU after it, and a GELU in the network itself."""

        def __init__(self):
            super().__init__()
            self.inner = Doubled()

        def forward(self, x):
            return F.gelu(F.silu(self.inner(x) * 2.0).mean((2, 3)))

    class Doubled(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = nn.Conv2d(3, 4, 3)

        def forward(self, x):
            return F.relu(self.conv(x) * 2.0) + 1.0

    odd = fv.from_torch(Odd(), input=SPEC)
    assert [layer.name for layer in odd.layers] == ["inner.conv", "inner/relu", "inner", "inner/silu", "gelu"]


def test_a_layer_costs_only_the_steps_it_needs(residual, images):
    def cost(name):
        return flops(lambda w, x: residual.apply(w, x, layers=[name])[name], residual.weights, images)

    # 2 * 16 * 16 * 8 outputs of 5 * 5 * 3 products each for conv1.
    assert cost("conv1") == pytest.approx(2 * 2 * 16 * 16 * 8 * 75, rel=0.1)
    assert cost("conv1") < 0.6 * cost("layer1") < 0.5 * cost("fc")


def test_weights_are_an_argument_and_one_program_serves_all_units(residual, images):
    text = jax.jit(residual.apply).lower(residual.weights, images).as_text()
    assert max(map(len, text.splitlines())) < 5_000
    calls = []

    def apply(weights, images, *, layers=None):
        calls.append(layers)
        return residual.apply(weights, images, layers=layers)

    model = dataclasses.replace(residual, apply=apply)
    options = {"size": 32, "steps": 4, "progress": False}
    first = fv.render(model, fv.channel("layer1.0.conv1", [0, 1]), **options)
    traced = len(calls)
    more = fv.render(model, fv.channel("layer1.0.conv1", [2, 5, 7]), **options)
    # Not even for the layers' shapes once more.
    assert len(calls) == traced
    for picture in (*first, *more):
        assert np.isfinite(picture.score) and picture.pixels.std() > 0.01
    assert np.abs(first[0].pixels - first[1].pixels).max() > 0.05


def test_preactivations_of_relus_in_place(residual, images):
    found = residual.apply(
        residual.weights, images, layers=["bn1", "layer1.0.bn2", before_relu("bn1/relu"), before_relu("layer1.0.relu")]
    )
    np.testing.assert_allclose(found[before_relu("bn1/relu")], found["bn1"], rtol=1e-5)
    assert found[before_relu("layer1.0.relu")].min() < 0
    picture = fv.render(residual, -fv.channel("layer1.0.relu", 1), size=32, steps=4, progress=False)
    assert np.isfinite(picture.score) and picture.pixels.std() > 0.01


def test_gradient_rules_find_the_pooling(residual, images):
    program, _ = trace(lambda x: residual.apply(residual.weights, x, layers=["maxpool"]), jnp.asarray(images))
    found = [step.primitive.name for step in program.steps if indexed_max_pool(program, step) is not None]
    assert found == ["reduce_window_max"]
    # One stem, and two in each of four blocks.
    assert residual.relus == 9


def test_the_module_is_left_as_it_is(images):
    network = make(VisionTransformer).train()
    seen = []
    network.blocks[0].register_forward_hook(lambda module, args, output: seen.append(type(output)))
    before, hooks = copy.deepcopy(network.state_dict()), [len(m._forward_hooks) for m in network.modules()]
    fast = torch.backends.mha.get_fastpath_enabled()
    model = fv.from_torch(network, input=SPEC)
    output = model.apply(model.weights, images)[OUTPUT]
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())
    assert all(module.training for module in network.modules())
    assert [len(module._forward_hooks) for module in network.modules()] == hooks
    assert all("forward" not in vars(module) for module in network.modules())
    assert torch.backends.mha.get_fastpath_enabled() == fast
    # PyTorch is as it was: its tensors, devices and random numbers.
    assert type(torch.ones(2) + 1) is torch.Tensor
    # Training goes on, and what was copied stays.
    with torch.no_grad():
        network.head.bias += 1.0
    np.testing.assert_array_equal(model.apply(model.weights, images)[OUTPUT], output)


class Unusual(nn.Module):
    """Tied weights, a tensor that is a plain attribute, several outputs, integers, something kept for later."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)
        self.first, self.second = nn.Linear(4, 4), nn.Linear(4, 4)
        self.second.weight = self.first.weight
        self.scale = torch.full((1, 4, 1, 1), 2.0)
        self.register_buffer("order", torch.tensor([3, 2, 1, 0]))
        self.split, self.side = Split(), Side()

    def forward(self, x):
        self.kept = self.conv(x) * self.scale
        a, b = self.split(self.kept[:, self.order])
        ramp = torch.arange(self.side(x)).float() / 32
        return {"logits": self.second(self.first((a + b + ramp[2:]).mean((2, 3)))), "maps": self.kept}


class Side(nn.Module):
    def forward(self, x):
        return x.shape[-1]


class Split(nn.Module):
    def forward(self, x):
        return torch.relu(x), F.silu(x, inplace=True)


def test_ties_attributes_tuples_integers_and_dicts(images):
    network = Unusual()
    model = fv.from_torch(network, input=SPEC)
    assert "second.weight" not in model.weights and model.weights["scale"].shape == (1, 4, 1, 1)
    assert {value.dtype.name for value in model.weights.values()} == {"float32", "int32"}
    assert {"split/0", "split/1", "first", "second"} <= {layer.name for layer in model.layers}
    found = model.apply(model.weights, images, layers=["split/1", OUTPUT])
    _, theirs = by_pytorch(network, images)
    assert differ(found["split/1"], turned(theirs["split/1"])) < 1e-4
    expected = network(torch.tensor(np.array(SPEC.encode(jnp.asarray(images)))))["logits"].detach().numpy()
    assert differ(found[OUTPUT], expected) < 1e-4
    assert torch.is_tensor(network.kept)


def test_other_sizes_where_the_network_allows(residual):
    images = np.random.default_rng(3).uniform(size=(1, 48, 40, 3)).astype(np.float32)
    _, theirs = by_pytorch(make(Residual), images)
    assert differ(residual.apply(residual.weights, images, layers=["fc"])["fc"], turned(theirs["fc"])) < 1e-4
    transformer = fv.from_torch(make(VisionTransformer), input=SPEC)
    assert transformer.apply(transformer.weights, images, layers=["conv_proj"])["conv_proj"].shape == (1, 6, 5, 12)
    with pytest.raises(fv.FeatvizError, match=r"`size` is 48 x 40: VisionTransformer cannot run.*expected 32 x 32"):
        transformer.apply(transformer.weights, images, layers=["head"])


@pytest.mark.parametrize("kind", [nn.AvgPool2d, nn.MaxPool2d])
def test_pooling_at_the_edges(kind):
    random = np.random.default_rng(0)
    for size, (kernel, stride, padding), ceil, include in itertools.product(
        (7, 8), ((3, 2, 1), (2, 2, 0), (3, 3, 1), (3, 1, 1), ((2, 3), (3, 2), (0, 1))), (False, True), (True, False)
    ):
        named = {"count_include_pad": include} if kind is nn.AvgPool2d else {}
        network = nn.Sequential(nn.Identity(), kind(kernel, stride, padding, ceil_mode=ceil, **named))
        spec = fv.InputSpec(size=(size, size), channels_first=True)
        image = random.normal(size=(1, size, size, 3)).astype(np.float32)
        model = fv.from_torch(network, input=spec)
        expected = turned(network(torch.tensor(image).permute(0, 3, 1, 2)))
        np.testing.assert_allclose(model.apply({}, image, layers=["1"])["1"], expected, rtol=1e-5, atol=1e-6)


def test_half_precision_becomes_single(images):
    model = fv.from_torch(make(Residual).bfloat16(), input=SPEC)
    assert (
        model.weights["conv1.weight"].dtype
        == model.apply(model.weights, images, layers=["fc"])["fc"].dtype
        == "float32"
    )


def test_a_failure_is_one_line_that_names_the_module():
    with pytest.raises(
        fv.FeatvizError, match=r"Residual cannot run.*in `conv1`, a Conv2d: .*`channels_first=True`"
    ) as error:
        fv.from_torch(make(Residual), input=fv.InputSpec(size=(32, 32)))
    assert "\n" not in str(error.value)
    with pytest.raises(fv.FeatvizError, match="`module` is of type OrderedDict; expected a torch.nn.Module"):
        fv.from_torch(make(Residual).state_dict(), input=SPEC)
    with pytest.raises(fv.FeatvizError, match="`input` is None; expected how Residual takes its images, ") as error:
        fv.from_torch(make(Residual))
    pasted = str(error.value).split("`")[3].removeprefix("input=")
    assert eval(pasted) == fv.InputSpec(
        size=(224, 224), channels_first=True, mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225)
    )
    with pytest.raises(fv.FeatvizError, match="`input` is 224; expected how Residual"):
        fv.from_torch(make(Residual), input=224)
    with pytest.raises(fv.FeatvizError, match=r"`0.weight` has no values yet"):
        fv.from_torch(nn.Sequential(nn.LazyConv2d(4, 3)), input=SPEC)
    with pytest.raises(fv.FeatvizError, match=r"in `0`, a FractionalMaxPool2d: .*fractional_max_pool2d"):
        fv.from_torch(nn.Sequential(nn.FractionalMaxPool2d(3, output_size=4)), input=SPEC)


class Undecided(nn.Module):
    """A network that looks at its values."""

    def __init__(self):
        super().__init__()
        self.backbone, self.head = nn.Conv2d(3, 4, 3), nn.Conv2d(4, 4, 1)

    def forward(self, x):
        y = self.head(self.backbone(x))
        return y[y > y.mean()] if y.max().item() > 0 else y


def test_what_depends_on_values_ends_the_network_with_a_warning(images, capsys):
    with pytest.warns(UserWarning, match=r"Undecided ends behind `head`, at .*test_from_module.py:\d+"):
        model = fv.from_torch(Undecided(), input=SPEC)
    assert [layer.name for layer in model.layers] == ["backbone", "head"]
    assert capsys.readouterr() == ("", "")


class Sparse(nn.Module):
    """A result whose size depends on values, behind a head and beside another."""

    def __init__(self):
        super().__init__()
        self.backbone, self.head, self.found = nn.Conv2d(3, 4, 3), nn.Conv2d(4, 2, 1), nn.Identity()

    def forward(self, x):
        y = self.backbone(x)
        places = self.found(torch.nonzero(y > 0))
        return places if self.places else self.head(y)


@pytest.mark.parametrize(
    "places, end, layers",
    [(True, "ends behind `backbone`", ["backbone"]), (False, "lacks some layers", ["backbone", "head"])],
)
def test_an_operator_that_is_missing_ends_the_network_with_a_warning(images, places, end, layers):
    network = Sparse()
    network.places = places
    with pytest.warns(UserWarning, match=rf"Sparse {end}: .*aten.nonzero.* \(.*test_from_module.py:\d+\)"):
        model = fv.from_torch(network, input=SPEC)
    assert [layer.name for layer in model.layers] == layers
    found = model.apply(model.weights, images, layers=layers)
    with torch.no_grad():
        expected = network.backbone(torch.tensor(np.array(SPEC.encode(jnp.asarray(images)))))
    np.testing.assert_allclose(np.moveaxis(found["backbone"], -1, 1), expected, rtol=1e-5, atol=1e-5)


class Halved(nn.Module):
    """A forward in half precision."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3).half()

    def forward(self, x):
        return self.conv(x.half()).float()


def test_the_process_is_left_as_it_was_and_wrappers_are_taken_off(images):
    network = nn.DataParallel(nn.Sequential(Halved()))
    accelerator, state = torch.accelerator.is_available(), torch.get_rng_state()
    model = fv.from_torch(network, input=SPEC)
    assert [layer.name for layer in model.layers] == ["0.conv", "0"]
    assert model.apply(model.weights, images)[OUTPUT].dtype == "float32"
    assert torch.accelerator.is_available() == accelerator
    assert torch.equal(torch.get_rng_state(), state)
    dataset = torch.utils.data.TensorDataset(torch.zeros(1, 3))
    assert len(list(torch.utils.data.DataLoader(dataset, pin_memory=accelerator))) == 1


def test_the_network_ends_behind_a_layer_that_is_named(images):
    class Ends(nn.Module):
        """Behind `body.1` it cannot be exported, and cannot even run."""

        def __init__(self):
            super().__init__()
            self.body = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, 4, 3))
            self.unused = nn.ReLU()

        def forward(self, x):
            y = self.body(x)
            return self.missing(y)

    net = Ends()
    model = fv.from_torch(net, input=fv.InputSpec(size=32, channels_first=True), upto="body.1")
    assert [layer.name for layer in model.layers] == ["body.0", "body.1"]
    with torch.no_grad():
        expected = net.body[1](net.body[0](torch.tensor(np.array(images)).permute(0, 3, 1, 2))).permute(0, 2, 3, 1)
    np.testing.assert_allclose(model.apply(model.weights, images)["body.1"], expected.numpy(), atol=1e-5)
    assert model.apply(model.weights, images[:1, :20, :20], layers=["body.1"])["body.1"].shape == (1, 18, 18, 4)
    with pytest.raises(FeatvizError, match="`upto` names `body.7`, which Ends lacks; did you mean `body.2`"):
        fv.from_torch(net, input=SPEC, upto="body.7")
    residual = make(Residual)
    residual.unused = nn.ReLU()
    with pytest.raises(FeatvizError, match="`unused`, which Residual does not call"):
        fv.from_torch(residual, input=SPEC, upto="unused")


@pytest.mark.parametrize(
    "pool",
    [
        nn.MaxPool2d(3, 2, 1, dilation=2),
        nn.AdaptiveMaxPool2d(5),
        nn.MaxPool2d((3, 1), (2, 3), ceil_mode=True),
        nn.Upsample(scale_factor=1.5, mode="bicubic"),
        nn.PixelShuffle(2),
    ],
    ids=str,
)
def test_layers_are_the_same_for_one_image(pool):
    net = nn.Sequential(nn.Conv2d(3, 4, 3), pool, nn.LazyConv2d(5, 1), nn.Hardswish()).eval()
    with torch.no_grad():
        net(torch.zeros(2, 3, 18, 18))
    model = fv.from_torch(net, input=fv.InputSpec(size=18, channels_first=True))
    x = np.random.default_rng(0).uniform(size=(2, 18, 18, 3)).astype(np.float32)
    together, alone = model.apply(model.weights, x), model.apply(model.weights, x[:1])
    assert list(alone) == list(together)
    for name, values in alone.items():
        np.testing.assert_allclose(values, together[name][:1], atol=1e-6)


def wrapped_within(wrap):
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, 5, 3))
    net[2] = wrap(net[2])
    return net


def compiled_forward():
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, 5, 3))
    net.forward = torch.compile(net.forward)
    return net


@pytest.mark.filterwarnings("ignore:.torch.jit:DeprecationWarning")
@pytest.mark.parametrize(
    "wrapped",
    [
        lambda: wrapped_within(torch.compile),
        lambda: wrapped_within(checkpoint_wrapper),
        lambda: wrapped_within(nn.DataParallel),
        compiled_forward,
    ],
    ids=["compiled", "checkpointed", "data parallel", "compiled forward"],
)
def test_wrappers_within_are_taken_off(wrapped, images):
    net = wrapped().eval()
    plain = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, 5, 3))
    plain.load_state_dict(dict(zip(plain.state_dict(), net.state_dict().values(), strict=True)))
    with torch.no_grad():
        expected = plain(torch.tensor(images).permute(0, 3, 1, 2)).permute(0, 2, 3, 1).numpy()
    model = fv.from_torch(net, input=fv.InputSpec(size=32, channels_first=True))
    assert [layer.name for layer in model.layers] == ["0", "1", "2"]
    np.testing.assert_allclose(model.apply(model.weights, images)["2"], expected, atol=1e-6)


def test_modules_that_are_not_called_are_said():
    other = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU())
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU())
    net.forward = lambda x: other(x)
    with pytest.warns(UserWarning, match="Sequential calls none of the modules within"):
        fv.from_torch(net, input=fv.InputSpec(size=8, channels_first=True))


@pytest.mark.filterwarnings("ignore:.torch.jit:DeprecationWarning")
def test_what_cannot_be_exported_is_one_line():
    with pytest.raises(FeatvizError, match="`0` is compiled by torch.jit; expected a `module` of PyTorch's own"):
        fv.from_torch(nn.Sequential(torch.jit.trace(nn.ReLU(), torch.zeros(1))), input=SPEC)


class ImageByImage(nn.Module):
    """A network that takes its images apart, so that each number of images has a graph of its own."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)
        self.head = nn.Conv2d(4, 5, 1)

    def forward(self, x):
        out = x.new_zeros(x.shape[0], 4, x.shape[2] - 2, x.shape[3] - 2)
        for index in range(len(x)):
            out[index].copy_(self.conv(x[index] - x[index].mean()))
        return self.head(out)


def test_networks_that_take_their_images_apart(images):
    net = ImageByImage().eval()
    with torch.no_grad():
        expected = net(torch.tensor(images[:, :12, :12]).permute(0, 3, 1, 2)).permute(0, 2, 3, 1).numpy()
    with pytest.warns(
        UserWarning, match="computes `conv` of one image at a time, .*; what the loop computes is no layer"
    ):
        model = fv.from_torch(net, input=fv.InputSpec(size=12, channels_first=True))
    for count in (1, 2):
        values = model.apply(model.weights, images[:count, :12, :12])
        np.testing.assert_allclose(values["head"], expected[:count], atol=1e-6)
    # A graph for two images is not that of three.
    three = np.concatenate([images, images[:1]])[:, :12, :12]
    values = model.apply(model.weights, three)["head"]
    np.testing.assert_allclose(values, np.concatenate([expected, expected[:1]]), atol=1e-6)


def test_a_detector_ends_where_it_selects(images):
    class Detector(nn.Module):
        """Images are normalized apart and put together, as torchvision's detectors do."""

        def __init__(self):
            super().__init__()
            self.parts = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU())

        def forward(self, x):
            together = x.new_zeros(x.shape)
            for index in range(len(x)):
                together[index].copy_(x[index] - 0.5)
            y = self.parts(together)
            return y[y > 0.5].reshape(1, -1)[:, : int(y.sum() > 0) + 1]

    net = Detector().eval()
    with pytest.warns(UserWarning, match="Detector ends behind `parts`"):
        model = fv.from_torch(net, input=fv.InputSpec(size=32, channels_first=True))
    with torch.no_grad():
        expected = net.parts(torch.tensor(images).permute(0, 3, 1, 2) - 0.5).permute(0, 2, 3, 1).numpy()
    for count in (1, 2):
        values = model.apply(model.weights, images[:count], layers=["parts.1"])["parts.1"]
        np.testing.assert_allclose(values, expected[:count], atol=1e-6)
