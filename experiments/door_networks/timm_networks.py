"""timm: one small network of each family, without pretrained weights, on small images where the family allows."""

from collections.abc import Callable
from typing import Any

from door_networks.comparison import Case, Network

# Name, size of the images, arguments. Attention over a whole grid has its size fixed.
NARROW = {"embed_dim": 64, "depth": 2, "num_heads": 2}
FAMILIES: list[tuple[str, int, dict[str, Any]]] = [
    ("resnet18", 64, {}),
    ("resnest14d", 64, {}),
    ("res2net50_14w_8s", 64, {}),
    ("skresnet18", 64, {}),
    ("regnety_002", 64, {}),
    ("mobilenetv3_small_050", 64, {}),
    ("mobilenetv4_conv_small_050", 64, {}),
    ("test_efficientnet", 64, {}),
    ("tf_efficientnetv2_b0", 65, {}),
    ("ghostnet_050", 64, {}),
    ("densenet121", 64, {}),
    ("vgg11_bn", 64, {}),
    ("inception_v3", 96, {}),
    ("inception_next_atto", 64, {}),
    ("eca_nfnet_l0", 64, {}),
    ("repvgg_a0", 64, {}),
    ("convnextv2_atto", 64, {}),
    ("vit_tiny_patch16_224", 64, {"img_size": 64, "depth": 4}),
    ("vit_relpos_small_patch16_224", 64, {"img_size": 64, "depth": 2}),
    ("deit_tiny_distilled_patch16_224", 64, {"img_size": 64, "depth": 4}),
    ("beit_base_patch16_224", 64, {"img_size": 64, **NARROW}),
    ("eva02_tiny_patch14_224", 56, {"img_size": 56, "depth": 4}),
    ("samvit_base_patch16", 64, {"img_size": 64, **NARROW, "global_attn_indexes": (1,)}),
    ("naflexvit_base_patch16_gap", 64, NARROW),
    ("swin_tiny_patch4_window7_224", 56, {"img_size": 56, "depths": (2, 2)}),
    ("swinv2_tiny_window8_256", 64, {"img_size": 64, "depths": (2, 2)}),
    ("cait_xxs24_224", 64, {"img_size": 64, "depth": 2}),
    ("xcit_nano_12_p16_224", 64, {"img_size": 64, "depth": 2}),
    ("pit_ti_224", 224, {"depths": (1, 1, 1)}),
    ("levit_128s", 224, {}),
    ("mixer_s32_224", 64, {"img_size": 64}),
    ("gmlp_ti16_224", 64, {"img_size": 64}),
    ("resmlp_12_224", 64, {"img_size": 64}),
    ("coat_lite_tiny", 64, {"img_size": 64}),
    ("coatnet_nano_rw_224", 64, {"img_size": 64}),
    ("maxvit_rmlp_pico_rw_256", 64, {"img_size": 64}),
    ("mobilevit_xxs", 64, {}),
    ("mobilevitv2_050", 64, {}),
    ("edgenext_xx_small", 64, {}),
    ("efficientformerv2_s0", 64, {"img_size": 64}),
    ("fastvit_t8", 64, {}),
    ("caformer_s18", 64, {}),
    ("pvt_v2_b0", 64, {}),
    ("twins_svt_small", 64, {"img_size": 64}),
    ("volo_d1_224", 64, {"img_size": 64}),
    ("tnt_s_legacy_patch16_224", 64, {"img_size": 64, "depth": 2}),
    ("crossvit_tiny_240", 240, {}),
    ("convit_tiny", 64, {"img_size": 64, "depth": 4, "local_up_to_layer": 2}),
    ("convmixer_768_32", 63, {"depth": 2}),
    ("davit_tiny", 64, {}),
    ("focalnet_tiny_srf", 64, {}),
    ("hrnet_w18_small", 64, {}),
    ("hgnetv2_b0", 64, {}),
    ("hiera_tiny_224", 64, {"img_size": 64}),
    ("nest_tiny", 64, {"img_size": 64}),
    ("nextvit_small", 64, {}),
    ("repvit_m0_9", 64, {}),
    ("rdnet_tiny", 64, {}),
    ("sequencer2d_s", 64, {"img_size": 64}),
    ("shvit_s1", 128, {}),
    ("tiny_vit_5m_224", 64, {"img_size": 64}),
    ("vitamin_small_224", 64, {"img_size": 64}),
    ("cspdarknet53", 64, {}),
    ("dla34", 64, {}),
    ("dpn48b", 64, {}),
    ("efficientvit_b0", 64, {}),
    ("mambaout_femto", 64, {}),
    ("halonet26t", 64, {}),
    ("lambda_resnet26t", 64, {"img_size": 64}),
    ("botnet26t_256", 64, {"img_size": 64}),
    ("bat_resnext26ts", 64, {}),
    ("swiftformer_xs", 64, {}),
    ("mvitv2_tiny", 64, {"img_size": 64}),
    ("sam2_hiera_tiny", 64, {}),
]


def _maker(name: str, size: int, arguments: dict[str, Any]) -> Callable[[], Case]:
    def make() -> Case:
        import timm

        from door_networks.torch_values import torch_case

        return torch_case(lambda: timm.create_model(name, pretrained=False, **arguments), size)

    return make


NETWORKS = [Network(name, "timm", "torch", _maker(name, size, arguments)) for name, size, arguments in FAMILIES]
