"""Files `ae.pt` of dictionary_learning, with `config.json` beside, and `sae.safetensors` of sparsify.

A state dict says its class but for one case: TopK and BatchTopK have the same names. Semantics:
`dictionary_learning/dictionary.py` and `trainers/*.py`; decoders get rows of length 1 where the library's own
`from_pretrained` gives them this. sparsify's own `SparseCoder.encode` subtracts the decoder's bias in every version,
unless the file is a transcoder; SAELens reads the same files with the bias subtracted only where `normalize_decoder` is
off. The library that trained the weights is followed.
"""

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
    matryoshka_sae,
    relu_sae,
    take,
    topk_sae,
)
from featviz.dictionaries.formats.contents import Contents
from featviz.dictionaries.formats.hints import Hints
from featviz.dictionaries.kinds import Code
from featviz.dictionaries.normalizations import Identity
from featviz.errors import FeatvizError


def recognizes(contents: Contents) -> bool:
    """Whether a file is of this format."""
    names = set(contents.arrays)
    linear = {"encoder.weight"} <= names and bool(names & {"decoder.weight", "W_dec"})
    parameters = {"W_enc", "W_dec", "b_enc", "b_dec"} <= names and bool(names & {"group_sizes"})
    return linear or parameters


def read(contents: Contents, hints: Hints) -> Dictionary:
    """The dictionary of a file of this format."""
    arrays, config = contents.arrays, contents.config
    trainer = config.get("trainer")
    said: Mapping[str, Any] = trainer if isinstance(trainer, Mapping) else config
    code = _code(arrays, said, hints)
    record = DictionaryRecord(
        model=str(said.get("lm_name") or said.get("model_name") or ""),
        layer=str(said.get("submodule_name") or said.get("layer") or said.get("hookpoint") or ""),
        format="sparsify" if "W_dec" in arrays and "encoder.weight" in arrays else "dictionary_learning",
    )
    return Dictionary(code, Identity() if hints.normalization is None else hints.normalization, record)


def _code(arrays: Mapping[str, np.ndarray], said: Mapping[str, Any], hints: Hints) -> Code:
    if "group_sizes" in arrays:
        fields = autoencoder_fields(
            take(arrays, "W_enc"),
            take(arrays, "W_dec"),
            encoder_bias=take(arrays, "b_enc"),
            decoder_bias=take(arrays, "b_dec"),
        )
        return matryoshka_sae(_batch_topk(fields, arrays, hints), np.cumsum(arrays["group_sizes"]))
    encoder = take(arrays, "encoder.weight").T
    decoder = take(arrays, "W_dec") if "W_dec" in arrays else take(arrays, "decoder.weight").T
    bias = next((name for name in ("b_dec", "bias", "decoder_bias", "decoder.bias") if name in arrays), None)
    fields = autoencoder_fields(
        encoder,
        decoder,
        encoder_bias=take(arrays, "encoder.bias") if "encoder.bias" in arrays else None,
        decoder_bias=None if bias is None else take(arrays, bias),
    )
    check_widths(fields, said, units="activation_dim", latents="dict_size")
    if "gate_bias" in arrays:
        return gated_sae(
            fields,
            centered=True,
            magnitude=take(arrays, "r_mag"),
            gate_bias=take(arrays, "gate_bias"),
            magnitude_bias=take(arrays, "mag_bias"),
        )
    if "W_dec" in arrays:
        return _sparsify(fields, said, hints)
    if bias == "b_dec":
        return _of_largest(fields, arrays, said, hints)
    centered = bias == "bias" if hints.centered is None else hints.centered
    if bias == "bias" and not np.allclose(np.linalg.norm(fields["decoder"], axis=1), 1):
        fold_decoder_norms(fields)
    return relu_sae(fields, centered=centered)


def _sparsify(fields: Fields, said: Mapping[str, Any], hints: Hints) -> Code:
    check_widths(fields, said, units="d_in", latents="num_latents")
    if said.get("activation", "topk") != "topk":
        raise FeatvizError(f"its activation function is `{said['activation']}`; expected topk")
    centered = not said.get("transcode", False) if hints.centered is None else hints.centered
    return topk_sae(fields, centered=centered, k=said.get("k") if hints.k is None else hints.k)


def _of_largest(fields: Fields, arrays: Mapping[str, np.ndarray], said: Mapping[str, Any], hints: Hints) -> Code:
    """TopK or BatchTopK, as the configuration or the user says; a threshold that was never fitted is -1."""
    name = hints.kind or str(said.get("dict_class") or "")
    threshold = float(arrays["threshold"]) if "threshold" in arrays else -1.0
    if name in ("BatchTopKSAE", "batch_topk"):
        return _batch_topk(fields, arrays, hints)
    if name in ("AutoEncoderTopK", "topk") or (not name and threshold < 0):
        return topk_sae(fields, centered=hints.centered is not False, k=_k(arrays, hints))
    if name:
        raise FeatvizError(f"its class is `{name}`; expected AutoEncoderTopK or BatchTopKSAE")
    raise FeatvizError(
        "it is a TopK or a BatchTopK dictionary and does not say which; expected `kind`, topk or batch_topk, or the "
        "`config.json` of its training beside it"
    )


def _batch_topk(fields: Fields, arrays: Mapping[str, np.ndarray], hints: Hints) -> Any:
    threshold = arrays.get("threshold") if hints.threshold is None else hints.threshold
    return batch_topk_sae(fields, centered=hints.centered is not False, k=_k(arrays, hints), threshold=threshold)


def _k(arrays: Mapping[str, np.ndarray], hints: Hints) -> object:
    return hints.k if hints.k is not None else arrays.get("k")
