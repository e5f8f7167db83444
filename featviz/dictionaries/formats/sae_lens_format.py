"""Folders of SAELens, of version 6 and of those before, and of ViT-Prisma, which came from it.

`cfg.json` beside `sae_weights.safetensors`, or `config.json` beside `weights.pt`; older files of ViT-Prisma hold both
in one pickle. Tensors W_enc (units, latents), W_dec (latents, units), b_enc, b_dec. Semantics: `sae_lens/saes/*.py`,
`vit_prisma/sae/sae.py`.
"""

import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np

from featviz.dictionaries.dictionary import Dictionary, DictionaryRecord
from featviz.dictionaries.formats.autoencoder_arrays import (
    Fields,
    autoencoder_fields,
    batch_topk_sae,
    check_widths,
    fold_decoder_norms,
    gated_sae,
    jump_relu_sae,
    matryoshka_sae,
    relu_sae,
    take,
    topk_sae,
)
from featviz.dictionaries.formats.contents import Contents
from featviz.dictionaries.formats.hints import Hints
from featviz.dictionaries.kinds import Code
from featviz.dictionaries.normalizations import ConstantNorm, Identity, LayerNorm, Normalization
from featviz.errors import FeatvizError, suggest

ARCHITECTURES = ("standard", "topk", "abstopk", "batchtopk", "matryoshka_batchtopk", "jumprelu", "gated")
NORMALIZATIONS: Mapping[str, Normalization] = {
    "none": Identity(),
    "expected_average_only_in": Identity(),
    "layer_norm": LayerNorm(),
    "constant_norm_rescale": ConstantNorm(),
}
# Keys of a configuration, any of which tells these formats from others.
KEYS = ("normalize_activations", "apply_b_dec_to_input", "hook_name", "hook_point", "activation_fn_str", "metadata")
# Arrays of some architectures alone, which another one would leave aside.
USES = {"threshold": "jumprelu", "log_threshold": "jumprelu", "b_gate": "gated", "r_mag": "gated"}
UNUSED = {name: tuple(USES) for name in ("standard", "topk", "abstopk")}
# A key of ViT-Prisma's alone.
PRISMA = ("cls_token_only", "vit_model_cfg", "use_patches_only")
# What else a configuration says of the fit.
NOTES = ("dataset_path", "sae_lens_version", "cls_token_only", "use_patches_only")


def recognizes(contents: Contents) -> bool:
    """Whether a file is of this format."""
    return {"W_enc", "W_dec"} <= set(contents.arrays) and any(key in contents.config for key in KEYS)


def read(contents: Contents, hints: Hints) -> Dictionary:
    """The dictionary of a file of this format."""
    config = {**_mapping(contents.config.get("metadata")), **contents.config}
    arrays = contents.arrays
    fields = autoencoder_fields(
        take(arrays, "W_enc"),
        take(arrays, "W_dec"),
        encoder_bias=take(arrays, "b_enc") if "b_enc" in arrays else None,
        decoder_bias=take(arrays, "b_dec"),
    )
    check_widths(fields, config, units="d_in", latents="d_sae")
    if config.get("finetuning_scaling_factor") and "scaling_factor" in arrays:
        fields["decoder"] = take(arrays, "scaling_factor")[:, None] * fields["decoder"]
    centered = config.get("apply_b_dec_to_input", True) is not False
    centered = centered if hints.centered is None else hints.centered
    code = _code(fields, arrays, config, hints, centered=centered)
    normalization = _normalization(config) if hints.normalization is None else hints.normalization
    is_prisma = any(key in config for key in PRISMA) or "vit" in str(config.get("model_class_name", "")).lower()
    record = DictionaryRecord(
        model=str(config.get("model_name") or ""),
        layer=_layer(config),
        format="ViT-Prisma" if is_prisma else "SAELens",
        notes=tuple((key, str(config[key])) for key in NOTES if config.get(key)),
    )
    return Dictionary(code, normalization, record)


def _code(
    fields: Fields, arrays: Mapping[str, np.ndarray], config: dict[str, Any], hints: Hints, *, centered: bool
) -> Code:
    architecture = _architecture(config)
    kwargs = _mapping(config.get("activation_fn_kwargs"))
    k = _k(config.get("k"), kwargs.get("k")) if hints.k is None else hints.k
    for name in UNUSED.get(architecture, ()):
        if name in arrays:
            raise FeatvizError(f"its architecture is `{architecture}`, and it has `{name}`; expected {USES[name]}")
    if architecture == "gated":
        return gated_sae(
            fields,
            centered=centered,
            magnitude=take(arrays, "r_mag"),
            gate_bias=take(arrays, "b_gate"),
            magnitude_bias=take(arrays, "b_mag"),
        )
    if config.get("rescale_acts_by_decoder_norm"):
        fold_decoder_norms(fields, floor=0.0)
    if architecture in ("topk", "abstopk"):
        return topk_sae(fields, centered=centered, k=k, magnitudes=architecture == "abstopk")
    if architecture == "jumprelu":
        return jump_relu_sae(fields, centered=centered, threshold=_threshold(arrays))
    if architecture == "standard":
        return relu_sae(fields, centered=centered)
    threshold = hints.threshold if hints.threshold is not None else arrays.get("topk_threshold")
    autoencoder = batch_topk_sae(fields, centered=centered, k=k, threshold=threshold)
    if architecture == "batchtopk":
        return autoencoder
    return matryoshka_sae(autoencoder, config.get("matryoshka_widths") or ())


def _k(*said: object) -> object:
    """The k that a configuration says, which has two places for it."""
    given = [k for k in said if k is not None]
    if len(given) == 2 and given[0] != given[1]:
        raise FeatvizError(f"its configuration says two k, {given[0]} and {given[1]}; expected one")
    return given[0] if given else None


def _layer(config: dict[str, Any]) -> str:
    """The layer's name: ViT-Prisma's `config.json` has it in two parts."""
    number, part = config.get("hook_point_layer"), config.get("layer_subtype")
    parts = f"blocks.{number}.{part}" if type(number) is int and part else ""
    return str(config.get("hook_name") or config.get("hook_point") or parts)


def _architecture(config: dict[str, Any]) -> str:
    if config.get("is_transcoder"):
        raise FeatvizError(
            "it is a transcoder, which reconstructs another layer than it encodes; expected an autoencoder of one layer"
        )
    architecture = str(config.get("architecture") or "standard")
    activation = str(config.get("activation_fn_str") or config.get("activation_fn") or "relu")
    if activation == "topk" and architecture == "standard":
        return "topk"
    if architecture not in ARCHITECTURES:
        raise FeatvizError(f"its architecture is `{architecture}`; {suggest(architecture, ARCHITECTURES)}")
    if activation not in ("relu", "topk"):
        raise FeatvizError(f"its activation function is `{activation}`; expected relu or topk")
    return architecture


def _threshold(arrays: Mapping[str, np.ndarray]) -> np.ndarray | None:
    if "threshold" in arrays:
        return take(arrays, "threshold")
    return np.exp(take(arrays, "log_threshold")) if "log_threshold" in arrays else None


def _normalization(config: dict[str, Any]) -> Normalization:
    given = config.get("normalize_activations")
    name = "expected_average_only_in" if given is True else "none" if not given else str(given)
    if name not in NORMALIZATIONS:
        raise FeatvizError(f"it normalizes activations by `{name}`; {suggest(name, NORMALIZATIONS)}")
    if name == "expected_average_only_in":
        warnings.warn(
            "this dictionary was trained on activations that were multiplied by one number, which its file does not "
            "hold; expected `normalization`, such as Standardized(0, mean norm / √units), if its explained variance is "
            "low",
            stacklevel=2,
        )
    return NORMALIZATIONS[name]


def _mapping(value: object) -> dict[str, Any]:
    return dict(value) if isinstance(value, Mapping) else {}
