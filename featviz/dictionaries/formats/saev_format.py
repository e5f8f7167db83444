"""Files of saev: a line of JSON, then a state dict of torch.save. Semantics: `saev/nn/modeling.py`, `activations.py`.

The encoder does not subtract the decoder's bias. TopK keeps the k largest pre-activations, whatever their sign.
BatchTopK is a TopK of each position until version 4 of the format, and has a fitted threshold since.
"""

from collections.abc import Mapping
from typing import Any

from featviz.dictionaries.dictionary import Dictionary, DictionaryRecord
from featviz.dictionaries.formats.autoencoder_arrays import (
    autoencoder_fields,
    batch_topk_sae,
    check_widths,
    relu_sae,
    take,
    topk_sae,
)
from featviz.dictionaries.formats.contents import Contents
from featviz.dictionaries.formats.hints import Hints
from featviz.dictionaries.kinds import Code
from featviz.dictionaries.normalizations import Identity
from featviz.errors import FeatvizError, suggest

KINDS = ("relu", "topk", "batchtopk")
# The versions of the format.
SCHEMAS = (1, 2, 3, 4, 5)
# What a TopK keeps where the first version of the format does not say.
DEFAULT_K = 32


def recognizes(contents: Contents) -> bool:
    """Whether a file is of this format."""
    return bool(contents.header)


def read(contents: Contents, hints: Hints) -> Dictionary:
    """The dictionary of a file of this format."""
    header, arrays = contents.header, contents.arrays
    fields = autoencoder_fields(
        take(arrays, "W_enc"),
        take(arrays, "W_dec"),
        encoder_bias=take(arrays, "b_enc"),
        decoder_bias=take(arrays, "b_dec"),
    )
    _check_header(header)
    for units in ("d_model", "d_vit"):
        check_widths(fields, _configuration(header), units=units, latents="d_sae")
    centered = bool(hints.centered)
    kind, k = _activation(header)
    k = k if hints.k is None else hints.k
    fitted = arrays.get("activation.threshold") if hints.threshold is None else hints.threshold
    code: Code
    if kind == "relu" or (kind == "batchtopk" and fitted is not None and not float(fitted) > 0):
        code = relu_sae(fields, centered=centered)
    elif kind == "batchtopk" and fitted is not None:
        code = batch_topk_sae(fields, centered=centered, k=k, threshold=fitted)
    else:
        code = topk_sae(fields, centered=centered, k=k, signed=True)
    record = DictionaryRecord(
        format="saev", notes=tuple((key, str(header[key])) for key in ("lib", "commit") if key in header)
    )
    return Dictionary(code, Identity() if hints.normalization is None else hints.normalization, record)


def _check_header(header: Mapping[str, Any]) -> None:
    """Raises FeatvizError for a version of the format that is not known: each changed what the arrays mean."""
    schema = header.get("schema", SCHEMAS[0])
    if schema not in SCHEMAS:
        raise FeatvizError(f"its schema is `{schema}`; expected {SCHEMAS[0]} to {SCHEMAS[-1]} of saev")


def _configuration(header: Mapping[str, Any]) -> Mapping[str, Any]:
    config = header.get("cfg", header)
    return config if isinstance(config, Mapping) else {}


def _activation(header: Mapping[str, Any]) -> tuple[str, int]:
    """The kind of activation function and its k, in any version of the format."""
    config = _configuration(header)
    given = config.get("activation", header.get("cls", "relu"))
    k = config.get("top_k", DEFAULT_K)
    if isinstance(given, Mapping):
        inner = given.get("params", given)
        k = inner.get("top_k", k) if isinstance(inner, Mapping) else k
        given = given.get("kind", given.get("cls", given.get("key", "relu")))
    kind = str(given).lower().replace("-", "").replace("_", "")
    if kind == "sparseautoencoderconfig":
        kind = "relu"
    if kind not in KINDS:
        raise FeatvizError(
            f"its activation function is `{given}`; {suggest(str(given), ('Relu', 'TopK', 'BatchTopK'))}"
        )
    return kind, int(k)
