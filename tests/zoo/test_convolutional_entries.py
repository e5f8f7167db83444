"""The zoo's convolutional networks against plain PyTorch definitions of them, with the official files' names."""

import dataclasses
import math
import re
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax.traverse_util import flatten_dict

torch = pytest.importorskip("torch", reason="needs PyTorch: make test-frameworks")

from support.torch_zoo import alexnet as zoo_alexnet  # noqa: E402
from support.torch_zoo import convnext as zoo_convnext  # noqa: E402
from support.torch_zoo import densenet as zoo_densenet  # noqa: E402
from support.torch_zoo import efficientnet as zoo_efficientnet  # noqa: E402
from support.torch_zoo import googlenet as zoo_googlenet  # noqa: E402
from support.torch_zoo import inception_v3 as zoo_inception_v3  # noqa: E402
from support.torch_zoo import inceptionv1 as zoo_inceptionv1  # noqa: E402
from support.torch_zoo import mobilenetv2 as zoo_mobilenetv2  # noqa: E402
from support.torch_zoo import resnet as zoo_resnet  # noqa: E402
from support.torch_zoo import resnetv2 as zoo_resnetv2  # noqa: E402
from support.torch_zoo import squeezenet as zoo_squeezenet  # noqa: E402
from support.torch_zoo import vgg as zoo_vgg  # noqa: E402

import featviz as fv  # noqa: E402
from featviz.adapters.linen import from_linen  # noqa: E402
from featviz.model import OUTPUT  # noqa: E402
from featviz.zoo.architectures import googlenet_torchvision, inceptionv1, vgg  # noqa: E402
from featviz.zoo.architectures.alexnet import AlexNet  # noqa: E402
from featviz.zoo.architectures.convnext import ConvNeXt  # noqa: E402
from featviz.zoo.architectures.densenet import DenseNet  # noqa: E402
from featviz.zoo.architectures.efficientnet import EfficientNet  # noqa: E402
from featviz.zoo.architectures.inception_v3 import InceptionV3  # noqa: E402
from featviz.zoo.architectures.mobilenetv2 import GROUPS, MobileNetV2  # noqa: E402
from featviz.zoo.architectures.resnet import ResNet  # noqa: E402
from featviz.zoo.architectures.resnetv2 import ResNetV2  # noqa: E402
from featviz.zoo.architectures.squeezenet import SqueezeNet10  # noqa: E402
from featviz.zoo.convolutional_entries import CONVOLUTIONAL  # noqa: E402
from featviz.zoo.registry import ZOO  # noqa: E402
from featviz.zoo.weights.convert import COUNTERS, ORDERS, convert, torch_name  # noqa: E402

pytestmark = pytest.mark.frameworks

SMALL_VGG = ((4,) * 2, (6,) * 2, (8,) * 3, (8,) * 3, (8,) * 3)
SMALL_GROUPS = ((1, 6, 1, 1), (6, 8, 2, 2), (6, 8, 2, 1), (6, 12, 2, 2))
SMALL_STAGES = ((1, 3, 1, 8, 1), (6, 3, 2, 12, 2), (6, 5, 2, 16, 1))
IMAGENET = (np.array([0.485, 0.456, 0.406], np.float32), np.array([0.229, 0.224, 0.225], np.float32))


def thin(blocks):
    """Inception's blocks 3a, 4a and 5a at a quarter of their widths."""
    return tuple((name, tuple(width // 4 for width in widths)) for name, widths in blocks if name.endswith("a"))


def imagenet(images):
    return (images - IMAGENET[0]) / IMAGENET[1]


def transform_input(images):
    """What torchvision's Inception networks do with images of ImageNet's range."""
    return imagenet(images) * (IMAGENET[1] / 0.5) + (IMAGENET[0] - 0.5) / 0.5


@dataclasses.dataclass(frozen=True)
class Case:
    """A network of the zoo made small, here and in PyTorch, and a layer to draw; `prepare` is what images become."""

    entry: str
    ours: object
    theirs: Callable[[], object]
    layer: str
    size: tuple[int, int] = (64, 83)
    prepare: Callable[[np.ndarray], np.ndarray] = imagenet


CASES = (
    Case(
        *("alexnet", AlexNet(classes=5, hidden=16), lambda: zoo_alexnet.AlexNet(5, 16), "features/3/relu"),
        size=(103, 120),
    ),
    Case("vgg16", vgg.VGG(SMALL_VGG, 5, 16), lambda: zoo_vgg.VGG(SMALL_VGG, 5, 16), "features/10/relu"),
    Case(
        *("resnet18", ResNet((2, 1, 1, 1), False, 5, 8), lambda: zoo_resnet.ResNet((2, 1, 1, 1), False, 5, 8)),
        "layer2/0",
    ),
    Case(
        *("resnet50", ResNet((2, 1, 1, 2), True, 5, 8), lambda: zoo_resnet.ResNet((2, 1, 1, 2), True, 5, 8)),
        "layer1/1/bn2/relu",
    ),
    Case(
        *("resnetv2_50", ResNetV2((2, 1, 2), 5, 8), lambda: zoo_resnetv2.ResNetV2((2, 1, 2), 5, 8)),
        "stages/1/blocks/0",
        prepare=lambda images: images * 2 - 1,
    ),
    Case(
        *("inceptionv1", inceptionv1.InceptionV1(5, thin(inceptionv1.BLOCKS))),
        lambda: zoo_inceptionv1.InceptionV1(thin(inceptionv1.BLOCKS), 5),
        "mixed4a",
        prepare=lambda images: images * 255 - 117,
    ),
    Case(
        *("googlenet_torchvision", googlenet_torchvision.GoogLeNet(5, thin(googlenet_torchvision.BLOCKS))),
        lambda: zoo_googlenet.GoogLeNet(thin(googlenet_torchvision.BLOCKS), 5),
        "inception4a",
        prepare=transform_input,
    ),
    Case(
        *("inception_v3", InceptionV3(5), lambda: zoo_inception_v3.InceptionV3(5), "Mixed_5b"),
        size=(79, 96),
        prepare=transform_input,
    ),
    Case("squeezenet1_0", SqueezeNet10(5), lambda: zoo_squeezenet.SqueezeNet(5), "features/5"),
    Case(
        *("densenet121", DenseNet((2, 3, 2), 5, 4, 8), lambda: zoo_densenet.DenseNet((2, 3, 2), 5, 4, 8)),
        "features/denseblock2",
    ),
    Case(
        *("mobilenet_v2", MobileNetV2(5, SMALL_GROUPS, 8, 24)),
        *(lambda: zoo_mobilenetv2.MobileNetV2(SMALL_GROUPS, 5, 8, 24), "features/3"),
    ),
    Case(
        *("efficientnet_b0", EfficientNet(1.1, 1.2, 5, SMALL_STAGES, 8)),
        *(lambda: zoo_efficientnet.EfficientNet(1.1, 1.2, 5, SMALL_STAGES, 8), "features/2/1/block/0"),
    ),
    Case(
        *("convnext_tiny", ConvNeXt((1, 2, 1), 8, 5), lambda: zoo_convnext.ConvNeXt((1, 2, 1), 8, 5)),
        "features/3/0/block/4",
    ),
)

# The whole networks and their parameters, heads for training included, as torchvision publishes them, or timm
# (25.55 M); those of GoogLeNet with its heads and of InceptionV1 are counted.
WHOLE = {
    "alexnet": (zoo_alexnet.AlexNet, 61_100_840),
    "vgg16": (lambda: zoo_vgg.VGG(vgg.VGG16), 138_357_544),
    "vgg19": (lambda: zoo_vgg.VGG(vgg.VGG19), 143_667_240),
    "resnet18": (lambda: zoo_resnet.ResNet((2, 2, 2, 2), False), 11_689_512),
    "resnet34": (lambda: zoo_resnet.ResNet((3, 4, 6, 3), False), 21_797_672),
    "resnet50": (lambda: zoo_resnet.ResNet((3, 4, 6, 3), True), 25_557_032),
    "resnet101": (lambda: zoo_resnet.ResNet((3, 4, 23, 3), True), 44_549_160),
    "resnet152": (lambda: zoo_resnet.ResNet((3, 8, 36, 3), True), 60_192_808),
    "resnetv2_50": (lambda: zoo_resnetv2.ResNetV2((3, 4, 6, 3)), 25_549_352),
    "inceptionv1": (lambda: zoo_inceptionv1.InceptionV1(inceptionv1.BLOCKS), 7_066_380),
    "googlenet_torchvision": (lambda: zoo_googlenet.GoogLeNet(googlenet_torchvision.BLOCKS), 13_004_888),
    "inception_v3": (zoo_inception_v3.InceptionV3, 27_161_264),
    "squeezenet1_0": (zoo_squeezenet.SqueezeNet, 1_248_424),
    "densenet121": (lambda: zoo_densenet.DenseNet((6, 12, 24, 16)), 7_978_856),
    "mobilenet_v2": (lambda: zoo_mobilenetv2.MobileNetV2(GROUPS), 3_504_872),
    "efficientnet_b0": (zoo_efficientnet.EfficientNet, 5_288_548),
    "efficientnet_b1": (lambda: zoo_efficientnet.EfficientNet(1.0, 1.1), 7_794_184),
    "efficientnet_b2": (lambda: zoo_efficientnet.EfficientNet(1.1, 1.2), 9_109_994),
    "convnext_tiny": (lambda: zoo_convnext.ConvNeXt((3, 3, 9, 3), 96), 28_589_128),
    "convnext_base": (lambda: zoo_convnext.ConvNeXt((3, 3, 27, 3), 128), 88_591_464),
}


def test_no_network_and_no_family_is_left_out():
    assert set(WHOLE) == {entry.name for entry in CONVOLUTIONAL}
    assert {ZOO[case.entry].family for case in CASES} == {entry.family for entry in CONVOLUTIONAL}


def draw(network):
    """Weights that keep activations' size; scales, biases and statistics are not trivial."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for name, tensor in (*network.named_parameters(), *network.named_buffers()):
            if tensor.ndim in (2, 4):
                fan = tensor[0].numel()
                tensor.copy_(torch.randn(tensor.shape, generator=generator) * (2 / fan) ** 0.5)
            elif tensor.is_floating_point():
                noise = torch.rand(tensor.shape, generator=generator)
                centered = name.endswith(("bias", "running_mean"))
                tensor.copy_(0.4 * noise - 0.2 if centered else 0.5 + noise)
    return network.eval()


@pytest.fixture(scope="module", params=CASES, ids=lambda case: case.entry)
def case(request):
    return request.param


@pytest.fixture(scope="module")
def network(case):
    return draw(case.theirs())


def converted(case, network):
    """PyTorch's tensors as our tree, as from the official file."""
    entry = ZOO[case.entry]
    image = jax.ShapeDtypeStruct((1, *case.size, 3), jnp.float32)
    template = jax.eval_shape(case.ours.init, jax.random.key(0), image)["params"]
    state = {name: tensor.numpy() for name, tensor in network.state_dict().items()}
    state = zoo_densenet.file_names(state) if case.entry == "densenet121" else state
    source = entry.sources[0]
    tree = convert(state, template, file=source.file, names=source.names, ignored=source.ignored)
    return {"params": tree}


@pytest.fixture(scope="module")
def model(case, network):
    spec = dataclasses.replace(ZOO[case.entry].input, size=case.size)
    return from_linen(case.ours, jax.tree.map(jnp.asarray, converted(case, network)), input=spec)


@pytest.fixture(scope="module")
def images(case):
    return np.random.default_rng(1).uniform(size=(3, *case.size, 3)).astype(np.float32)


WEIGHT = np.random.default_rng(2).normal(size=(3, 5)).astype(np.float32)


def by_pytorch(network, prepared):
    """PyTorch's logits, and the gradient in the image it is given of their weighted sum."""
    x = torch.tensor(prepared).permute(0, 3, 1, 2).requires_grad_()
    logits = network(x)
    (slope,) = torch.autograd.grad((logits * torch.tensor(WEIGHT)).sum(), x)
    return logits.detach().numpy(), slope.permute(0, 2, 3, 1).numpy()


def differ(ours, theirs):
    return np.abs(np.asarray(ours) - theirs).max() / np.abs(theirs).max()


def test_logits_and_gradients_are_those_of_pytorch(case, network, model, images):
    def score(images):
        logits = model.apply(model.weights, images, layers=[OUTPUT])[OUTPUT]
        return jnp.sum(logits * WEIGHT), logits

    (_, logits), gradient = jax.jit(jax.value_and_grad(score, has_aux=True))(images)
    expected, slope = by_pytorch(network, case.prepare(images))
    # What images become is linear: two images tell its slope.
    factor = case.prepare(np.ones((1, 1, 3), np.float32)) - case.prepare(np.zeros((1, 1, 3), np.float32))
    assert differ(logits, expected) < 1e-4
    # A ReLU within rounding of 0 may fall on the other side, and an image's gradient with it: most images are spared.
    assert np.median([differ(*each) for each in zip(gradient, slope * factor, strict=True)]) < 1e-3
    assert np.abs(logits).max() > 1e-2


def test_in_double_precision_both_are_the_same(case, images):
    """To many more digits, so that what single precision allows hides no wrong constant and no shifted window."""
    network = draw(case.theirs()).double()
    prepared = case.prepare(images).astype(np.float64)
    variables = converted(case, network)
    # Flax's layer norm promotes what it is given.
    with jax.enable_x64(True), jax.numpy_dtype_promotion("standard"):
        variables = jax.tree.map(lambda leaf: jnp.asarray(leaf, jnp.float64), variables)

        def score(images):
            logits = case.ours.apply(variables, images)
            return jnp.sum(logits * WEIGHT.astype(np.float64)), logits

        (_, logits), gradient = jax.jit(jax.value_and_grad(score, has_aux=True))(prepared)
    expected, slope = by_pytorch(network, prepared)
    assert differ(logits, expected) < 1e-10 and differ(gradient, slope) < 1e-10


def test_a_picture_rises_above_its_noise(case, model):
    picture = fv.render(model, fv.channel(case.layer, 1), size=48, steps=10, progress=False)
    assert np.isfinite(picture.score) and picture.score > picture.history[0]
    assert picture.pixels.std() > 0.02


@pytest.mark.parametrize("name", WHOLE)
def test_whole_networks_have_the_official_tensors(name):
    build, published = WHOLE[name]
    entry = ZOO[name]
    with torch.device("meta"):
        network = build()
    assert sum(tensor.numel() for tensor in network.parameters()) == published
    state = {key: tuple(tensor.shape) for key, tensor in network.state_dict().items()}
    state = zoo_densenet.file_names(state) if name == "densenet121" else state
    source = entry.sources[0]
    passed = re.compile("|".join([COUNTERS, *source.ignored]))
    named = {(source.names or torch_name)(path): leaf for path, leaf in leaves(name).items()}
    assert set(named) == {key for key in state if not passed.search(key)}
    for key, (path, shape) in named.items():
        found = tuple(state[key][axis] for axis in ORDERS[len(state[key])]) if path.endswith("kernel") else state[key]
        assert [side for side in found if side > 1] == [side for side in shape if side > 1], key
    statistics = ("/mean", "/var")
    assert entry.parameters == sum(math.prod(shape) for path, shape in named.values() if not path.endswith(statistics))


def leaves(name):
    """Paths and shapes of the network's tensors, by path."""
    entry = ZOO[name]
    image = jax.ShapeDtypeStruct((1, *entry.input.size, 3), jnp.float32)
    template = jax.eval_shape(entry.build().init, jax.random.key(0), image)["params"]
    return {path: (path, leaf.shape) for path, leaf in flatten_dict(template, sep="/").items()}
