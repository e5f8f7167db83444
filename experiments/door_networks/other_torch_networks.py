"""segmentation_models_pytorch, monai, torchvision: segmentation, medical networks, detectors' parts."""

from collections.abc import Callable
from functools import partial
from typing import Any

from door_networks.comparison import Case, Network

SEGMENTATION = {
    "Unet": "resnet18", "UnetPlusPlus": "mobilenet_v2", "Linknet": "resnet18", "MAnet": "resnet18",
    "FPN": "efficientnet-b0", "PSPNet": "resnet18", "PAN": "resnet18", "DeepLabV3": "resnet18",
    "DeepLabV3Plus": "timm-mobilenetv3_small_100", "UPerNet": "mit_b0", "Segformer": "mit_b0",
}  # fmt: skip
CLASSIFIERS = {
    "alexnet": 64, "squeezenet1_1": 64, "shufflenet_v2_x0_5": 64, "googlenet": 64, "mnasnet0_5": 64, "vgg11": 64,
    "mobilenet_v3_small": 64, "efficientnet_b0": 64, "convnext_tiny": 64, "densenet121": 64, "swin_v2_t": 64,
    "maxvit_t": 224, "vit_b_16": 224,
}  # fmt: skip
SEGMENTERS = ("fcn_resnet50", "deeplabv3_mobilenet_v3_large", "lraspp_mobilenet_v3_large")
DETECTORS = ("ssdlite320_mobilenet_v3_large", "fasterrcnn_mobilenet_v3_large_320_fpn", "retinanet_resnet50_fpn")


def _segmentation(architecture: str, encoder: str) -> Case:
    import segmentation_models_pytorch as smp

    from door_networks.torch_values import torch_case

    return torch_case(
        lambda: getattr(smp, architecture)(encoder, encoder_weights=None, classes=3),
        128 if architecture == "PAN" else 64,
    )


def _torchvision(part: str, name: str, size: int) -> Case:
    import torchvision

    from door_networks.torch_values import torch_case

    models = getattr(torchvision.models, part) if part else torchvision.models
    extra: dict[str, Any] = {"weights_backbone": None} if part else {}
    extra |= {"init_weights": False, "aux_logits": False} if name == "googlenet" else {}
    return torch_case(lambda: getattr(models, name)(weights=None, **extra), size)


def _fpn() -> Case:
    from torchvision.models.detection.backbone_utils import resnet_fpn_backbone

    from door_networks.torch_values import torch_case

    return torch_case(lambda: resnet_fpn_backbone(backbone_name="resnet18", weights=None), 64)


MONAI: dict[str, Callable[[Any], Any]] = {
    "UNet": lambda nets: nets.UNet(2, 3, 2, (8, 16, 32), (2, 2), num_res_units=1),
    "AttentionUnet": lambda nets: nets.AttentionUnet(2, 3, 2, (8, 16, 32), (2, 2)),
    "BasicUNet": lambda nets: nets.BasicUNet(2, 3, 2, features=(8, 8, 16, 16, 32, 8)),
    "BasicUNetPlusPlus": lambda nets: nets.BasicUNetPlusPlus(2, 3, 2, features=(8, 8, 16, 16, 32, 8)),
    "DynUNet": lambda nets: nets.DynUNet(2, 3, 2, [3, 3, 3], [1, 2, 2], [2, 2], filters=[8, 16, 32]),
    "FlexibleUNet": lambda nets: nets.FlexibleUNet(3, 2, "efficientnet-b0"),
    "SegResNet": lambda nets: nets.SegResNet(2, 8, 3, 2),
    "HighResNet": lambda nets: nets.HighResNet(2, 3, 2),
    "DenseNet": lambda nets: nets.DenseNet(2, 3, 2, 8, 8, (2, 2)),
    "SENet154": lambda nets: nets.SENet(2, 3, "se_bottleneck", (1, 1, 1, 1), 64, 16, num_classes=2),
    "ResNet": lambda nets: nets.resnet10(spatial_dims=2, n_input_channels=3, num_classes=2),
    "ViT": lambda nets: nets.ViT(3, (32, 32), (8, 8), 32, 64, 2, 4, classification=True, spatial_dims=2),
    "UNETR": lambda nets: nets.UNETR(3, 2, (32, 32), 8, 32, 64, 4, spatial_dims=2),
    "SwinUNETR": lambda nets: nets.SwinUNETR(3, 2, feature_size=12, spatial_dims=2, depths=(2, 2, 1, 1)),
    "EfficientNetBN": lambda nets: nets.EfficientNetBN("efficientnet-b0", pretrained=False, num_classes=2),
    "Discriminator": lambda nets: nets.Discriminator((3, 32, 32), (8, 16), (2, 2)),
    "AutoEncoder": lambda nets: nets.AutoEncoder(2, 3, 3, (8, 16), (2, 2)),
    "MILModel": lambda nets: nets.TorchVisionFCModel("resnet18", num_classes=2),
}


def _monai(name: str) -> Case:
    import monai.networks.nets as nets

    from door_networks.torch_values import torch_case

    size = 64 if name in ("SwinUNETR", "FlexibleUNet", "EfficientNetBN") else 32
    return torch_case(lambda: MONAI[name](nets), size)


NETWORKS = [
    *(
        Network(f"{name}, {encoder}", "segmentation_models_pytorch", "torch", partial(_segmentation, name, encoder))
        for name, encoder in SEGMENTATION.items()
    ),
    *(Network(name, "monai", "torch", partial(_monai, name)) for name in MONAI),
    *(
        Network(name, "torchvision", "torch", partial(_torchvision, "", name, size))
        for name, size in CLASSIFIERS.items()
    ),
    *(Network(name, "torchvision", "torch", partial(_torchvision, "segmentation", name, 64)) for name in SEGMENTERS),
    Network("resnet18 with FPN", "torchvision", "torch", _fpn),
    *(Network(name, "torchvision", "torch", partial(_torchvision, "detection", name, 320)) for name in DETECTORS),
]
