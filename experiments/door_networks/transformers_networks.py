"""transformers: vision models made from small configurations."""

from collections.abc import Callable
from typing import Any

from door_networks.comparison import Case, Network

TINY = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 64, "image_size": 32}
PATCHES = {**TINY, "patch_size": 8}
WINDOWS = {"embed_dim": 16, "depths": [2, 2], "num_heads": [2, 4], "window_size": 4, "image_size": 32, "patch_size": 2}
STAGES = {"hidden_sizes": [8, 16, 24, 32], "depths": [1, 1, 2, 1]}
DECODER = {"d_model": 32, "encoder_layers": 1, "decoder_layers": 1, "encoder_ffn_dim": 32, "decoder_ffn_dim": 32}
HEADS = {"encoder_attention_heads": 4, "decoder_attention_heads": 4, "num_queries": 5, "use_timm_backbone": False}
# Class of the model, class of its configuration, size of the images, the configuration; one that is a pair of names
# and values stands for a configuration within.
MODELS: list[tuple[str, str, int, dict[str, Any]]] = [
    ("ViTModel", "ViTConfig", 32, PATCHES),
    ("DeiTModel", "DeiTConfig", 32, PATCHES),
    ("BeitModel", "BeitConfig", 32, {**PATCHES, "use_relative_position_bias": True}),
    ("Data2VecVisionModel", "Data2VecVisionConfig", 32, {**PATCHES, "use_shared_relative_position_bias": True}),
    ("Dinov2Model", "Dinov2Config", 32, PATCHES),
    ("Dinov2WithRegistersModel", "Dinov2WithRegistersConfig", 32, PATCHES),
    ("DINOv3ViTModel", "DINOv3ViTConfig", 32, {**PATCHES, "num_register_tokens": 2}),
    ("DINOv3ConvNextModel", "DINOv3ConvNextConfig", 64, STAGES),
    ("CLIPVisionModel", "CLIPVisionConfig", 32, PATCHES),
    ("SiglipVisionModel", "SiglipVisionConfig", 32, PATCHES),
    ("ChineseCLIPVisionModel", "ChineseCLIPVisionConfig", 32, PATCHES),
    ("Aimv2VisionModel", "Aimv2VisionConfig", 32, PATCHES),
    ("BlipVisionModel", "BlipVisionConfig", 32, PATCHES),
    ("FlavaImageModel", "FlavaImageConfig", 32, PATCHES),
    ("MLCDVisionModel", "MLCDVisionConfig", 32, {**PATCHES, "num_key_value_groups": 1}),
    ("InternVLVisionModel", "InternVLVisionConfig", 32, {**PATCHES, "image_size": [32, 32], "patch_size": [8, 8]}),
    ("IJepaModel", "IJepaConfig", 32, PATCHES),
    ("ViTMSNModel", "ViTMSNConfig", 32, PATCHES),
    ("VitDetModel", "VitDetConfig", 32, {**PATCHES, "window_block_indices": [0], "window_size": 2}),
    ("YolosModel", "YolosConfig", 32, {**PATCHES, "image_size": [32, 32], "num_detection_tokens": 3}),
    ("SamVisionModel", "SamVisionConfig", 32, {**PATCHES, "output_channels": 8, "window_size": 2,
                                               "global_attn_indexes": [1]}),
    ("HieraModel", "HieraConfig", 32, {"embed_dim": 16, "image_size": [32, 32], "patch_stride": [4, 4],
                                       "depths": [1, 1, 2], "num_heads": [1, 2, 4], "masked_unit_size": [4, 4],
                                       "num_query_pool": 2}),
    ("SwinModel", "SwinConfig", 32, WINDOWS),
    ("Swinv2Model", "Swinv2Config", 32, WINDOWS),
    ("DonutSwinModel", "DonutSwinConfig", 32, WINDOWS),
    ("MaskFormerSwinModel", "MaskFormerSwinConfig", 32, WINDOWS),
    ("Swin2SRModel", "Swin2SRConfig", 32, {"embed_dim": 16, "depths": [2, 2], "num_heads": [2, 2], "window_size": 4,
                                           "image_size": 32}),
    ("FocalNetModel", "FocalNetConfig", 32, {"embed_dim": 16, "depths": [1, 1], "hidden_sizes": [16, 32],
                                             "focal_levels": [2, 2], "focal_windows": [3, 3], "image_size": 32}),
    ("ConvNextModel", "ConvNextConfig", 64, STAGES),
    ("ConvNextV2Model", "ConvNextV2Config", 64, STAGES),
    ("ResNetModel", "ResNetConfig", 64, {**STAGES, "embedding_size": 8, "layer_type": "basic"}),
    ("RegNetModel", "RegNetConfig", 64, {**STAGES, "embedding_size": 8, "groups_width": 4}),
    ("BitModel", "BitConfig", 64, {**STAGES, "embedding_size": 8, "num_groups": 4, "layer_type": "bottleneck"}),
    ("EfficientNetModel", "EfficientNetConfig", 64, {"width_coefficient": 0.25, "depth_coefficient": 0.25,
                                                     "hidden_dim": 320}),
    ("MobileNetV1Model", "MobileNetV1Config", 64, {"depth_multiplier": 0.25}),
    ("MobileNetV2Model", "MobileNetV2Config", 64, {"depth_multiplier": 0.25}),
    ("MobileViTModel", "MobileViTConfig", 64, {"image_size": 64, "hidden_sizes": [16, 24, 32],
                                               "neck_hidden_sizes": [8, 8, 16, 24, 32, 40, 64]}),
    ("MobileViTV2Model", "MobileViTV2Config", 64, {"image_size": 64, "width_multiplier": 0.25}),
    ("SwiftFormerModel", "SwiftFormerConfig", 64, {"embed_dims": [8, 8, 16, 16], "depths": [1, 1, 1, 1]}),
    ("LevitModel", "LevitConfig", 64, {"image_size": 64, "hidden_sizes": [16, 24, 32], "num_attention_heads": [2, 3, 4],
                                       "depths": [1, 1, 1], "key_dim": [8, 8, 8]}),
    ("PoolFormerModel", "PoolFormerConfig", 64, {**STAGES}),
    ("PvtModel", "PvtConfig", 64, {**STAGES, "image_size": 64, "num_attention_heads": [1, 2, 3, 4]}),
    ("PvtV2Model", "PvtV2Config", 64, {**STAGES, "image_size": 64, "num_attention_heads": [1, 2, 3, 4]}),
    ("SegformerForSemanticSegmentation", "SegformerConfig", 64, {**STAGES, "num_attention_heads": [1, 2, 3, 4],
                                                                 "decoder_hidden_size": 16}),
    ("GLPNForDepthEstimation", "GLPNConfig", 64, {**STAGES, "num_attention_heads": [1, 2, 3, 4],
                                                  "decoder_hidden_size": 16}),
    ("DPTForDepthEstimation", "DPTConfig", 32, {**PATCHES, "num_hidden_layers": 4, "backbone_out_indices": [0, 1, 2, 3],
                                                "neck_hidden_sizes": [8, 8, 16, 16], "fusion_hidden_size": 16}),
    ("TextNetModel", "TextNetConfig", 64, {}),
    ("HGNetV2Backbone", "HGNetV2Config", 64, {}),
    ("RTDetrResNetBackbone", "RTDetrResNetConfig", 64, {**STAGES, "embedding_size": 8, "layer_type": "basic"}),
    ("AlignVisionModel", "AlignVisionConfig", 64, {"width_coefficient": 0.25, "depth_coefficient": 0.25,
                                                   "hidden_dim": 320}),
]  # fmt: skip


def _maker(model: str, configuration: str, size: int, arguments: dict[str, Any]) -> Callable[[], Case]:
    def make() -> Case:
        import transformers

        from door_networks.torch_values import torch_case

        config = getattr(transformers, configuration)(**arguments)
        return torch_case(lambda: getattr(transformers, model)(config), size)

    return make


def _composed(name: str) -> Callable[[], Case]:
    """Networks of several configurations, such as a backbone and a decoder, or with more than the image as input."""

    def make() -> Case:
        import torch
        import transformers as hf

        from door_networks.torch_values import Fixed, torch_case

        swin = hf.SwinConfig(
            **WINDOWS | {"depths": [1, 1, 1, 1], "num_heads": [1, 1, 2, 2]},
            out_features=["stage1", "stage2", "stage3", "stage4"],
        )
        resnet = hf.ResNetConfig(**STAGES, embedding_size=8, out_features=["stage2", "stage3", "stage4"])
        dinov2 = hf.Dinov2Config(**PATCHES, out_features=["stage1", "stage2"], reshape_hidden_states=False)
        masks = {
            "feature_size": 32,
            "mask_feature_size": 32,
            "hidden_dim": 32,
            "encoder_feedforward_dim": 16,
            "encoder_layers": 1,
            "decoder_layers": 2,
            "num_attention_heads": 2,
            "dim_feedforward": 16,
            "num_queries": 5,
        }
        makers: dict[str, Callable[[], Any]] = {
            "Mask2FormerModel": lambda: hf.Mask2FormerModel(hf.Mask2FormerConfig(backbone_config=swin, **masks)),
            # Patches are left out at random, here always the same.
            "ViTMAEModel": lambda: Fixed(hf.ViTMAEModel(hf.ViTMAEConfig(**PATCHES)), noise=torch.rand(1, 16)),
            "MaskFormerModel": lambda: hf.MaskFormerModel(
                hf.MaskFormerConfig(backbone_config=swin, fpn_feature_size=32, mask_feature_size=32)
            ),
            "UperNetForSemanticSegmentation": lambda: hf.UperNetForSemanticSegmentation(
                hf.UperNetConfig(backbone_config=swin, hidden_size=16, auxiliary_in_channels=64)
            ),
            "DetrModel": lambda: hf.DetrModel(hf.DetrConfig(**DECODER, **HEADS, backbone_config=resnet)),
            "ConditionalDetrModel": lambda: hf.ConditionalDetrModel(
                hf.ConditionalDetrConfig(**DECODER, **HEADS, backbone_config=resnet)
            ),
            "DepthAnythingForDepthEstimation": lambda: hf.DepthAnythingForDepthEstimation(
                hf.DepthAnythingConfig(backbone_config=dinov2, patch_size=8, reassemble_hidden_size=32,
                                       reassemble_factors=[4, 2], neck_hidden_sizes=[8, 16], fusion_hidden_size=16)
            ),
        }  # fmt: skip
        return torch_case(makers[name], 32 if name in ("ViTMAEModel", "DepthAnythingForDepthEstimation") else 64)

    return make


COMPOSED = ("ViTMAEModel", "Mask2FormerModel", "MaskFormerModel", "UperNetForSemanticSegmentation", "DetrModel",
            "ConditionalDetrModel", "DepthAnythingForDepthEstimation")  # fmt: skip
NETWORKS = [
    *(Network(model, "transformers", "torch", _maker(model, *rest)) for model, *rest in MODELS),
    *(Network(name, "transformers", "torch", _composed(name)) for name in COMPOSED),
]
