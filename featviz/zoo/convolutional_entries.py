"""The zoo's convolutional networks: torchvision's, timm's, and those of the feature-visualization literature."""

import dataclasses
from collections.abc import Callable
from importlib.resources import files
from typing import TYPE_CHECKING

from featviz.model import RANGES, InputSpec
from featviz.zoo import other_publishers as other_files
from featviz.zoo.entry import Entry, Source, lazy

if TYPE_CHECKING:
    import flax.linen as nn

# Most of PyTorch's networks were trained on RGB in [0,1], minus ImageNet's mean, divided by its standard deviation.
TORCH = InputSpec(size=(224, 224), **RANGES["imagenet"])
# RGB in [-1,1], as TensorFlow's networks take it.
SYMMETRIC = InputSpec(size=(224, 224), **RANGES["symmetric"])
# RGB in 0..255 minus one gray value (lucid's `image_value_range`).
LUCID = InputSpec(size=(224, 224), scale=255.0, mean=(117.0,))


def imagenet_classes() -> tuple[str, ...]:
    """The names of the 1000 classes of the ImageNet challenge in the order of the logits, synonyms after commas.

    The order, which Caffe, torchvision, timm and Keras share, is that of WordNet's numbers. Source: WordNet's lemmas.

    >>> imagenet_classes()[340], imagenet_classes()[76]
    ('zebra', 'tarantula')
    """
    lines = files("featviz.zoo").joinpath("imagenet.txt").read_text(encoding="utf-8").splitlines()
    return tuple(line for line in lines if not line.startswith("#"))


def _torchvision(
    name: str,
    family: str,
    build: "Callable[[], nn.Module]",
    parameters: int,
    accuracy: float,
    file: str,
    *,
    title: str | None = None,
    input: InputSpec = TORCH,
    names: Callable[[str], str] | None = None,
    ignored: tuple[str, ...] = (),
    others: tuple[Source, ...] = (),
) -> Entry:
    """A network that torchvision publishes; the file's name holds eight digits of its SHA-256.

    Of a network's two files it is the older one, whose weights the literature uses. `others` are not fetched.
    """
    digits = file.rsplit("-", 1)[-1].removesuffix(".pth")
    return Entry(
        name=name,
        family=family,
        description=f"{title or family} of torchvision, on ImageNet",
        build=build,
        input=input,
        parameters=parameters,
        license="BSD-3-Clause",
        accuracy=f"{accuracy:.1f} % top-1",
        origin="torchvision",
        sources=(Source("https://download.pytorch.org/models/" + file, digits, names=names, ignored=ignored), *others),
        classes=imagenet_classes,
    )


def _resnet(layers: int, depths: tuple[int, ...], parameters: int, accuracy: float, file: str) -> Entry:
    build = lazy("architectures.resnet", "ResNet", depths=depths, bottleneck=layers >= 50)
    name = f"resnet{layers}"
    return _torchvision(name, "ResNet", build, parameters, accuracy, file, title=f"ResNet of {layers} layers")


def _convnext(name: str, depths: tuple[int, ...], width: int, parameters: int, accuracy: float, file: str) -> Entry:
    build = lazy("architectures.convnext", "ConvNeXt", depths=depths, width=width)
    title = f"ConvNeXt-{name}"
    return _torchvision(f"convnext_{name}", "ConvNeXt", build, parameters, accuracy, file, title=title)


def _efficientnet(
    name: str, width: float, depth: float, side: int, parameters: int, accuracy: float, file: str
) -> Entry:
    build = lazy("architectures.efficientnet", "EfficientNet", width=width, depth=depth)
    input, title = dataclasses.replace(TORCH, size=(side, side)), f"EfficientNet-{name.upper()}"
    return _torchvision(
        *(f"efficientnet_{name}", "EfficientNet", build, parameters, accuracy, file), title=title, input=input
    )


# Auxiliary classifiers, used in training only.
AUXILIARY = (r"^AuxLogits\.", r"^aux[12]\.")
DENSENET = lazy("architectures.densenet", "DenseNet", depths=(6, 12, 24, 16))

CONVOLUTIONAL = (
    _torchvision(
        "alexnet", "AlexNet", lazy("architectures.alexnet", "AlexNet"), 61_100_840, 56.522, "alexnet-owt-7be5be79.pth"
    ),
    _torchvision(
        *("vgg16", "VGG", lazy("architectures.vgg", "vgg16"), 138_357_544, 71.592, "vgg16-397923af.pth"),
        title="VGG of 16 layers",
        others=other_files.vgg(16, (2, 2, 3, 3, 3)),
    ),
    _torchvision(
        *("vgg19", "VGG", lazy("architectures.vgg", "vgg19"), 143_667_240, 72.376, "vgg19-dcbb9e9d.pth"),
        title="VGG of 19 layers",
        others=other_files.vgg(19, (2, 2, 4, 4, 4)),
    ),
    _resnet(18, (2, 2, 2, 2), 11_689_512, 69.758, "resnet18-f37072fd.pth"),
    _resnet(34, (3, 4, 6, 3), 21_797_672, 73.314, "resnet34-b627a593.pth"),
    _resnet(50, (3, 4, 6, 3), 25_557_032, 76.130, "resnet50-0676ba61.pth"),
    _resnet(101, (3, 4, 23, 3), 44_549_160, 77.374, "resnet101-63fe2227.pth"),
    _resnet(152, (3, 8, 36, 3), 60_192_808, 78.312, "resnet152-394f9c45.pth"),
    Entry(
        name="resnetv2_50",
        family="ResNet v2",
        description="pre-activation ResNet of 50 layers of timm, on ImageNet",
        build=lazy("architectures.resnetv2", "ResNetV2", depths=(3, 4, 6, 3)),
        input=SYMMETRIC,
        parameters=25_549_352,
        license="Apache-2.0",
        accuracy="81.4 % top-1 at 288 px",
        origin="timm",
        sources=(Source("https://huggingface.co/timm/resnetv2_50.a1h_in1k/resolve/main/model.safetensors"),),
        classes=imagenet_classes,
    ),
    Entry(
        name="inceptionv1",
        family="InceptionV1",
        description="InceptionV1 of Google, on ImageNet, in the naming of the feature-visualization literature",
        build=lazy("architectures.inceptionv1", "InceptionV1"),
        input=LUCID,
        parameters=7_066_380,
        license="Apache-2.0 (lucid, lucent)",
        origin="inception5h, as lucent loads it",
        sources=(Source("https://github.com/ProGamerGov/pytorch-old-tensorflow-models/raw/master/inception5h.pth"),),
        aliases=("inception5h",),
    ),
    _torchvision(
        *(
            "googlenet_torchvision",
            "GoogLeNet",
            lazy("architectures.googlenet_torchvision", "GoogLeNet"),
            6_624_904,
            69.778,
        ),
        "googlenet-1378be20.pth",
        title="GoogLeNet with batch norm",
        input=SYMMETRIC,
        ignored=AUXILIARY,
    ),
    _torchvision(
        *("inception_v3", "Inception v3", lazy("architectures.inception_v3", "InceptionV3"), 23_834_568, 77.294),
        "inception_v3_google-0cc3c7bd.pth",
        input=dataclasses.replace(SYMMETRIC, size=(299, 299)),
        ignored=AUXILIARY,
        others=(other_files.INCEPTION_V3,),
    ),
    _torchvision(
        *("squeezenet1_0", "SqueezeNet", lazy("architectures.squeezenet", "SqueezeNet10"), 1_248_424, 58.092),
        "squeezenet1_0-b66bff10.pth",
        title="SqueezeNet 1.0",
    ),
    _torchvision(
        *("densenet121", "DenseNet", DENSENET, 7_978_856, 74.434, "densenet121-a639ec97.pth"),
        title="DenseNet of 121 layers",
        names=lazy("architectures.densenet", "file_name"),
        others=(other_files.DENSENET121,),
    ),
    _torchvision(
        *("mobilenet_v2", "MobileNet v2", lazy("architectures.mobilenetv2", "MobileNetV2"), 3_504_872, 71.878),
        "mobilenet_v2-b0353104.pth",
    ),
    _efficientnet("b0", 1.0, 1.0, 224, 5_288_548, 77.692, "efficientnet_b0_rwightman-7f5810bc.pth"),
    _efficientnet("b1", 1.0, 1.1, 240, 7_794_184, 78.642, "efficientnet_b1_rwightman-bac287d4.pth"),
    _efficientnet("b2", 1.1, 1.2, 288, 9_109_994, 80.608, "efficientnet_b2_rwightman-c35c1473.pth"),
    _convnext("tiny", (3, 3, 9, 3), 96, 28_589_128, 82.520, "convnext_tiny-983f1562.pth"),
    _convnext("base", (3, 3, 27, 3), 128, 88_591_464, 84.062, "convnext_base-6075fbad.pth"),
)
