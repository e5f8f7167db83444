"""The zoo's vision transformers and CLIP's image encoders, with weights of their authors or of timm."""

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from featviz.model import InputSpec
from featviz.zoo.convolutional_entries import SYMMETRIC, TORCH, imagenet_classes
from featviz.zoo.entry import Entry, Source, lazy

if TYPE_CHECKING:
    import flax.linen as nn

# CLIP's own mean and std; Google's transformers in timm were trained on [-1,1].
CLIP = InputSpec(size=(224, 224), mean=(0.48145466, 0.4578275, 0.40821073), std=(0.26862954, 0.26130258, 0.27577711))
META = "https://dl.fbaipublicfiles.com/"
TIMM = "https://huggingface.co/timm/"
OPENAI = "https://openaipublic.azureedge.net/clip/models/"
TINY, SMALL, BASE = ({"width": 64 * heads, "heads": heads} for heads in (3, 6, 12))


def _deit(size: str, shape: dict[str, int], parameters: int, accuracy: float, digits: str) -> Entry:
    """DeiT; the name of the authors' file holds eight digits of its SHA-256."""
    return Entry(
        name=f"deit_{size}",
        family="DeiT",
        description=f"DeiT-{size}, a vision transformer of 16 px patches, on ImageNet",
        build=lazy("architectures.vit", "VisionTransformer", **shape),
        input=replace(TORCH, multiple=16),
        parameters=parameters,
        license="Apache-2.0",
        accuracy=f"{accuracy} % top-1",
        origin="github.com/facebookresearch/deit",
        sources=(Source(f"{META}deit/deit_{size}_patch16_224-{digits}.pth", digits),),
        aliases=(f"deit_{size}_patch16_224",),
        classes=imagenet_classes,
    )


def _vit(size: str, shape: dict[str, int], parameters: int, accuracy: float) -> Entry:
    name = f"vit_{size}_patch16_224"
    return Entry(
        name=f"vit_{size}",
        family="ViT",
        description=f"ViT-{size} of 16 px patches, on ImageNet-21k and then ImageNet (Steiner et al. 2021)",
        build=lazy("architectures.vit", "VisionTransformer", **shape),
        input=replace(SYMMETRIC, multiple=16),
        parameters=parameters,
        license="Apache-2.0",
        accuracy=f"{accuracy} % top-1",
        origin="timm",
        sources=(Source(f"{TIMM}{name}.augreg_in21k_ft_in1k/resolve/main/model.safetensors"),),
        aliases=(name,),
        classes=imagenet_classes,
    )


def _dinov2(size: str, shape: dict[str, int], parameters: int, accuracy: float) -> Entry:
    """DINOv2; its accuracy is that of a linear classifier trained on the class token."""
    name = f"dinov2_vit{size[0]}14"
    # The token for masked patches, used in training only.
    source = Source(f"{META}dinov2/{name}/{name}_pretrain.pth", ignored=(r"^mask_token$",))
    return Entry(
        name=f"dinov2_{size}",
        family="DINOv2",
        description=f"DINOv2, ViT-{size} of 14 px patches, trained without labels; its output is the class token",
        build=lazy("architectures.dinov2", "DinoV2", **shape),
        input=replace(TORCH, multiple=14),
        parameters=parameters,
        license="Apache-2.0",
        accuracy=f"{accuracy} % top-1, linear probe",
        origin="github.com/facebookresearch/dinov2",
        sources=(source,),
        aliases=(name,),
    )


def _clip(
    name: str,
    tower: str,
    build: "Callable[[], nn.Module]",
    multiple: int,
    parameters: int,
    accuracy: str,
    timm: str,
    path: str,
) -> Entry:
    """CLIP; OpenAI's file is a TorchScript archive with its SHA-256 in `path`, timm's has the same names."""
    names, texts = lazy("architectures.clip", "openai_name"), (r"^(?!visual\.)",)
    copy = f"{TIMM}{timm}.openai/resolve/main/open_clip_model.safetensors"
    return Entry(
        name=name,
        family="CLIP",
        description=f"CLIP's image encoder, {tower}, trained on images and their texts",
        build=build,
        input=replace(CLIP, multiple=multiple),
        parameters=parameters,
        license="MIT",
        accuracy=accuracy,
        origin="OpenAI",
        sources=(
            Source(OPENAI + path, path.split("/")[0], names=names, ignored=texts),
            Source(copy, names=names, ignored=texts),
        ),
    )


TRANSFORMERS = (
    _deit("tiny", TINY, 5_717_416, 72.2, "a1311bcf"),
    _deit("small", SMALL, 22_050_664, 79.9, "cd65a155"),
    _deit("base", BASE, 86_567_656, 81.8, "b5f2ef4d"),
    # timm's table of results.
    _vit("tiny", TINY, 5_717_416, 75.5),
    _vit("small", SMALL, 22_050_664, 81.4),
    _vit("base", BASE, 86_567_656, 84.5),
    _dinov2("small", SMALL, 22_056_192, 81.1),
    _dinov2("base", BASE, 86_579_712, 84.5),
    Entry(
        name="siglip_base",
        family="SigLIP",
        description="SigLIP's image encoder, ViT-base of 16 px patches, trained on images and their texts",
        build=lazy("architectures.siglip", "SigLip", **BASE),
        input=replace(SYMMETRIC, multiple=16),
        parameters=92_884_224,
        license="Apache-2.0",
        origin="timm",
        sources=(Source(f"{TIMM}vit_base_patch16_siglip_224.webli/resolve/main/model.safetensors"),),
        aliases=("vit_base_patch16_siglip_224",),
    ),
    # Accuracies as open_clip measured them; those of the transformers are the paper's.
    _clip(
        "clip_resnet50", "a modified ResNet-50", lazy("architectures.clip", "ClipResNet"), 1, 38_316_896,
        "59.8 % top-1, zero-shot", "resnet50_clip",
        "afeb0e10f9e5a86da6080e35cf09123aca3b358a0c3e3b6c78a7b63bc04b6762/RN50.pt",
    ),
    _clip(
        "clip_vit_b16", "ViT-B/16", lazy("architectures.clip", "ClipTransformer", patch=16, trained_side=14), 16,
        86_192_640, "68.6 % top-1, zero-shot", "vit_base_patch16_clip_224",
        "5806e77cd80f8b59890b7e101eabd078d9fb84e6937f9e85e4ecb61988df416f/ViT-B-16.pt",
    ),
    _clip(
        "clip_vit_b32", "ViT-B/32", lazy("architectures.clip", "ClipTransformer", patch=32, trained_side=7), 32,
        87_849_216, "63.2 % top-1, zero-shot", "vit_base_patch32_clip_224",
        "40d365715913c9da98579312b702a82c18be219cc2a73407c4526f58eba950af/ViT-B-32.pt",
    ),
)  # fmt: skip
